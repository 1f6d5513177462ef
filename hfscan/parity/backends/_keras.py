# mypy: ignore-errors
"""Share what the backends need that run KerasHub's models, filled from transformers' files.

KerasHub converts backbones, and causal models whose head is tied. A backend sets KERAS_BACKEND
before it imports this.
"""

import contextlib
import json
import os
import re
import time
from pathlib import Path

os.environ.pop("TF_USE_LEGACY_KERAS", None)  # KerasHub imports TensorFlow if installed

import keras
import keras_hub
import numpy as np
from _protocol import load_arrays, op
from _transformers import end_tokens, open_reply, run_reply
from keras_hub.src.utils.transformers.preset_loader import TransformersPresetLoader
from keras_hub.src.utils.transformers.safetensor_utils import SafetensorLoader
from safetensors import safe_open

INPUTS = {"token_ids": "input_ids", "padding_mask": "attention_mask", "segment_ids": None}
OUTPUTS = {"sequence_output": "last_hidden_state", "pooled_output": "pooler_output"}
VERSIONS = {"keras": keras, "keras_hub": keras_hub}


def find_kind(folder, config, architecture):
    """Return the KerasHub class that this converts to. Raises LookupError."""
    if "registered_name" in config:  # Keras would create any object that it names
        raise ValueError("its config is in Keras' format, not in transformers'")
    try:
        TransformersPresetLoader(folder, config)
    except ValueError as error:
        raise LookupError(str(error)) from error
    if architecture.endswith(("LMHeadModel", "ForCausalLM")):
        return keras_hub.models.CausalLM
    if architecture.endswith("Model"):
        return keras_hub.models.Backbone
    raise LookupError(f"KerasHub does not convert the head of {architecture}")


@contextlib.contextmanager
def record_keys():
    """Record which tensors of the files KerasHub loads: it does not report the others."""
    original, keys = SafetensorLoader.get_prefixed_key, set()

    def record(loader, *arguments):
        key = original(loader, *arguments)
        keys.add(key)
        return key

    SafetensorLoader.get_prefixed_key = record
    try:
        yield keys
    finally:
        SafetensorLoader.get_prefixed_key = original


def list_stored_keys(folder):
    """Return the names of all tensors in the files."""
    keys = set()
    for path in Path(folder).glob("*.safetensors"):
        with safe_open(path, framework="np") as file:
            keys |= set(file.keys())
    return keys


def name_inputs(model, given):
    """Return the inputs as int32, JAX's own integers, under Keras' names."""
    ids = given["input_ids"]
    return {
        name: np.asarray(given.get(INPUTS[name], np.zeros_like(ids)), dtype=np.int32)
        for name in model.input
    }


def hidden_states(backbone, given):
    """Return the embeddings and each layer's output, the last one after the final norm."""
    pattern = re.compile(r"transformer_layer_\d+")
    layers = [layer for layer in backbone.layers if pattern.fullmatch(layer.name)]
    if not layers:
        return []
    first = layers[0].input
    embeddings = first[0] if isinstance(first, list) else first
    last = backbone.output
    last = last["sequence_output"] if isinstance(last, dict) else last
    states = [embeddings, *(layer.output for layer in layers[:-1]), last]
    return keras.Model(backbone.input, states)(given)


class Suppressing(keras_hub.samplers.GreedySampler):
    """Samples greedily, without the tokens that would end a text."""

    def __init__(self, ends):
        super().__init__()
        self.ends = np.array(ends, dtype=int)

    def get_next_token(self, probabilities):
        allowed = ~np.isin(np.arange(probabilities.shape[-1]), self.ends)
        return super().get_next_token(probabilities * keras.ops.cast(allowed, probabilities.dtype))


def keras_ops(state, forget_model, on_device, numpy, wait):
    """Offer `open`, `run` and `generate`; keep what is open in `state`.

    `forget_model(device)` frees the last model and selects the device; `on_device(tf32)` is the
    context of every call; `numpy` reads an output; `wait` returns outputs once they are computed.
    """

    @op
    def open_(folder, architecture, origin, format, load_method, dtype, device):
        forget_model(device)
        start = time.perf_counter()
        config = json.loads(Path(folder, "config.json").read_text(encoding="utf-8"))
        kind = find_kind(folder, config, architecture or "")
        with on_device(), record_keys() as loaded:
            options = {} if kind is keras_hub.models.Backbone else {"preprocessor": None}
            model = kind.from_preset(folder, dtype=dtype, **options)
        if unknown := sorted(set(model.input) - set(INPUTS)):
            raise LookupError(f"KerasHub's {type(model).__name__} needs {', '.join(unknown)}")
        state.update(model=model, backbone=getattr(model, "backbone", model), config=config)
        unused = sorted(list_stored_keys(folder) - loaded)
        return open_reply(time.perf_counter() - start, {"unexpected_keys": unused})

    @op
    def run(inputs, into, tf32=False):
        model, backbone = state["model"], state["backbone"]
        given = name_inputs(model, load_arrays(inputs))
        start = time.perf_counter()
        with on_device(tf32):
            output = wait(model(given))
            seconds = time.perf_counter() - start
            states = hidden_states(backbone, given)
        if not isinstance(output, dict):
            output = {"logits" if model is not backbone else "sequence_output": output}
        named = {OUTPUTS.get(name, name): value for name, value in output.items()}
        return run_reply(named | {"hidden_states": states}, numpy, into, seconds)

    @op
    def generate(inputs, new_tokens):
        prompt, model = load_arrays(inputs)["input_ids"], state["model"]
        first = prompt.shape[1]
        width = ((0, 0), (0, new_tokens))
        padded = {
            "token_ids": np.pad(prompt, width).astype(np.int32),
            "padding_mask": np.pad(np.ones_like(prompt), width).astype(np.int32),
        }
        ends = end_tokens(state["config"].get("eos_token_id"))
        with on_device():
            model.compile(sampler=Suppressing(ends))
            output = model.generate(padded, stop_token_ids=None)
        tokens = keras.ops.convert_to_numpy(output["token_ids"])[0, first:].tolist()
        return {"tokens": tokens, "top2": [], "ends": ends}  # no scores
