# mypy: ignore-errors
"""The Keras backend on JAX: KerasHub's models, filled from transformers' files."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import jax
from _jax import jax_hello_reply, numpy, on_device, select_device, state, timed_call
from _keras import VERSIONS, keras_ops, name_inputs
from _protocol import load_arrays, op, reset_peak

OPENS = {"pytorch/safetensors": ["direct"]}
NEEDS = {}
READS = []
VARIANTS = ["eager", "jit"]
TRAINS = []


@op
def hello(threads):
    return jax_hello_reply(threads, **VERSIONS)


def forget_model(device):
    state.clear()
    reset_peak()
    select_device(device)


keras_ops(state, forget_model, on_device, numpy, jax.block_until_ready)


@op
def time_(inputs, variant, train):
    model = state["model"]
    weights = [
        [variable.value for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    ]

    def call(weights, given):
        return jax.tree.leaves(model.stateless_call(*weights, given)[0])[0]

    return timed_call(variant, call, weights, name_inputs(model, load_arrays(inputs)))
