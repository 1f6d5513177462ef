# mypy: ignore-errors
"""What every lane shares: JSON lines in and out, arrays in .npy files, its own peak memory."""

import contextlib
import json
import os
import sys
import time
import traceback
from pathlib import Path

import numpy as np


def serve(handlers):
    """Answer one JSON line for each JSON line, until stdin ends.

    A request is {"op": name, ...arguments}; an answer {"ok": true, ...} or {"ok": false,
    "kind": exception class, "message": text}. Whatever libraries print goes to stderr, and what
    they would ask on stdin finds it empty.
    """
    requests = os.fdopen(os.dup(0), "r", encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    for line in requests:
        request = json.loads(line)
        try:
            answer = {"ok": True, **(handlers[request.pop("op")](**request) or {})}
        except MemoryError:
            answer = {"ok": False, "kind": "MemoryError", "message": "out of memory"}
        except Exception as error:
            traceback.print_exc()
            answer = {"ok": False, "kind": type(error).__name__, "message": str(error)[:2000]}
        answers.write(json.dumps(answer) + "\n")


def save(folder, arrays):
    """Write each named array; return {name: path}."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    paths = {}
    for number, (name, array) in enumerate(arrays.items()):
        paths[name] = str(Path(folder) / f"{number}.npy")
        np.save(paths[name], array, allow_pickle=False)
    return paths


def load(paths):
    return {name: np.load(path, allow_pickle=False) for name, path in paths.items()}


def named_outputs(output, to_numpy):
    """Split a transformers output into {name: array}, {name: dtype}, {name: [array per layer]}."""
    flat, dtypes, layers = {}, {}, {}
    for name, value in output.items():
        if name.endswith("hidden_states"):
            layers[name] = [to_numpy(layer) for layer in value]
        elif hasattr(value, "shape"):
            flat[name] = to_numpy(value)
            dtypes[name] = str(getattr(value.dtype, "name", value.dtype)).removeprefix("torch.")
    return flat, dtypes, layers


def answer_run(output, to_numpy, into, seconds):
    flat, dtypes, layers = named_outputs(output, to_numpy)
    return {
        "outputs": save(f"{into}/outputs", flat),
        "dtypes": dtypes,
        "hidden": {
            name: list(save(f"{into}/{name}", dict(enumerate(values))).values())
            for name, values in layers.items()
        },
        "first_call_seconds": seconds,
    }


def end_tokens(config):
    """Return the tokens that would end a text: suppressed, so that all lanes go on equally long."""
    ends = config.eos_token_id
    return ends if isinstance(ends, list) else [] if ends is None else [ends]


def pad(model):
    """Let models that have no padding generate without a warning; one row needs none."""
    if model.generation_config.pad_token_id is None:
        model.generation_config.pad_token_id = 0


def answer_generate(output, prompt_length, to_numpy, encoder_decoder):
    """Tokens of the first row after the prompt, and at each step the two best scores."""
    tokens = to_numpy(output.sequences)[0].tolist()
    steps = []
    for scores in output.scores:
        row = to_numpy(scores)[0].astype(np.float64)
        best = np.argsort(row)[-2:][::-1]
        steps.append([float(row[best[0]]), float(row[best[1]])])
    return {"tokens": tokens[1 if encoder_decoder else prompt_length :], "top2": steps}


def timed(call):
    """Milliseconds of one call."""
    start = time.perf_counter()
    call()
    return {"milliseconds": (time.perf_counter() - start) * 1e3}


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
