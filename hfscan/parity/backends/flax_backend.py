# mypy: ignore-errors
"""The Flax backend: transformers' Flax classes, on a JAX that these support."""

import time
from pathlib import Path

import flax
import jax
import jax.numpy as jnp
import transformers
from _configs import unread_keys
from _jax import jax_hello_reply, numpy, on_device, select_device, state, timed_call
from _protocol import load_int32_arrays, op, reset_peak, tensor_ops
from _tensors import convert_flax_name, orient
from _transformers import find_class, generate_greedily, open_reply, run_model
from flax.serialization import msgpack_restore
from flax.traverse_util import flatten_dict
from transformers.modeling_flax_pytorch_utils import load_pytorch_checkpoint_in_flax_state_dict

DTYPES = {"float32": jnp.float32, "bfloat16": jnp.bfloat16, "float16": jnp.float16}
OPENS = {
    "flax/msgpack": ["direct"],
    "pytorch/bin": ["direct"],  # from_pt=True
    "pytorch/safetensors": ["direct"],
}
NEEDS = {"pytorch": "pytorch"}
READS = ["msgpack"]
SUFFIXES = {".bin", ".safetensors", ".msgpack"}
VARIANTS = ["eager", "jit"]
TRAINS = []


@op
def hello(threads):
    return jax_hello_reply(threads, flax=flax, transformers=transformers)


@tensor_ops
def msgpack_tensors(path):
    """List the tensors of one msgpack file (plain arrays; nothing in it is executed)."""
    tree = msgpack_restore(Path(path).read_bytes())
    for key, value in flatten_dict(tree, sep="/").items():
        array = numpy(value)
        name, axes = convert_flax_name(key, array.ndim)
        yield key, name, orient(array, axes)


@op
def open_(folder, architecture, origin, format, load_method, dtype, device):
    state.clear()
    reset_peak()
    start = time.perf_counter()
    cls, config = find_class("Flax", architecture, folder)
    select_device(device)
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
    stored = _stored_parameters(model, folder, origin)
    info = {
        "missing_keys": [_pytorch_name(key) for key in model.required_params - stored],
        "unexpected_keys": [_pytorch_name(key) for key in stored - model.required_params],
    }
    unread = unread_keys(folder, cls, config)
    tensors = [[_pytorch_name(key)] for key in model.required_params]
    return open_reply(seconds, info, unread=unread, tensors=tensors)


def _stored_parameters(model, folder, origin):
    """Return the parameters in the files: Flax's loader only logs the ones it misses."""
    files = sorted(path for path in Path(folder).iterdir() if path.suffix in SUFFIXES)
    if origin == "flax":
        trees = [flatten_dict(msgpack_restore(path.read_bytes())) for path in files]
        return {key for tree in trees for key in tree}
    is_sharded = len(files) > 1
    loaded = load_pytorch_checkpoint_in_flax_state_dict(
        model, [str(path) for path in files] if is_sharded else str(files[0]), is_sharded
    )
    return set(flatten_dict(loaded))


def _pytorch_name(key):
    return convert_flax_name("/".join(key), 0)[0]


def tensors(inputs):
    return {name: jnp.asarray(array) for name, array in load_int32_arrays(inputs).items()}


@op
def save(into):
    state["model"].save_pretrained(into, params=state["params"])


@op
def run(inputs, into, tf32=False):
    given = tensors(inputs) | {"params": state["params"]}  # by default, no class trains
    with on_device(tf32):
        return run_model(state["model"], given, numpy, into)


@op
def generate(inputs, new_tokens):
    options = {"scored": False, "params": state["params"]}  # Flax returns no scores
    with on_device():
        return generate_greedily(state["model"], tensors(inputs), new_tokens, numpy, **options)


@op
def time_(inputs, variant, train):
    def call(params, given):
        return state["model"](**given, params=params)[0]

    return timed_call(variant, call, state["params"], tensors(inputs))
