# mypy: ignore-errors
"""Share what the backends need that run a graph exported from transformers' PyTorch classes."""

import time

import numpy as np
import torch
import transformers
from _configs import unread_keys
from _protocol import NotApplicableError, load_arrays, op, timed
from _torch import DTYPES, forget_model, load_pretrained, state
from _transformers import (
    HIDDEN_STATES,
    end_tokens,
    find_class,
    group_tied,
    neutral_generation_config,
    open_reply,
    run_reply,
    special_token,
    two_best,
)


class Flat(torch.nn.Module):
    """A model that returns its outputs as one flat tuple, as a graph does."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, **given):
        return tuple(tensor for _, tensor in list_outputs(self.model(**given, **HIDDEN_STATES)))


def list_outputs(output):
    """Return [((output, layer or None), tensor)] of what a model returned."""
    outputs = []
    for name, value in output.items():
        if name.endswith("hidden_states"):
            outputs += [((name, layer), tensor) for layer, tensor in enumerate(value)]
        elif isinstance(value, torch.Tensor):
            outputs.append(((name, None), value))
    return outputs


def open_model(folder, architecture, format, dtype, device):
    """Load a model whose graphs are exported when they are first called; return the reply.

    `device` is where PyTorch has the model while it is exported.
    """
    forget_model()
    start = time.perf_counter()
    cls, config = find_class("", architecture, folder, transformers.MODEL_MAPPING)
    model, info = load_pretrained(
        cls,
        folder,
        config=config,
        dtype=DTYPES["float32" if dtype == "float64" else dtype],
        use_safetensors=format == "safetensors",
    )
    model.config.use_cache = False
    model = model.to(device, DTYPES[dtype] if dtype == "float64" else None).eval()
    state.update(model=model, device=device, dtype=dtype, graphs={}, notes={})
    unread = unread_keys(folder, cls, config)
    seconds = time.perf_counter() - start
    return open_reply(seconds, info, unread=unread, tensors=group_tied(model))


def open_float32_model(folder, architecture, format, dtype):
    """Load a model on the CPU, like `open_model`, for graphs that compute in float32 only."""
    if dtype != "float32":
        forget_model()
        raise NotApplicableError(f"this backend supports only float32, not {dtype}")
    return open_model(folder, architecture, format, dtype, "cpu")


def export_program(model, given):
    """Return the program that `torch.export` makes of a model and its inputs."""
    with torch.no_grad():
        return torch.export.export(model, (), kwargs=given)


def graph_ops(variants, export, load, to_numpy, wait=lambda: None):
    """Offer `run`, `generate` and `time` for graphs.

    `export` gets the model as `Flat`, its inputs as tensors and one of the `variants`; it returns a
    function from inputs, as `load` makes them of arrays, to outputs, which `to_numpy` reads: all
    that `Flat` returns, or those that the graph has as `list_outputs` names them. `wait` returns
    when all of them are computed. Keys that `export` adds to `state["notes"]` are reported.
    """

    def call(given, variant=variants[0]):
        """Return {name: output} of the graph for these shapes, exported on first use."""
        key = variant, tuple((name, value.shape) for name, value in given.items())
        if key not in state["graphs"]:
            model = state["model"]
            tensors = {name: torch.as_tensor(value) for name, value in given.items()}
            with torch.inference_mode():
                names = [name for name, _ in list_outputs(model(**tensors, **HIDDEN_STATES))]
            state["graphs"][key] = names, export(Flat(model).eval(), tensors, variant)
        names, graph = state["graphs"][key]
        outputs = graph(given)
        return outputs if isinstance(outputs, dict) else dict(zip(names, outputs, strict=True))

    @op
    def run(inputs, into, variant=variants[0]):
        given = load(load_arrays(inputs))
        start = time.perf_counter()
        outputs = call(given, variant)
        wait()
        seconds = time.perf_counter() - start
        output = {}
        for (name, layer), value in outputs.items():
            if layer is None:
                output[name] = value
            else:
                output.setdefault(name, []).append(value)
        return run_reply(output, to_numpy, into, seconds) | {"notes": list(state["notes"])}

    @op
    def generate(inputs, new_tokens):
        """Generate greedily without a cache: run the entire text for each token, at one length."""
        given, model = load_arrays(inputs), state["model"]
        ends = end_tokens(special_token(model.config, "eos_token_id"))
        if model.config.is_encoder_decoder:
            grown = "decoder_input_ids"
            start = [neutral_generation_config(model).decoder_start_token_id]
        else:
            grown, start = "input_ids", given["input_ids"][0].tolist()
        first, tokens, steps = len(start), list(start), []
        for _ in range(new_tokens):
            padded = np.zeros((1, first + new_tokens), dtype=np.int64)
            padded[0, : len(tokens)] = tokens
            mask = {}
            if grown == "input_ids":
                real = np.arange(padded.shape[1]) < len(tokens)
                mask["attention_mask"] = real[None].astype(np.int64)
            outputs = call(load(given | {grown: padded} | mask))
            logits = to_numpy(outputs["logits", None])
            scores = logits[0, len(tokens) - 1].astype(np.float64)
            scores[ends] = -np.inf
            steps.append(two_best(scores))
            tokens.append(int(scores.argmax()))
        return {"tokens": tokens[first:], "top2": steps, "ends": ends}

    @op
    def time_(inputs, variant, train):
        given = load(load_arrays(inputs))

        def finish():
            call(given, variant)
            wait()

        return timed(finish)
