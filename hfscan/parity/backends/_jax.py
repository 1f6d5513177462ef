# mypy: ignore-errors
"""Share what the backends on JAX need: the device, its precision and memory, and timing."""

import contextlib

import jax
import numpy as np
from _math import library, offer_probe
from _protocol import hello_reply, op, peak_reply, timed_variant

state = {}  # what is open: `device`, and what the backend adds


def jax_hello_reply(threads, **modules):
    """Return the reply to `hello`, and disable TF32."""
    jax.config.update("jax_default_matmul_precision", "highest")
    device = jax.devices()[0]
    gpu = device.device_kind if device.platform == "gpu" else None
    return hello_reply(threads, gpu, [library("Eigen")], jax=jax, **modules)


@offer_probe
def make_product(side):
    square = jax.device_put(np.ones((side, side), np.float32), jax.devices("cpu")[0])

    def multiply():
        (square @ square).block_until_ready()

    return multiply


def select_device(device):
    """Run everything that follows on "cpu" or "cuda"."""
    state["device"] = jax.devices("cpu" if device == "cpu" else "gpu")[0]
    stats = state["device"].memory_stats() or {}
    state["earlier_peak"] = stats.get("peak_bytes_in_use", 0)


@contextlib.contextmanager
def on_device(tf32=False):
    precision = jax.default_matmul_precision("tensorfloat32" if tf32 else "highest")
    with jax.default_device(state["device"]), precision:
        yield


def numpy(array):
    array = np.asarray(array)
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def timed_call(variant, call, *arguments):
    """Time a call that returns one array, compiled once if the variant is "jit"."""

    def build():
        return jax.jit(call) if variant == "jit" else call

    def finish(array):
        array.block_until_ready()

    with on_device():
        return timed_variant(state.setdefault("calls", {}), variant, build, arguments, finish)


@op
def peak():
    stats = state["device"].memory_stats() if "device" in state else None
    highest = stats["peak_bytes_in_use"] if stats else 0
    # JAX cannot reset it: unknown unless this model raised it
    return peak_reply(highest if highest > state.get("earlier_peak", 0) else None)
