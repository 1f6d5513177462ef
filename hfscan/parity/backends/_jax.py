# mypy: ignore-errors
"""What the backends on JAX share: the device, its precision and memory, and timing."""

import contextlib
import os

import jax
import numpy as np
from _protocol import about, op, peak_rss_mb, timed

# memory is taken as it is needed, as the other backends do; JAX reads this when it first computes
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
state = {}
"""What is open: `device`, and what the backend puts in."""


def about_jax(threads, **modules):
    """Return what `hello` answers; TF32 is off from here on."""
    jax.config.update("jax_default_matmul_precision", "highest")
    device = jax.devices()[0]
    gpu = device.device_kind if device.platform == "gpu" else None
    return about(threads, gpu, jax=jax, **modules)


def choose(device):
    """Let all that follows run on "cpu" or "cuda"."""
    state["device"] = jax.devices("cpu" if device == "cpu" else "gpu")[0]


@contextlib.contextmanager
def on_device(tf32=False):
    precision = jax.default_matmul_precision("tensorfloat32" if tf32 else "highest")
    with jax.default_device(state["device"]), precision:
        yield


def numpy(array):
    array = np.asarray(array)
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def timed_call(variant, call, *arguments):
    """Time a call that gives one array, compiled once where the variant is "jit"."""
    calls = state.setdefault("calls", {})
    if variant not in calls:
        calls[variant] = jax.jit(call) if variant == "jit" else call

    def finished():
        calls[variant](*arguments).block_until_ready()

    with on_device():
        return timed(finished)


@op
def peak():
    stats = state["device"].memory_stats() if "device" in state else None
    return {
        "peak_rss_mb": peak_rss_mb(),
        "peak_gpu_mb": stats["peak_bytes_in_use"] / 2**20 if stats else None,
    }
