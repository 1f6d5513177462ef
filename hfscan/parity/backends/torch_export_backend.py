# mypy: ignore-errors
"""The torch.export backend: graphs exported from transformers' PyTorch classes, run by PyTorch."""

import torch
from _graphs import graph_ops, open_model
from _protocol import op
from _torch import forget_model, load_tensors, numpy, wait

OPENS = {"pytorch/safetensors": ["direct"], "pytorch/bin": ["direct"]}
NEEDS = {"pytorch": "pytorch"}
READS = []
VARIANTS = ["export"]
TRAINS = []


@op
def open_(folder, architecture, origin, format, load_method, dtype, device):
    forget_model()
    return open_model(folder, architecture, format, dtype, device)


def export(model, given, variant):
    with torch.no_grad():
        program = torch.export.export(model, (), kwargs=given)
    graph = program.module()

    def call(given):
        with torch.inference_mode():
            return graph(**given)

    return call


graph_ops(VARIANTS, export, load_tensors, numpy, wait)
