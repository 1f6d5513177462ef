"""Fake backends: real processes, used as the interpreter of a backend."""

import json
import struct
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hfscan.parity.checkpoint import open_checkpoint
from hfscan.parity.process import Settings
from hfscan.parity.result import Result
from hfscan.parity.run import ParityRunner

_BACKEND = """#!{python}
import contextlib, json, os, pathlib, socket, sys, time
import numpy as np

LOADING = dict.fromkeys(("missing", "unexpected", "mismatched", "unset"), [])


def make_reply(request):
    op = request["op"]
    if op == "hello":
        return {{"versions": {{"fake": "1"}}, "device": None, "threads": 1}}
    if op == "open":
        return {{"loading": LOADING, "load_seconds": 0.1}}
    if op == "run":
        path = request["into"] + "/0.npy"
        np.save(path, np.ones((4, 3), dtype=np.float32))
        return {{
            "outputs": {{"logits": path}}, "dtypes": {{"logits": "float32"}}, "hidden": {{}},
            "first_call_seconds": 0.1,
        }}
    return {{"peak_rss_mb": 1.0, "peak_gpu_mb": None}}


def send(text):
    sys.stdout.write(text + "\\n")
    sys.stdout.flush()


def answer(request, **reply):
    send(json.dumps({{"id": request["id"], "ok": True, **reply}}))


def act(request):
{action}


for line in sys.stdin:
    request = json.loads(line)
    if request["op"] != {op!r} or act(request) is None:
        answer(request, **make_reply(request))
"""


@pytest.fixture
def fake_backend(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a backend, which runs `action` instead of replying to `op`.

    It replies too if the action returns None.
    """

    def write(op: str = "none", action: str = "return None") -> Path:
        path = tmp_path / "backend.py"
        body = textwrap.indent(textwrap.dedent(action), "    ")
        path.write_text(_BACKEND.format(python=sys.executable, op=op, action=body))
        path.chmod(0o755)
        return path

    return write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a checkpoint of one tensor."""
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    config = {"model_type": "bert", "architectures": ["BertModel"], "vocab_size": 50}
    (folder / "config.json").write_text(json.dumps(config))
    header = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    return folder


@pytest.fixture
def create_runner() -> Iterator[Callable[..., ParityRunner]]:
    """Return a function that creates a runner of a fake backend, with limits of a few seconds."""
    runners = []

    def create(python: Path, **settings: Any) -> ParityRunner:
        defaults: dict[str, Any] = {
            "backends": ("pytorch",),
            "timeout": 3.0,
            "start_timeout": 20.0,
            "measure": False,
        }
        pythons = {"pytorch": str(python)}
        runners.append(ParityRunner(Settings(**defaults | {"pythons": pythons} | settings)))
        return runners[-1]

    yield create
    for create_runner in runners:
        create_runner.__exit__()


@pytest.fixture
def check(create_runner: Callable[..., ParityRunner], folder: Path) -> Callable[..., Result]:
    """Return a function that checks the checkpoint in a fake backend."""

    def run(python: Path, **settings: Any) -> Result:
        (result,) = create_runner(python, **settings).check(open_checkpoint(folder))
        return result

    return run
