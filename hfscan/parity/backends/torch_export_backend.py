# mypy: ignore-errors
"""The torch.export backend: graphs exported from transformers' PyTorch classes, run by PyTorch."""

import tempfile

import torch
from _graphs import export_program, graph_ops, open_model
from _protocol import op
from _torch import load_tensors, numpy, wait

OPENS = {"pytorch/safetensors": ["direct"], "pytorch/bin": ["direct"]}
NEEDS = {"pytorch": "pytorch"}
READS = []
VARIANTS = ["export", "aot-inductor"]
TRAINS = []


@op
def open_(folder, architecture, origin, format, load_method, dtype, device):
    return open_model(folder, architecture, format, dtype, device)


def export(model, given, variant):
    program = export_program(model, given)
    graph = program.module() if variant == "export" else compile_ahead(program)

    def call(given):
        with torch.inference_mode():
            return graph(**given)

    return call


def compile_ahead(program):
    """Compile to a library of machine code (AOTInductor), and load it."""
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        path = f"{folder}/model.pt2"
        torch._inductor.aoti_compile_and_package(program, package_path=path)
        return torch._inductor.aoti_load_package(path)


graph_ops(VARIANTS, export, load_tensors, numpy, wait)
