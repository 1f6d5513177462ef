# mypy: ignore-errors
"""What every backend shares: JSON lines in and out, arrays in .npy files, time and peak memory."""

import contextlib
import json
import math
import os
import sys
import time
import traceback
from pathlib import Path

import numpy as np

OPS = {}


def op(function):
    """Let requests call this function by its name."""
    OPS[function.__name__.rstrip("_")] = function
    return function


def serve(requests, answers):
    """Answer one JSON line for each JSON line of `requests`, until they end.

    A request is {"id": number, "op": name, ...arguments}; an answer {"id": the same, "ok": true,
    ...} or {"id": ..., "ok": false, "kind": exception class, "message": text}.
    """
    for line in requests:
        request = json.loads(line)
        number = request.pop("id")
        try:
            answer = {"ok": True, **(OPS[request.pop("op")](**request) or {})}
        except MemoryError:
            answer = {"ok": False, "kind": "MemoryError", "message": "out of memory"}
        except Exception as error:
            traceback.print_exc()
            answer = {"ok": False, "kind": type(error).__name__, "message": str(error)[:2000]}
        text = json.dumps(finite({"id": number, **answer}), ensure_ascii=False, allow_nan=False)
        answers.write(text.encode("utf-8", "replace") + b"\n")
        answers.flush()


def finite(value):
    """Replace NaN and Inf, which JSON does not have, by null."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def save_arrays(folder, arrays):
    """Write each named array; return {name: path}."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    paths = {}
    for number, (name, array) in enumerate(arrays.items()):
        paths[name] = str(Path(folder) / f"{number}.npy")
        np.save(paths[name], array, allow_pickle=False)
    return paths


def load(paths):
    return {name: np.load(path, allow_pickle=False) for name, path in paths.items()}


def about(threads, device, **modules):
    """Return what `hello` answers. `device`: the GPU's name, or None."""
    versions = {name: module.__version__ for name, module in modules.items()}
    return {
        "versions": {"python": sys.version.split()[0], **versions, "numpy": np.__version__},
        "device": device,
        "threads": threads,
    }


def timed(call):
    """Milliseconds of one call, by the clock and of this process's own work on any thread.

    A training step returns its loss, a number, which is answered too.
    """
    start, work = time.perf_counter(), time.process_time()
    loss = call()
    return {
        "milliseconds": (time.perf_counter() - start) * 1e3,
        "cpu_milliseconds": (time.process_time() - work) * 1e3,
        "loss": loss,
    }


def memory_bytes():
    """Size of this machine's memory; None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def reset_peak():
    """Start a new peak of resident memory where the system allows it (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_rss_mb():
    """Peak resident memory of this process in MB (since `reset_peak`, where that works)."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    if sys.platform == "win32":
        return None
    import resource  # noqa: PLC0415 - not on Windows

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
