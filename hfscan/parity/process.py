"""Manage a backend subprocess: start it, exchange JSON lines, end it on timeout or memory limit."""

import contextlib
import errno
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hfscan.parity import confinement
from hfscan.parity.backend_files import BACKENDS, ENVIRONMENT, backend_file, enable_frameworks
from hfscan.parity.environments import choose_interpreter
from hfscan.parity.pipes import ReplyReader, StderrTail, send
from hfscan.parity.replies import (
    BackendDiedError,
    BackendError,
    ProtocolError,
    backend_failed,
    decode,
)
from hfscan.parity.result import Verdict

_POLL_SECONDS = 0.05  # between two looks at a backend's memory
_NOTICE_SECONDS = 15.0  # of waiting before the first notice; then twice as long
_UNUSABLE_GPU = "AcceleratorError"  # PyTorch's: every later call of the process would fail, too
_END_TIMEOUT = 5.0  # seconds for a process to end that closed its output, or was killed
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")  # the last is JAX's


@dataclass(frozen=True)
class Settings:
    """How to run. Times are seconds.

    `required`: backends where a missing class is a failure. `pythons`: backend -> interpreter;
    `timeout`: limit for one request to a backend; `start_timeout`: for its start. `measure` times
    each backend's default variant in `rounds` rounds; `variants` times all of them, `train`
    training steps as well.
    """

    backends: tuple[str, ...] = ("pytorch", "tensorflow")
    device: str = "cpu"
    dtype: str = "float32"
    required: frozenset[str] = frozenset()
    pythons: Mapping[str, str] = field(default_factory=dict)
    threads: int = 1
    timeout: float = 300.0
    start_timeout: float = 300.0  # importing a framework on a busy machine
    memory_mb: float | None = None
    measure: bool = True
    rounds: int = 5
    variants: bool = False
    train: bool = False


