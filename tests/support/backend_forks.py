"""Run backends in processes forked from those that have imported their frameworks (Linux).

Importing them takes longer than most tests. The environments of `create_environments` have this
file as their interpreter. It passes a backend on to a `backend_server.py`, which the first call
starts, and ends as the fork does. The server has the first call's isolation, and so have its forks.
"""

import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from fork_client import run_forked

_HOME = {"HOME", "USERPROFILE", "HF_HOME", "HF_TOKEN_PATH"}
_READ_LATER = {"PATH", "PWD", "CUDA_VISIBLE_DEVICES", "PYTHONUTF8", "PYTEST_CURRENT_TEST"}
"""Variables that change nothing while frameworks are imported."""
_JAX = ("flax_backend", "keras_jax_backend")  # their platform is fixed as they are imported


def create_environments(source: Path, into: Path) -> None:
    """Create an environment for each of `source`, whose servers end with this process."""
    for record in source.glob("*/hfscan.json"):
        folder = into / record.parent.name
        (folder / "bin").mkdir(parents=True)
        shutil.copyfile(record, folder / record.name)
        (folder / "real").symlink_to(record.parent.absolute(), target_is_directory=True)
        script, real = folder / "bin" / "python", str(folder / "real" / "bin" / "python")
        command = [real, "-ES", __file__, str(os.getpid()), real]
        script.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        script.chmod(0o755)


def find_real_interpreter(python: str) -> str:
    """Return what an environment's interpreter passes other commands to.

    It runs a backend as a process of its own, for tests that kill it or limit its memory.
    """
    real = Path(python).parents[1] / "real" / "bin" / "python"
    return str(real if real.exists() else python)


def main(owner: str, real: str, *command: str) -> None:
    """Run a command in place of the interpreter `real`: a backend in a fork."""
    if not command or Path(command[0]).name != "_run.py":
        os.execv(real, [real, *command])
    own = _HOME | _READ_LATER | ({"JAX_PLATFORMS"} if command[1] not in _JAX else set())
    shared = sorted(item for item in os.environ.items() if item[0] not in own)
    address = hashlib.sha256(json.dumps([command, shared]).encode()).hexdigest()[:16]
    folder = str(Path.cwd())
    os.chdir(Path(real).parents[2])  # as a socket's address must be short
    if not start_server(real, address, owner, *command):
        os.execv(real, [real, *command])  # which says why
    code = run_forked(address, command, folder, os.environ, (0, 1, 2))
    if code < 0:
        with suppress(OSError):  # some cannot be handled anyway
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def start_server(real: str, address: str, *arguments: str) -> bool:
    """Start the server unless it runs; return whether it does."""
    import fcntl  # not on Windows

    with Path(f"{address}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if Path(address).exists():
            return True
        home = str(Path(f"{address}.home").absolute())
        server = subprocess.Popen(
            [real, str(Path(__file__).with_name("backend_server.py")), address, *arguments],
            env=os.environ | dict.fromkeys(_HOME, home),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert server.stdout is not None
        return server.stdout.readline() == b"ready\n"


if __name__ == "__main__":
    main(*sys.argv[1:])
