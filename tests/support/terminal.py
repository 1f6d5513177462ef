"""Run hfscan on a pseudo-terminal."""

import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import fork_client
import pytest
from processes import can_fork, start_fork_server

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*(3[0-7]|9[0-7])m")


def run_on_terminal(
    folder: Path,
    *arguments: object,
    columns: int = 80,
    answer: str | None = None,
    **variables: str,
) -> tuple[int, str, str]:
    """Run hfscan with stdout and stderr on two terminals; return exit code and what each got.

    `answer`: what is typed; None: stdin is no terminal.
    """
    pty, fcntl, struct, termios = map(pytest.importorskip, ("pty", "fcntl", "struct", "termios"))
    ends = [pty.openpty() for _ in range(2)]
    for _, slave in ends:
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "CI")}
    environment |= {"TERM": "xterm-256color", "HF_HOME": str(folder / "hf"), "PYTHONUTF8": "1"}
    keyboard, stdin = pty.openpty()
    if answer is not None:
        os.write(keyboard, f"{answer}\n".encode())
    command = [sys.executable, "-m", "hfscan"]
    if can_fork(variables):
        command = [sys.executable, "-IS", fork_client.__file__, str(start_fork_server())]
    process = subprocess.Popen(
        [*command, *map(str, arguments)],
        cwd=folder,
        env=environment | variables,
        stdin=subprocess.DEVNULL if answer is None else stdin,
        stdout=ends[0][1],
        stderr=ends[1][1],
    )
    outputs = {master: b"" for master, _ in ends}
    for slave in (stdin, *(slave for _, slave in ends)):
        os.close(slave)
    open_ends = set(outputs)
    deadline = time.monotonic() + 300
    while open_ends and time.monotonic() < deadline:
        for master in select.select(list(open_ends), [], [], 1)[0]:
            try:
                data = os.read(master, 65_536)
            except OSError:  # Linux: the other end is closed
                data = b""
            outputs[master] += data
            if not data:
                open_ends.discard(master)
    for master in (keyboard, *outputs):
        os.close(master)
    out, err = (text.decode().replace("\r\n", "\n") for text in outputs.values())
    return process.wait(timeout=10), out, err


def strip_styles(text: str) -> str:
    """Return the text without the terminal's control sequences."""
    return _CONTROL.sub("", text)
