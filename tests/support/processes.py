"""Run `hfscan` as a separate process, in the environment that tests/conftest.py sets."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

TOKEN = "hf_" + "s" * 34
"""For the tokens of a FakeHub; output must never contain it."""


def start_hfscan(folder: Path, *arguments: object, **variables: str) -> "subprocess.Popen[str]":
    """Start hfscan in a folder, with these environment variables in addition."""
    return subprocess.Popen(
        [sys.executable, "-m", "hfscan", *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"HF_HOME": str(folder / "hf"), "PYTHONUTF8": "1"} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def run_hfscan(folder: Path, *arguments: object, **variables: str) -> tuple[int, str, str]:
    """Run hfscan in a folder; return exit code, stdout and stderr."""
    process = start_hfscan(folder, *arguments, **variables)
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in err
    assert TOKEN not in out + err
    return process.returncode, out, err


def run_parity(*arguments: object, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run `hfscan parity` in this folder, with these environment variables in addition."""
    return subprocess.run(
        [sys.executable, "-m", "hfscan", "parity", *map(str, arguments)],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def find_descendants(ancestor: int, command: str) -> list[int]:
    """Return the ids of the processes below `ancestor` whose command line begins so (Linux)."""
    parents, commands = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            pid, stat = int(folder.name), (folder / "stat").read_text()
            parents[pid] = int(stat.rpartition(")")[2].split()[1])
            commands[pid] = (folder / "cmdline").read_bytes().decode(errors="replace")

    def descends(pid: int) -> bool:
        return pid == ancestor or (pid in parents and descends(parents[pid]))

    return [pid for pid, line in commands.items() if line.startswith(command) and descends(pid)]
