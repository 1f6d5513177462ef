# mypy: ignore-errors
"""The Keras backend: KerasHub's models on JAX, filled from transformers' files.

It wants keras-hub and jax: the extra `jax`. KerasHub brings along backbones, and causal models
whose head is tied.
"""

import json
import os
import re
import time
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ.pop("TF_USE_LEGACY_KERAS", None)  # KerasHub imports TensorFlow, where it is there

import jax
import keras
import keras_hub
import numpy as np
from _jax import about_jax, choose, numpy, on_device, state, timed_call
from _protocol import load, op, reset_peak
from _transformers import answer_open, answer_run, end_tokens
from keras_hub.src.utils.transformers.preset_loader import TransformersPresetLoader
from keras_hub.src.utils.transformers.safetensor_utils import SafetensorLoader
from safetensors import safe_open

OPENS = {"pytorch/safetensors": ["plain"]}
NEEDS = {}
READS = []
VARIANTS = ["eager", "jit"]
TRAINS = []
TAKES = {"token_ids": "input_ids", "padding_mask": "attention_mask", "segment_ids": None}
GIVES = {"sequence_output": "last_hidden_state", "pooled_output": "pooler_output"}


@op
def hello(threads):
    return about_jax(threads, keras=keras, keras_hub=keras_hub)


@op
def open_(folder, architecture, origin, format, route, dtype, device):
    state.clear()
    reset_peak()
    start = time.perf_counter()
    config = json.loads(Path(folder, "config.json").read_text(encoding="utf-8"))
    kind = converted(folder, config, architecture or "")
    choose(device)
    with on_device(), read_keys() as read:
        options = {} if kind is keras_hub.models.Backbone else {"preprocessor": None}
        model = kind.from_preset(folder, dtype=dtype, **options)
    if strange := sorted(set(model.input) - set(TAKES)):
        raise LookupError(f"KerasHub's {type(model).__name__} wants {', '.join(strange)}")
    state.update(model=model, backbone=getattr(model, "backbone", model), config=config)
    left = sorted(held(folder) - read)
    return answer_open(type(model), time.perf_counter() - start, {"unexpected_keys": left})


def converted(folder, config, architecture):
    """Return the kind of model that KerasHub makes of this. Raises LookupError."""
    if "registered_name" in config:  # Keras would make whatever objects it names
        raise ValueError("its config is one of Keras, not of transformers")
    try:
        TransformersPresetLoader(folder, config)
    except ValueError as error:
        raise LookupError(str(error)) from error
    if architecture.endswith(("LMHeadModel", "ForCausalLM")):
        return keras_hub.models.CausalLM
    if architecture.endswith("Model"):
        return keras_hub.models.Backbone
    raise LookupError(f"KerasHub leaves the head of {architecture} behind")


class read_keys:  # noqa: N801 - used like a function
    """Notes which tensors of the files KerasHub asks for: it says nothing of the others."""

    def __enter__(self):
        self.kept, keys = SafetensorLoader.get_prefixed_key, set()

        def noted(loader, *arguments):
            key = self.kept(loader, *arguments)
            keys.add(key)
            return key

        SafetensorLoader.get_prefixed_key = noted
        return keys

    def __exit__(self, *_):
        SafetensorLoader.get_prefixed_key = self.kept


def held(folder):
    """Return the names of all tensors in the files."""
    keys = set()
    for path in Path(folder).glob("*.safetensors"):
        with safe_open(path, framework="np") as file:
            keys |= set(file.keys())
    return keys


def tensors(given):
    """Give whole numbers as int32, JAX's own, by Keras' names."""
    ids = given["input_ids"]
    return {
        name: np.asarray(given.get(TAKES[name], np.zeros_like(ids)), dtype=np.int32)
        for name in state["model"].input
    }


def hidden_states(given):
    """Return the embeddings and what each layer gives, the last one after the closing norm."""
    backbone = state["backbone"]
    layers = [one for one in backbone.layers if re.fullmatch(r"transformer_layer_\d+", one.name)]
    if not layers:
        return []
    first = layers[0].input
    inner = [first[0] if isinstance(first, list) else first, *(one.output for one in layers[:-1])]
    last = backbone.output
    last = last["sequence_output"] if isinstance(last, dict) else last
    return keras.Model(backbone.input, [*inner, last])(given)


@op
def run(inputs, into, tf32=False):
    given = tensors(load(inputs))
    start = time.perf_counter()
    with on_device(tf32):
        output = state["model"](given)
        seconds = time.perf_counter() - start
        states = hidden_states(given)
    if not isinstance(output, dict):
        causal = state["model"] is not state["backbone"]
        output = {"logits" if causal else "sequence_output": output}
    told = {GIVES.get(name, name): value for name, value in output.items()}
    return answer_run(told | {"hidden_states": states}, numpy, into, seconds)


class Suppressing(keras_hub.samplers.GreedySampler):
    """Greedy, but for the tokens that would end a text."""

    def get_next_token(self, probabilities):
        ends = np.array(end_tokens(state["config"].get("eos_token_id")), dtype=int)
        allowed = ~np.isin(np.arange(probabilities.shape[-1]), ends)
        return super().get_next_token(probabilities * allowed)


@op
def generate(inputs, new_tokens):
    prompt, model = load(inputs)["input_ids"], state["model"]
    first = prompt.shape[1]
    grown = {
        "token_ids": np.pad(prompt, ((0, 0), (0, new_tokens))).astype(np.int32),
        "padding_mask": np.pad(np.ones_like(prompt), ((0, 0), (0, new_tokens))).astype(np.int32),
    }
    with on_device():
        model.compile(sampler=Suppressing())
        output = model.generate(grown, stop_token_ids=None)
    return {"tokens": np.asarray(output["token_ids"])[0, first:].tolist(), "top2": []}  # no scores


@op
def time_(inputs, variant, train):
    model = state["model"]
    weights = [
        [one.value for one in some]
        for some in (model.trainable_variables, model.non_trainable_variables)
    ]

    def call(weights, given):
        return jax.tree.leaves(model.stateless_call(*weights, given)[0])[0]

    return timed_call(variant, call, weights, tensors(load(inputs)))
