# mypy: ignore-errors
"""The Flax backend: transformers' Flax classes, on JAX.

It wants flax, and a jax that it and transformers know: the extra `jax`.
"""

import time
from pathlib import Path

import flax
import jax
import jax.numpy as jnp
import numpy as np
import transformers
from _jax import about_jax, choose, numpy, on_device, state, timed_call
from _names import from_flax
from _protocol import load, op, reset_peak, save_arrays
from _tensors import canonical, describe
from _transformers import answer_generate, answer_open, answer_run, greedy, named_class
from flax.serialization import msgpack_restore
from flax.traverse_util import flatten_dict
from transformers.modeling_flax_pytorch_utils import load_pytorch_checkpoint_in_flax_state_dict

DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16, "float16": jnp.float16}
OPENS = {
    "flax/msgpack": ["plain"],
    "pytorch/bin": ["plain"],  # from_pt=True
    "pytorch/safetensors": ["plain"],
}
NEEDS = {"pytorch": "pytorch"}
READS = ["msgpack"]
SUFFIXES = {".bin", ".safetensors", ".msgpack"}
VARIANTS = ["eager", "jit"]
TRAINS = []


@op
def hello(threads):
    return about_jax(threads, flax=flax, transformers=transformers)


def _msgpack(path):
    tree = msgpack_restore(Path(path).read_bytes())
    for key, value in flatten_dict(tree, sep="/").items():
        array = numpy(value)
        name, axes = from_flax(key, array.ndim)
        yield key, name, canonical(array, axes)


@op
def read(path):
    """Describe the tensors of one msgpack file (plain arrays; nothing in it is executed)."""
    return {"tensors": [describe(*tensor) for tensor in _msgpack(path)]}


@op
def take(path, names, into):
    found = {name: array for _, name, array in _msgpack(path) if name in names}
    return {"arrays": save_arrays(into, found)}


@op
def open_(folder, architecture, origin, format, route, dtype, device):
    state.clear()
    reset_peak()
    start = time.perf_counter()
    cls, config = named_class("Flax", architecture, folder)
    choose(device)
    with on_device():
        model = cls.from_pretrained(
            folder,
            config=config,
            dtype=DTYPES[dtype],
            from_pt=format == "bin",
            local_files_only=True,
        )
        params = jax.tree.map(lambda leaf: jnp.asarray(leaf, DTYPES[dtype]), model.params)
    state.update(model=model, params=params)
    seconds = time.perf_counter() - start
    held = _held(model, folder, origin)
    info = {
        "missing_keys": [_named(key) for key in model.required_params - held],
        "unexpected_keys": [_named(key) for key in held - model.required_params],
    }
    return answer_open(cls, seconds, info)


def _held(model, folder, origin):
    """Return the parameters that the files hold: Flax's loader only logs what it misses."""
    files = sorted(path for path in Path(folder).iterdir() if path.suffix in SUFFIXES)
    if origin == "flax":
        trees = [flatten_dict(msgpack_restore(path.read_bytes())) for path in files]
        return {key for tree in trees for key in tree}
    shards = len(files) > 1
    found = load_pytorch_checkpoint_in_flax_state_dict(
        model, [str(path) for path in files] if shards else str(files[0]), shards
    )
    return set(flatten_dict(found))


def _named(key):
    return from_flax("/".join(key), 0)[0]


def tensors(inputs):
    """Whole numbers as int32, JAX's own."""
    return {
        name: jnp.asarray(array.astype(np.int32 if array.dtype.kind == "i" else array.dtype))
        for name, array in load(inputs).items()
    }


@op
def save(into):
    state["model"].save_pretrained(into, params=state["params"])


@op
def run(inputs, into, tf32=False):
    start = time.perf_counter()
    with on_device(tf32):
        output = state["model"](
            **tensors(inputs),
            params=state["params"],
            output_hidden_states=True,
            return_dict=True,
            train=False,
        )
    return answer_run(output, numpy, into, time.perf_counter() - start)


@op
def generate(inputs, new_tokens):
    given, model = tensors(inputs), state["model"]
    with on_device():
        output = model.generate(**given, **greedy(model, new_tokens), params=state["params"])
    return answer_generate(model, given, output, numpy)  # Flax gives no scores


@op
def time_(inputs, variant, train):
    def call(params, given):
        return state["model"](**given, params=params, train=False)[0]

    return timed_call(variant, call, state["params"], tensors(inputs))
