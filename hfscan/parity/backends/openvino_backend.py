# mypy: ignore-errors
"""The OpenVINO backend: graphs exported by `torch.export`, converted and run by OpenVINO."""

import sys

import numpy as np
import torch
import transformers
from _graphs import export_program, graph_ops, open_float32_model
from _math import library, offer_probe
from _protocol import hello_reply, op

sys.modules["openvino_telemetry"] = None  # without it, OpenVINO does not report its use

import openvino  # noqa: E402
from openvino import opset13 as opset  # noqa: E402

OPENS = {"pytorch/safetensors": ["direct"], "pytorch/bin": ["direct"]}
NEEDS = {"pytorch": "pytorch"}
READS = []
VARIANTS = ["float32", "default"]
TRAINS = []
PRECISIONS = {"float32": {"INFERENCE_PRECISION_HINT": "f32"}, "default": {}}
"""By itself, OpenVINO computes in bfloat16 or float16 where the processor does so faster."""


@op
def hello(threads):
    torch.set_num_threads(threads)
    modules = {"openvino": openvino, "torch": torch, "transformers": transformers}
    return hello_reply(threads, None, [library("oneDNN")], **modules)


def start_session(model, variant):
    settings = PRECISIONS[variant] | {"INFERENCE_NUM_THREADS": torch.get_num_threads()}
    return openvino.Core().compile_model(model, "CPU", settings)


@offer_probe
def make_product(side):
    square = np.ones((side, side), dtype=np.float32)
    factors = [opset.parameter(square.shape, np.float32) for _ in range(2)]
    product = opset.matmul(*factors, False, False)
    session = start_session(openvino.Model([product], factors), "float32")
    return lambda: session([square, square])


@op
def open_(folder, architecture, origin, format, load_method, dtype, device):
    return open_float32_model(folder, architecture, format, dtype)


def export(model, given, variant):
    program = export_program(model, given)
    session = start_session(openvino.convert_model(program), variant)
    used = {name for node in session.inputs for name in node.names}

    def call(given):
        return list(session({name: given[name] for name in given if name in used}).values())

    return call


graph_ops(VARIANTS, export, dict, np.array)