class BackendProcess:
    """One backend in a subprocess: started by the first call, restarted after it died.

    `also_imports` names backends whose frameworks it may import as well. Its resident memory is
    polled every 50 ms (Linux). `notify` receives a message while a reply takes long. A backend that
    failed to start is not started again. The holder of `lock` has it, and its open model, alone.
    `name` differs from the backend's if other frameworks require another interpreter.
    """

    def __init__(
        self,
        backend: str,
        settings: Settings,
        also_imports: frozenset[str] = frozenset(),
        notify: Callable[[str], None] | None = None,
        notice_seconds: float = _NOTICE_SECONDS,
    ) -> None:
        self.backend, self.settings, self.also_imports = backend, settings, also_imports
        self.interpreter = choose_interpreter(backend, also_imports, settings.pythons)
        own = choose_interpreter(backend, frozenset(), settings.pythons)
        is_elsewhere = self.interpreter.path != own.path
        self.name = "-with-".join([backend, *sorted(also_imports)]) if is_elsewhere else backend
        self.info: dict[str, Any] = {}  # versions, device, threads, environment, isolated_from
        self.lock = threading.RLock()
        self._notify, self._notice_seconds = notify or (lambda _: None), notice_seconds
        self._process: _Process | None = None
        self._start_error: BackendError | None = None

    def call(self, op: str, **arguments: Any) -> dict[str, Any]:
        """Return the reply to `op`. Raises BackendError, BackendDiedError if the process ended."""
        with self.lock:
            self.start()
            try:
                return self._request(op, self.settings.timeout, arguments)
            except BackendError as error:
                if error.kind == _UNUSABLE_GPU:
                    self.close()
                raise

    def start(self) -> None:
        """Start the backend if it is not running, and set `info`. Raises BackendError."""
        with self.lock:
            self.spawn()
            if self.info or self._process is None:
                return
            threads = {"threads": self.settings.threads}
            try:
                info = self._request("hello", self.settings.start_timeout, threads)
            except BackendError as error:
                self.close()
                self._start_error = error
                raise
            self.info = {
                **info,
                "environment": self.interpreter.environment,
                "isolated_from": confinement.inspect_isolation(self._process.pid),
            }

    def spawn(self) -> None:
        """Start the process if it is not running, without waiting until it is ready."""
        if self._start_error is not None:
            raise self._start_error
        if self._process is None:
            self.info = {}
            module = backend_file(self.backend).stem
            try:
                self._process = _Process(self.interpreter.path, module, self._environment)
            except OSError as error:
                self._start_error = self._not_installed(error.strerror or str(error))
                raise self._start_error from error

    @property
    def pid(self) -> int | None:
        """The process id, while a process is running."""
        return self._process.pid if self._process else None

    def close(self) -> None:
        """End the process; a later call starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.close()

    def _environment(self, home: Path) -> dict[str, str]:
        switches = enable_frameworks({self.backend, *self.also_imports})
        threads = dict.fromkeys(_THREADS, str(self.settings.threads))
        variables = ENVIRONMENT | switches | threads | _select_gpu(self.settings.device)
        return confinement.environment(os.environ, home) | variables

    def _request(self, op: str, timeout: float, arguments: dict[str, Any]) -> dict[str, Any]:
        process = self._process
        assert process is not None
        number = process.send(op, arguments)
        try:
            line = self._wait_for_line(process, op, timeout)
            if line is None:
                raise self._end_of_output(process)
            return decode(line, op, number)
        except ProtocolError as error:
            self.close()
            raise backend_failed(str(error)) from error
        except BackendError as error:
            if error.kind == Verdict.NOT_INSTALLED and not isinstance(error, BackendDiedError):
                self.close()
                raise self._not_installed(error.message) from error
            raise

    def _wait_for_line(self, process: "_Process", op: str, timeout: float) -> bytes | None:
        start = time.monotonic()
        notice, memory_mb = self._notice_seconds, self.settings.memory_mb
        while True:
            with contextlib.suppress(queue.Empty):
                return process.replies.get(_POLL_SECONDS)
            waited = time.monotonic() - start
            if waited > timeout:
                self.close()
                raise BackendDiedError(
                    Verdict.TIMED_OUT, f"no reply to {op!r} within {timeout:g} s"
                )
            if waited > notice:
                self._notify(
                    f"Waiting for {self.backend}: {op!r} has taken {waited:,.0f} s (limit: "
                    f"{timeout:,g} s)"
                )
                notice *= 2
            if memory_mb and _resident_mb(process.pid) > memory_mb:
                self.close()
                raise BackendDiedError(
                    Verdict.OUT_OF_MEMORY, f"it exceeded the limit of {memory_mb:,.0f} MB"
                )

    def _end_of_output(self, process: "_Process") -> BackendDiedError:
        """End a process whose output is closed, and return the error to raise."""
        code = process.wait()
        self.close()
        last_line = process.errors.last_line()
        if code == confinement.CANNOT_RUN:
            return self._not_installed(last_line)
        if code is None:
            return backend_failed(f"it closed its output without a reply; {last_line}")
        ending = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        return BackendDiedError(Verdict.CRASHED, f"{ending}; {last_line}")

    def _not_installed(self, reason: str) -> BackendDiedError:
        return BackendDiedError(
            Verdict.NOT_INSTALLED,
            f"{self.backend} cannot be used with {self.interpreter.path} ({reason}): "
            f"{self.interpreter.advice}, or name another interpreter with --backend-python "
            f"{self.backend}=PYTHON",
        )


class _Process:
    """A running backend with its pipes and its own empty home folder."""

    def __init__(
        self, python: str, module: str, environment: Callable[[Path], dict[str, str]]
    ) -> None:
        """Start it. Raises OSError."""
        interpreter = shutil.which(python)
        if interpreter is None:
            raise FileNotFoundError(errno.ENOENT, "no such interpreter")
        self._folder = Path(tempfile.mkdtemp(prefix="hfscan-backend-"))
        home, empty = self._folder / "home", self._folder / "empty"
        home.mkdir()
        empty.mkdir()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the user's own interpreter
                confinement.command(interpreter, [str(BACKENDS / "_run.py"), module], empty),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=environment(home),
                start_new_session=True,
            )
        except OSError:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self.pid = self._process.pid
        self.replies = ReplyReader(self._process.stdout)
        self.errors = StderrTail(self._process.stderr)
        self._requests = 0

    def send(self, op: str, arguments: dict[str, Any]) -> int:
        """Send a request and return its number."""
        assert self._process.stdin is not None
        self._requests += 1
        request = {"id": self._requests, "op": op, **arguments}
        self.replies.expect()
        send(self._process.stdin, (json.dumps(request) + "\n").encode())
        return self._requests

    def wait(self) -> int | None:
        """Return the exit code, or None if it does not end by itself within 5 seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(_END_TIMEOUT)
        return None

    def close(self) -> None:
        """Kill it and the processes it started, and remove its folder."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # already gone
            if sys.platform == "win32":
                self._process.kill()
            else:
                os.killpg(self.pid, signal.SIGKILL)
        self.wait()
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # the other end is gone
            self._process.stdin.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _select_gpu(device: str) -> dict[str, str]:
    """Return the variables that hide all GPUs but the requested one: all of them for "cpu"."""
    if device == "cpu":
        return {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
    if ":" not in device:
        return {}
    number = int(device.partition(":")[2])
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = [str(number)] if visible is None else visible.split(",")[number : number + 1]
    return {"CUDA_VISIBLE_DEVICES": "".join(gpus)}


def _resident_mb(pid: int) -> float:
    """Return a process's resident memory in MB (2**20 bytes); 0 except on Linux."""
    with contextlib.suppress(OSError, IndexError):
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    return 0.0
