# mypy: ignore-errors
"""Serve requests: JSON lines in and out, arrays in .npy files, time and peak memory.

The operations of a backend, functions marked `@op`; `replies.py` declares what each returns.

- hello(threads): load the framework; return versions, device and threads.
- open(folder, architecture, origin, format, load_method, dtype, device): load a checkpoint.
- run(inputs, into, tf32, double, activation, eager, variant): run the open model once; save its
  outputs.
- generate(inputs, new_tokens, use_cache): continue greedily; for models that generate.
- time(inputs, variant, train): time one call, or one training step where `TRAINS` has any.
- probe(): time products of matrices on the CPU; optional.
- save(into): write the open model in the framework's own format, where `VARIANTS` needs it.
- digest(expected): hash tensors of the open model that its names do not identify; optional.
- peak(): return the peak of memory.
- read(path), take(path, names, into): describe or save tensors of a file, for formats in `READS`.
- tokenize(folder, texts, length): needed by the baseline only; imported from `_transformers`.
"""

import contextlib
import json
import math
import sys
import time
import traceback
from pathlib import Path

import numpy as np
from _tensors import describe

OPS = {}
EXPLAINERS = []


class NotApplicableError(Exception):
    """The framework cannot do this with any checkpoint."""


class UnsupportedTypeError(Exception):
    """No backend computes with tensors of this type."""


def op(function):
    """Make a function callable by requests under its name."""
    OPS[function.__name__.rstrip("_")] = function
    return function


def explain(function):
    """Let a function add to the message of an error: it returns text, or None."""
    EXPLAINERS.append(function)
    return function


def serve(requests, replies):
    """Reply with one JSON line to each JSON line of `requests`, until they end.

    A request is {"id": number, "op": name, ...arguments}; a reply {"id": the same, "ok": true, ...}
    or {"id": ..., "ok": false, "kind": exception class, "message": text}.
    """
    for line in requests:
        request = json.loads(line)
        number = request.pop("id")
        try:
            reply = {"ok": True, **(OPS[request.pop("op")](**request) or {})}
        except MemoryError:
            reply = {"ok": False, "kind": "MemoryError", "message": "out of memory"}
        except Exception as error:
            traceback.print_exc()
            # first, as long messages are cut
            message = "; ".join(filter(None, [*(f(error) for f in EXPLAINERS), str(error)]))[:2000]
            reply = {"ok": False, "kind": type(error).__name__, "message": message}
        text = json.dumps(to_finite({"id": number, **reply}), ensure_ascii=False, allow_nan=False)
        replies.write(text.encode("utf-8", "replace") + b"\n")
        replies.flush()


def to_finite(value):
    """Replace NaN and Inf, which JSON does not have, with null."""
    if isinstance(value, dict):
        return {key: to_finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def save_arrays(folder, arrays):
    """Write each named array; return {name: path}."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    paths = {}
    for number, (name, array) in enumerate(arrays.items()):
        paths[name] = str(Path(folder) / f"{number}.npy")
        np.save(paths[name], array, allow_pickle=False)
    return paths


def load_arrays(paths):
    return {name: np.load(path, allow_pickle=False) for name, path in paths.items()}


def load_int32_arrays(paths):
    """Load arrays, integers as int32: the integer type of JAX and of transformers' TF classes."""
    return {
        name: array.astype(np.int32) if array.dtype.kind == "i" else array
        for name, array in load_arrays(paths).items()
    }


def hello_reply(threads, device, libraries=(), **modules):
    """Return the reply to `hello`.

    `device`: the GPU's name, or None. `libraries`: those that it computes with on the CPU, the one
    that multiplies matrices first (`_math.library`): speed depends on them.
    """
    versions = {name: module.__version__ for name, module in modules.items()}
    return {
        "versions": {"python": sys.version.split()[0], **versions, "numpy": np.__version__},
        "device": device,
        "threads": threads,
        "libraries": list(libraries),
    }


def tensor_ops(list_tensors):
    """Offer a generator of (name in the file, PyTorch's name, array) as `read` and `take`."""

    @op
    def read(path):
        return {"tensors": [describe(*tensor) for tensor in list_tensors(path)]}

    @op
    def take(path, names, into):
        tensors = {name: array for _, name, array in list_tensors(path) if name in names}
        return {"arrays": save_arrays(into, tensors)}

    return list_tensors


def timed(call):
    """Return the milliseconds of a call, wall and CPU (of all threads), and its loss if any."""
    start, work = time.perf_counter(), time.process_time()
    loss = call()
    return {
        "milliseconds": (time.perf_counter() - start) * 1e3,
        "cpu_milliseconds": (time.process_time() - work) * 1e3,
        "loss": loss,
    }


def timed_variant(calls, key, build, arguments, finish):
    """Time a call of what `build` returns (cached in `calls`); `finish` waits, returns the loss."""
    if key not in calls:
        calls[key] = build()
    return timed(lambda: finish(calls[key](*arguments)))


def reset_peak():
    """Reset the peak of resident memory where the system allows it (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_reply(gpu_bytes=None):
    """Return the peak of resident memory, and of GPU memory if known, in MB (2**20 bytes)."""
    gpu_mb = None if gpu_bytes is None else gpu_bytes / 2**20
    return {"peak_rss_mb": peak_rss_mb(), "peak_gpu_mb": gpu_mb}


def peak_rss_mb():
    """Return the peak resident memory of this process (since `reset_peak`, where that works)."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415 - not on Windows

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
