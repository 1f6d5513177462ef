"""`--engine ray`: the same verdicts as without, also when an actor is killed."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import pytest
from processes import find_descendants, run_parity

HAS_RAY = importlib.util.find_spec("ray") is not None
OPTIONS = ("--backends", "pytorch", "--no-measure", "--format", "json")
needs_ray = pytest.mark.skipif(not HAS_RAY, reason="needs Ray: pip install ray")


@pytest.fixture
def arguments(folder, fake_backend, tmp_path, monkeypatch):
    """The arguments of a check of six folders, in a backend that takes a while."""
    folders = [tmp_path / f"model-{number}" for number in range(6)]
    for copy in folders:
        shutil.copytree(folder, copy)
    backend = fake_backend("run", "time.sleep(0.5)")
    # paths of Ray's sockets must be short
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as scratch:
        monkeypatch.setenv("RAY_TMPDIR", scratch)
        monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # else Ray writes a token to the home
        yield [*folders, *OPTIONS, "--backend-python", f"pytorch={backend}"]


def summarize(text):
    return [(case["checkpoint"], case["verdict"]) for case in json.loads(text)["cases"]]


@needs_ray
@pytest.mark.slow
def test_killed_actor_loses_nothing(arguments, tmp_path):
    expected = summarize(run_parity(*arguments).stdout)
    assert len(expected) == 6
    results = tmp_path / "results.jsonl"
    options = ["--engine", "ray", "--actors", "2", "--results", str(results)]
    with subprocess.Popen(
        [sys.executable, "-m", "hfscan", "parity", *map(str, arguments), *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        while not results.exists() or not results.read_bytes():
            assert process.poll() is None
            time.sleep(0.05)
        first, _ = find_descendants(process.pid, "ray::Worker")
        os.kill(first, signal.SIGKILL)
        out, errors = process.communicate(timeout=300)
    assert "An actor of Ray ended (ActorDiedError; Ray's logs say why). Another" in errors
    assert summarize(out) == expected
    assert len(results.read_text().splitlines()) == 6


@needs_ray
@pytest.mark.slow
def test_checkpoint_that_ends_every_actor_is_crashed(arguments, fake_backend):
    # the actor is the parent of the backend's process
    fake_backend("run", "os.kill(os.getppid(), 9); time.sleep(9)")
    process = run_parity(arguments[0], *arguments[6:], "--engine", "ray")
    assert process.stdout, process.stderr
    (case,) = json.loads(process.stdout)["cases"]
    assert case["verdict"] == "crashed"
    assert "each of 3 actors of Ray that checked it ended" in case["reason"]


@pytest.mark.skipif(HAS_RAY, reason="Ray is installed")
def test_missing_ray_is_explained(folder):
    process = run_parity(folder, "--engine", "ray")
    assert process.returncode == 2
    assert "--engine ray needs Ray: pip install ray" in process.stderr
