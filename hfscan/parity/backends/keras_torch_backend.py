# mypy: ignore-errors
"""The Keras backend on PyTorch: KerasHub's models, filled from transformers' files."""

import contextlib
import os

os.environ["KERAS_BACKEND"] = "torch"

import _torch
import keras
import torch
from _keras import VERSIONS, keras_ops, name_inputs
from _protocol import load_arrays, op, timed
from _torch import numpy, set_tf32, state, wait

OPENS = {"pytorch/safetensors": ["direct"]}
NEEDS = {}
READS = []
VARIANTS = ["eager"]
TRAINS = []


@op
def hello(threads):
    reply = _torch.hello(threads)
    reply["versions"] |= {name: module.__version__ for name, module in VERSIONS.items()}
    return reply


def forget_model(device):
    _torch.forget_model()
    state["device"] = device


@contextlib.contextmanager
def on_device(tf32=False):
    set_tf32(tf32)
    try:
        with keras.device(state["device"]), torch.no_grad():
            yield
    finally:
        set_tf32(False)


def wait_for(output):
    wait()
    return output


keras_ops(state, forget_model, on_device, numpy, wait_for)


@op
def time_(inputs, variant, train):
    model = state["model"]
    given = name_inputs(model, load_arrays(inputs))

    def call():
        model(given)
        wait()

    with on_device():
        return timed(call)
