# mypy: ignore-errors
"""The ONNX backend: models exported from PyTorch by `torch.onnx`, run by onnxruntime."""

import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch
import transformers
from _configs import unread_keys
from _protocol import (
    NotApplicableError,
    hello_reply,
    load_arrays,
    op,
    peak_reply,
    reset_peak,
    timed,
)
from _transformers import (
    HIDDEN_STATES,
    end_tokens,
    find_class,
    group_tied,
    neutral_generation_config,
    open_reply,
    run_reply,
    two_best,
)

OPENS = {"pytorch/safetensors": ["direct"], "pytorch/bin": ["direct"]}
NEEDS = {"pytorch": "pytorch"}
READS = []
VARIANTS = ["session"]
TRAINS = []
state = {}


class Flat(torch.nn.Module):
    """A model that returns its outputs as one flat tuple, as a graph does."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, **given):
        return tuple(tensor for _, tensor in named_outputs(self.model, given))


def named_outputs(model, given):
    """Call the model; return [((output, layer or None), tensor)]."""
    output = model(**given, **HIDDEN_STATES)
    outputs = []
    for name, value in output.items():
        if name.endswith("hidden_states"):
            outputs += [((name, layer), tensor) for layer, tensor in enumerate(value)]
        elif isinstance(value, torch.Tensor):
            outputs.append(((name, None), value))
    return outputs


@op
def hello(threads):
    torch.set_num_threads(threads)
    cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    state["threads"] = threads
    device = "CUDAExecutionProvider" if cuda else None
    return hello_reply(
        threads, device, onnxruntime=onnxruntime, torch=torch, transformers=transformers
    )


@op
def open_(folder, architecture, origin, format, load_method, dtype, device):
    reset_peak()
    start = time.perf_counter()
    if dtype != "float32":
        raise NotApplicableError(f"this backend supports only float32, not {dtype}")
    cls, config = find_class("", architecture, folder, transformers.MODEL_MAPPING)
    model, info = cls.from_pretrained(
        folder,
        config=config,
        use_safetensors=format == "safetensors",
        local_files_only=True,
        output_loading_info=True,
    )
    model.config.use_cache = False
    state.update(model=model.eval(), device=device, sessions={})
    unread = unread_keys(folder, cls, config)
    seconds = time.perf_counter() - start
    return open_reply(seconds, info, unread=unread, tensors=group_tied(model))


def export(given):
    """Return (outputs' names, session) for inputs of these shapes, exported on first use."""
    key = tuple((name, array.shape) for name, array in given.items())
    if key not in state["sessions"]:
        tensors = {name: torch.from_numpy(array) for name, array in given.items()}
        with torch.inference_mode():
            names = [name for name, _ in named_outputs(state["model"], tensors)]
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "model.onnx")
            torch.onnx.export(
                Flat(state["model"]).eval(),
                kwargs=tensors,
                f=path,
                dynamo=True,
                input_names=list(given),
                output_names=[str(number) for number in range(len(names))],
            )
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = state["threads"]
            options.inter_op_num_threads = 1
            provider = "CPUExecutionProvider"
            if state["device"] == "cuda":
                provider = ("CUDAExecutionProvider", {"use_tf32": "0"})
            session = onnxruntime.InferenceSession(path, options, [provider])
            if state["device"] == "cuda" and "CUDAExecutionProvider" not in session.get_providers():
                raise NotApplicableError("onnxruntime cannot use the GPU: it would run on the CPU")
        state["sessions"][key] = names, session
    return state["sessions"][key]


def call(given):
    """Return (outputs' names, arrays); the export drops inputs that change nothing."""
    names, model = export(given)
    used = {node.name for node in model.get_inputs()}
    arrays = model.run(None, {name: array for name, array in given.items() if name in used})
    return names, arrays


@op
def run(inputs, into):
    given = load_arrays(inputs)
    start = time.perf_counter()
    names, arrays = call(given)
    seconds = time.perf_counter() - start
    output = {}
    for (name, layer), array in zip(names, arrays, strict=True):
        if layer is None:
            output[name] = array
        else:
            output.setdefault(name, []).append(array)
    return run_reply(output, np.asarray, into, seconds)


@op
def generate(inputs, new_tokens):
    """Generate greedily without a cache: run the entire text for each token, at a fixed length."""
    given, model = load_arrays(inputs), state["model"]
    ends = end_tokens(model.config.eos_token_id)
    if model.config.is_encoder_decoder:
        grown, start = (
            "decoder_input_ids",
            [neutral_generation_config(model).decoder_start_token_id],
        )
    else:
        grown, start = "input_ids", given["input_ids"][0].tolist()
    first, tokens, steps = len(start), list(start), []
    for _ in range(new_tokens):
        padded = np.zeros((1, first + new_tokens), dtype=np.int64)
        padded[0, : len(tokens)] = tokens
        mask = {}
        if grown == "input_ids":
            mask["attention_mask"] = (np.arange(padded.shape[1]) < len(tokens))[None].astype("i8")
        names, arrays = call(given | {grown: padded} | mask)
        scores = arrays[names.index(("logits", None))][0, len(tokens) - 1].astype(np.float64)
        scores[ends] = -np.inf
        steps.append(two_best(scores))
        tokens.append(int(scores.argmax()))
    return {"tokens": tokens[first:], "top2": steps}


@op
def time_(inputs, variant, train):
    given = load_arrays(inputs)

    def finish():
        call(given)

    return timed(finish)


@op
def peak():
    return peak_reply()
