"""Run a backend in a process, with the standard library only.

For checkpoints of PyTorch made on this machine: unlike `process`, it trusts what the backend
replies, and limits only its time.
"""

import itertools
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from hfscan.parity.backend_files import BACKENDS, ENVIRONMENT, backend_file, enable_frameworks
from hfscan.parity.result import to_line

_TIMEOUT = 120.0  # seconds for one request

Row = dict[str, Any]


class BackendFaultError(Exception):
    """A backend could not do what was requested; the message says why."""

    def __init__(self, message: str, kind: str = "") -> None:
        super().__init__(message)
        self.kind = kind


class PlainProcess:
    """A backend's process, started by the first call; see `backends/_protocol.py`."""

    def __init__(self, name: str, threads: int, log: Path, *, sees_gpu: bool) -> None:
        self.name, self._threads, self._log, self._sees_gpu = name, threads, log, sees_gpu
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count()
        self.info: Row = {}

    def call(self, op: str, **arguments: Any) -> Row:
        """Return the reply to `op`. Raises BackendFaultError."""
        self.start()
        return self._request(op, **arguments)

    def start(self) -> Row:
        """Start the process if it is not running; return what it is. Raises BackendFaultError."""
        if self._process is None:
            self._spawn()
            self.info = self._request("hello", threads=self._threads)
        return self.info

    def _spawn(self) -> None:
        # every checkpoint is one of PyTorch
        variables = ENVIRONMENT | enable_frameworks({self.name, "pytorch"})
        variables |= {} if self._sees_gpu else {"CUDA_VISIBLE_DEVICES": ""}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, str(BACKENDS / "_run.py"), backend_file(self.name).stem],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=os.environ | variables,
            )

    def _request(self, op: str, **arguments: Any) -> Row:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        request = {"id": next(self._numbers), "op": op, **arguments}
        watchdog = threading.Timer(_TIMEOUT, process.kill)
        watchdog.start()
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = b""
        finally:
            watchdog.cancel()
        if not line:
            self.close()
            raise BackendFaultError(f"{op} ended its process, or took over {_TIMEOUT:g} s")
        reply: Row = json.loads(line)
        if not reply["ok"]:
            if op == "hello":
                self.close()
            raise BackendFaultError(to_line(f"{reply['kind']}: {reply['message']}"), reply["kind"])
        return reply

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
