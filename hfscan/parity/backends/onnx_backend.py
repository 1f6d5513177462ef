# mypy: ignore-errors
"""The ONNX backend: models exported from PyTorch by `torch.onnx`, run by onnxruntime.

The export is for the shapes of the inputs, and part of the first call.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch
import transformers
from _protocol import about, load, op, peak_rss_mb, reset_peak, timed
from _transformers import answer_open, answer_run, end_tokens, named_class

OPENS = {"pytorch/safetensors": ["plain"], "pytorch/bin": ["plain"]}
NEEDS = {"pytorch": "pytorch"}
READS = []
VARIANTS = ["session"]
TRAINS = []
state = {}


class Flat(torch.nn.Module):
    """A model whose outputs are one flat tuple, as a graph's are."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, **given):
        return tuple(tensor for _, tensor in named(self.model, given))


def named(model, given):
    """Return [((output, layer or None), tensor)] of one call."""
    output = model(**given, output_hidden_states=True, return_dict=True)
    found = []
    for name, value in output.items():
        if name.endswith("hidden_states"):
            found += [((name, layer), one) for layer, one in enumerate(value)]
        elif isinstance(value, torch.Tensor):
            found.append(((name, None), value))
    return found


@op
def hello(threads):
    torch.set_num_threads(threads)
    cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    state["threads"] = threads
    device = "CUDAExecutionProvider" if cuda else None
    return about(threads, device, onnxruntime=onnxruntime, torch=torch, transformers=transformers)


@op
def open_(folder, architecture, origin, format, route, dtype, device):
    reset_peak()
    start = time.perf_counter()
    if dtype != "float32":
        raise LookupError(f"this backend exports float32 only, not {dtype}")
    cls, config = named_class("", architecture, folder, transformers.MODEL_MAPPING)
    model, info = cls.from_pretrained(
        folder,
        config=config,
        use_safetensors=format == "safetensors",
        local_files_only=True,
        output_loading_info=True,
    )
    model.config.use_cache = False
    state.update(model=model.eval(), device=device, sessions={})
    return answer_open(cls, time.perf_counter() - start, info)


def session(given):
    """Return (outputs' places, session) for inputs of these shapes, exported when first asked."""
    key = tuple((name, array.shape) for name, array in given.items())
    if key not in state["sessions"]:
        tensors = {name: torch.from_numpy(array) for name, array in given.items()}
        with torch.inference_mode():
            places = [place for place, _ in named(state["model"], tensors)]
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "model.onnx")
            torch.onnx.export(
                Flat(state["model"]).eval(),
                kwargs=tensors,
                f=path,
                dynamo=True,
                input_names=list(given),
                output_names=[str(number) for number in range(len(places))],
            )
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = state["threads"]
            options.inter_op_num_threads = 1
            provider = "CPUExecutionProvider"
            if state["device"] == "cuda":
                provider = ("CUDAExecutionProvider", {"use_tf32": "0"})
            made = onnxruntime.InferenceSession(path, options, [provider])
        state["sessions"][key] = places, made
    return state["sessions"][key]


def call(given):
    """Return (outputs' places, arrays); the export drops inputs that change nothing."""
    places, made = session(given)
    wanted = {one.name for one in made.get_inputs()}
    arrays = made.run(None, {name: array for name, array in given.items() if name in wanted})
    return places, arrays


@op
def run(inputs, into):
    given = load(inputs)
    start = time.perf_counter()
    places, arrays = call(given)
    seconds = time.perf_counter() - start
    output = {}
    for (name, layer), array in zip(places, arrays, strict=True):
        if layer is None:
            output[name] = array
        else:
            output.setdefault(name, []).append(array)
    return answer_run(output, np.asarray, into, seconds)


@op
def generate(inputs, new_tokens):
    """Greedy, without a cache: the whole text anew for each token, at one fixed length."""
    given, model = load(inputs), state["model"]
    ends = end_tokens(model.config.eos_token_id)
    if model.config.is_encoder_decoder:
        grows, known = "decoder_input_ids", [model.generation_config.decoder_start_token_id]
    else:
        grows, known = "input_ids", given["input_ids"][0].tolist()
    first, tokens, steps = len(known), list(known), []
    for _ in range(new_tokens):
        padded = np.zeros((1, first + new_tokens), dtype=np.int64)
        padded[0, : len(tokens)] = tokens
        mask = {}
        if grows == "input_ids":
            mask["attention_mask"] = (np.arange(padded.shape[1]) < len(tokens))[None].astype("i8")
        places, arrays = call(given | {grows: padded} | mask)
        scores = arrays[places.index(("logits", None))][0, len(tokens) - 1].astype(np.float64)
        scores[ends] = -np.inf
        best = np.argsort(scores)[-2:][::-1]
        steps.append([float(scores[best[0]]), float(scores[best[1]])])
        tokens.append(int(best[0]))
    return {"tokens": tokens[first:], "top2": steps}


@op
def time_(inputs, variant, train):
    given = load(inputs)

    def finished():
        call(given)

    return timed(finished)


@op
def peak():
    return {"peak_rss_mb": peak_rss_mb(), "peak_gpu_mb": None}
