# mypy: ignore-errors
"""The ONNX backend: models exported by transformers' exporter or `torch.onnx`, run by onnxruntime.

transformers 5 has exporters, which replace what `torch.onnx` does not export in its models.
"""

import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import torch
import transformers
from _graphs import graph_ops, list_outputs, open_float32_model
from _math import library, offer_probe
from _protocol import NotApplicableError, hello_reply, op, peak_reply
from _torch import state
from _transformers import HIDDEN_STATES
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
    session = start_session(model.SerializeToString())
    return lambda: session.run(None, {"a": square, "b": square})


@op
def open_(folder, architecture, origin, format, load_method, dtype, device):
    reply = open_float32_model(folder, architecture, format, dtype)
    state["provider"] = "CUDAExecutionProvider" if device == "cuda" else "CPUExecutionProvider"
    return reply


def export(model, given, variant):
    try:
        graph = export_by_transformers(model.model, given)
    except NotApplicableError:
        raise
    except (
        Exception
    ) as error:  # of any kind: it depends on the model, and earlier releases have none
        cause = f"{type(error).__name__}: {error}".splitlines()[0]
        state["notes"][f"exported by torch.onnx, not by transformers ({cause})"] = None
        return export_by_torch(model, given)
    state["notes"]["exported by transformers"] = None
    return graph


def export_by_transformers(model, given):
    from transformers.exporters import OnnxConfig, OnnxExporter  # noqa: PLC0415 - not in all releases

    inputs = given | HIDDEN_STATES
    exported = OnnxExporter().export(model, inputs, OnnxConfig())
    computed = {name: inputs[name] for name in inputs.keys() - given.keys() - HIDDEN_STATES.keys()}
    exported.to(providers=[make_provider()], session_options=make_options())
    check_provider(next(iter(exported.runners.values())).session)

    def call(given):
        tensors = {name: torch.from_numpy(array) for name, array in given.items()}
        return dict(list_outputs(exported(**tensors, **computed)))  # some lack hidden states

    return call


def export_by_torch(model, given):
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model.onnx")
        names = list(given)
        torch.onnx.export(model, kwargs=given, f=path, dynamo=True, input_names=names)
        session = start_session(path)
    used = {node.name for node in session.get_inputs()}  # the export drops what changes nothing

    def call(given):
        return session.run(None, {name: array for name, array in given.items() if name in used})

    return call


def start_session(model):
    session = onnxruntime.InferenceSession(model, make_options(), [make_provider()])
    check_provider(session)
    return session


def make_options():
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    return options


def make_provider():
    """Return what computes, and its settings: no TF32 on a GPU."""
    name = state.get("provider", "CPUExecutionProvider")
    return name, {"use_tf32": "0"} if name == "CUDAExecutionProvider" else {}


def check_provider(session):
    """Raise NotApplicableError where onnxruntime would fall back to the CPU."""
    if make_provider()[0] not in session.get_providers():
        raise NotApplicableError("onnxruntime cannot use the GPU: it would run on the CPU")


@op
def peak():
    return peak_reply()


graph_ops(VARIANTS, export, dict, np.asarray)
