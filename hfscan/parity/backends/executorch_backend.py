# mypy: ignore-errors
"""The ExecuTorch backend: graphs exported by `torch.export`, run by ExecuTorch's runtime."""

import _torch
from _graphs import export_program, graph_ops, open_float32_model
from _math import library
from _protocol import op
from _torch import load_tensors, numpy, state
from executorch import version
from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
from executorch.exir import to_edge_transform_and_lower
from executorch.extension.pybindings import portable_lib
from executorch.runtime import Runtime

OPENS = {"pytorch/safetensors": ["direct"], "pytorch/bin": ["direct"]}
NEEDS = {"pytorch": "pytorch"}
READS = []
VARIANTS = ["xnnpack", "portable"]
TRAINS = []


@op
def hello(threads):
    reply = _torch.hello(threads)
    portable_lib._unsafe_reset_threadpool(threads)
    reply["versions"]["executorch"] = version.__version__
    return reply | {"device": None, "libraries": [library("XNNPACK")]}


@op
def open_(folder, architecture, origin, format, load_method, dtype, device):
    reply = open_float32_model(folder, architecture, format, dtype)
    # graphs with SDPA fail in ExecuTorch's decomposition, which changes strides
    state["model"].set_attn_implementation("eager")
    return reply


def export(model, given, variant):
    program = export_program(model, given)
    partitioners = [XnnpackPartitioner()] if variant == "xnnpack" else []
    buffer = to_edge_transform_and_lower(program, partitioner=partitioners).to_executorch().buffer
    loaded = Runtime.get().load_program(buffer)
    method = loaded.load_method("forward")

    def call(given):
        return method.execute(list(given.values()))

    call.owners = buffer, loaded  # of memory that the method reads
    return call


graph_ops(VARIANTS, export, load_tensors, numpy)
