"""Run `hfscan` as a separate process, in the environment that tests/conftest.py sets."""

import atexit
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

from fork_client import name_socket, run_forked

TOKEN = "hf_" + "s" * 34
"""For the tokens of a FakeHub; output must never contain it."""

WITHOUT_REPORTS = """
import hfscan.export.folder, hfscan.sync.local, hfscan.cli
hfscan.export.folder.FIRST_DATED_YEAR = 9999
hfscan.sync.local._report = lambda run: None
hfscan.cli.main()
"""
"""hfscan, but for most reports of `hfscan snapshot`, which take most of its time."""


def make_environment(folder: Path, variables: dict[str, str]) -> dict[str, str]:
    """Return the environment of hfscan in a folder, with these variables in addition."""
    return os.environ | {"HF_HOME": str(folder / "hf"), "PYTHONUTF8": "1"} | variables


def start_hfscan(
    folder: Path, *arguments: object, code: str | None = None, **variables: str
) -> "subprocess.Popen[str]":
    """Start hfscan in a folder, with these environment variables in addition.

    `code`: Python to run instead, which calls `hfscan.cli.main`.
    """
    command = ["-m", "hfscan"] if code is None else ["-c", code]
    return subprocess.Popen(
        [sys.executable, *command, *map(str, arguments)],
        cwd=folder,
        env=make_environment(folder, variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def run_hfscan(folder: Path, *arguments: object, **variables: str) -> tuple[int, str, str]:
    """Run hfscan in a folder; return exit code, stdout and stderr."""
    if can_fork(variables):
        environment = make_environment(folder, variables)
        code, out, err = _run_forked(folder, arguments, environment, timeout=300)
    else:
        process = start_hfscan(folder, *arguments, **variables)
        out, err = process.communicate(timeout=300)
        code = process.returncode
    assert "Traceback" not in err
    assert TOKEN not in out + err
    return code, out, err


def can_fork(variables: Iterable[str]) -> bool:
    """Return whether `fork_server.py` can run a command with these variables."""
    # Python itself reads some as it starts
    return sys.platform == "linux" and not any(name.startswith("PYTHON") for name in variables)


@cache
def start_fork_server() -> int:
    """Return the id of the process that `run_forked` needs, started once."""
    server = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("fork_server.py")],
        env=os.environ | {"PYTHONUTF8": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(server.communicate)  # it ends with its stdin
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"
    return server.pid


def _run_forked(
    folder: Path, arguments: Iterable[object], environment: dict[str, str], timeout: float | None
) -> tuple[int, str, str]:
    """Run hfscan in a folder, within `timeout` seconds; return exit code, stdout and stderr."""
    server = start_fork_server()
    with tempfile.TemporaryDirectory() as scratch, Path(os.devnull).open("rb") as nothing:
        out, err = (Path(scratch) / name for name in ("out", "err"))
        with out.open("wb") as out_file, err.open("wb") as err_file:
            streams = [file.fileno() for file in (nothing, out_file, err_file)]
            command, address = ["hfscan", *map(str, arguments)], name_socket(server)
            try:
                code = run_forked(address, command, str(folder), environment, streams, timeout)
            except TimeoutError:
                start_fork_server.cache_clear()  # it ends with its descendants
                for pid in find_descendants(server, ""):
                    os.kill(pid, signal.SIGKILL)
                raise AssertionError("it takes too long") from None
        return code, out.read_text("utf-8"), err.read_text("utf-8")


def run_parity(*arguments: object, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run `hfscan parity` in this folder, with these environment variables in addition."""
    command, environment = ["parity", *map(str, arguments)], os.environ | variables
    if can_fork(variables):
        result = _run_forked(Path.cwd(), command, environment, timeout=None)
        return subprocess.CompletedProcess(command, *result)
    return subprocess.run(
        [sys.executable, "-m", "hfscan", *command],
        env=environment,
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
