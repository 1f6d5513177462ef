# mypy: ignore-errors
"""The ONNX backend: models exported from PyTorch by `torch.onnx`, run by onnxruntime."""

import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import torch
import transformers
from _graphs import graph_ops, open_float32_model
from _math import library, offer_probe
from _protocol import NotApplicableError, hello_reply, op, peak_reply
from _torch import state
from onnx import helper

OPENS = {"pytorch/safetensors": ["direct"], "pytorch/bin": ["direct"]}
NEEDS = {"pytorch": "pytorch"}
READS = []
VARIANTS = ["session"]
TRAINS = []


@op
def hello(threads):
    torch.set_num_threads(threads)
    cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    device = "CUDAExecutionProvider" if cuda else None
    modules = {"onnxruntime": onnxruntime, "torch": torch, "transformers": transformers}
    return hello_reply(threads, device, [library("MLAS")], **modules)


@offer_probe
def make_product(side):
    square = np.ones((side, side), dtype=np.float32)
    values = [helper.make_tensor_value_info(name, 1, square.shape) for name in "abc"]
    node = helper.make_node("MatMul", ["a", "b"], ["c"])
    model = helper.make_model(helper.make_graph([node], "product", values[:2], values[2:]))
    session = _start_session(model.SerializeToString(), "CPUExecutionProvider")
    return lambda: session.run(None, {"a": square, "b": square})


@op
def open_(folder, architecture, origin, format, load_method, dtype, device):
    reply = open_float32_model(folder, architecture, format, dtype)
    state["provider"] = "CUDAExecutionProvider" if device == "cuda" else "CPUExecutionProvider"
    return reply


def export(model, given, variant):
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model.onnx")
        torch.onnx.export(
            model,
            kwargs=given,
            f=path,
            dynamo=True,
            input_names=list(given),
        )
        session = _start_session(path, state["provider"])
    used = {node.name for node in session.get_inputs()}  # the export drops what changes nothing

    def call(given):
        return session.run(None, {name: array for name, array in given.items() if name in used})

    return call


def _start_session(model, name):
    """Raise NotApplicableError where onnxruntime would fall back to the CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    settings = {"use_tf32": "0"} if name == "CUDAExecutionProvider" else {}
    session = onnxruntime.InferenceSession(model, options, [(name, settings)])
    if name not in session.get_providers():
        raise NotApplicableError("onnxruntime cannot use the GPU: it would run on the CPU")
    return session


@op
def peak():
    return peak_reply()


graph_ops(VARIANTS, export, dict, np.asarray)
