# mypy: ignore-errors
"""The LiteRT backend: models converted by litert-torch, run by LiteRT's interpreter."""

import importlib.metadata

import _torch
import litert_torch
import numpy as np
import torch
from _graphs import graph_ops, open_float32_model
from _math import library
from _protocol import op
from ai_edge_litert.interpreter import Interpreter

OPENS = {"pytorch/safetensors": ["direct"], "pytorch/bin": ["direct"]}
NEEDS = {"pytorch": "pytorch"}
READS = []
VARIANTS = ["xnnpack"]
TRAINS = []


@op
def hello(threads):
    reply = _torch.hello(threads)
    for package in ("litert-torch", "ai-edge-litert"):
        reply["versions"][package] = importlib.metadata.version(package)
    return reply | {"device": None, "libraries": [library("XNNPACK")]}


@op
def open_(folder, architecture, origin, format, load_method, dtype, device):
    return open_float32_model(folder, architecture, format, dtype)


def export(model, given, variant):
    """Convert a model; its graph takes and returns 32-bit integers in place of 64-bit ones."""
    content = litert_torch.convert(model, sample_kwargs=given).model_content()
    interpreter = Interpreter(model_content=content, num_threads=torch.get_num_threads())
    graph = interpreter.get_signature_runner()
    dtypes = {name: item["dtype"] for name, item in graph.get_input_details().items()}

    def call(given):
        outputs = graph(**{name: given[name].astype(dtype) for name, dtype in dtypes.items()})
        return [outputs[f"output_{number}"] for number in range(len(outputs))]

    call.owner = interpreter  # of the memory that the graph reads
    return call


graph_ops(VARIANTS, export, dict, np.asarray)
