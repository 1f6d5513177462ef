"""Keeps a backend's process: starts it, talks to it, ends it when it takes too long or too much."""

import contextlib
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hfscan.errors import HfscanError
from hfscan.parity import confinement, memory
from hfscan.parity.pipes import Replies, Tail, ViolationError, send
from hfscan.parity.replies import RefusedError, ReplyError, decode

BACKENDS = Path(__file__).with_name("backends")
START_SECONDS = 300.0  # importing a framework on a busy machine
_POLL_SECONDS = 0.05  # how often memory is looked at
_NOTICE_SECONDS = 15.0  # of waiting, after which it is told; then twice as long
_END_SECONDS = 5.0  # for a process to end that closed its output, or was killed
NOT_INSTALLED = "not installed"
FAILED = "backend failed"
_QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_USE_LEGACY_KERAS": "1",  # transformers' TensorFlow classes are Keras 2
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "HF_HUB_OFFLINE": "1",  # a backend opens local files only
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONIOENCODING": "utf-8",
}

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")  # the last is JAX's
_EXTRAS = {"flax": "parity,jax", "keras-jax": "parity,jax"}  # "parity" installs the others
_SWITCHES = {"USE_TORCH": "pytorch", "USE_TF": "tensorflow", "USE_FLAX": "flax"}


class BackendError(HfscanError):
    """A backend could not do what was asked. `kind` is the exception's class name there."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}" if message else kind)
        self.kind = kind
        self.message = message


def first_line(error: Exception) -> str:
    """Return what an error says before it goes into detail."""
    return next(iter(str(error).strip().splitlines()), "no reason was given")


class BackendDiedError(BackendError):
    """The backend's process ended, or was ended because it cannot be used.

    `kind` is "crashed", "timed out", "out of memory", "backend failed" or "not installed".
    """


def backend_names() -> list[str]:
    """Every backend there is: one file each."""
    files = BACKENDS.glob("*_backend.py")
    return sorted(path.stem.removesuffix("_backend").replace("_", "-") for path in files)


def backend_file(backend: str) -> Path:
    """Return where the file of a backend of this name would be."""
    return BACKENDS / f"{backend.replace('-', '_')}_backend.py"


class Worker:
    """One backend in one process; started when first asked, started anew after it died.

    `beside` names backends whose frameworks it may import beside its own; `memory_mb` limits
    resident memory, looked at every 50 ms where the system tells it (Linux). `notify` is given a
    sentence while an answer takes long. A backend that once failed to start is not started again.
    Threads may share it: whoever holds `lock` has the backend, and the model that is open in it,
    for itself.
    """

    def __init__(
        self,
        backend: str,
        python: str | None = None,
        *,
        beside: frozenset[str] = frozenset(),
        threads: int = 1,
        seconds: float = 300.0,
        start_seconds: float = START_SECONDS,
        memory_mb: float | None = None,
        notify: Callable[[str], None] | None = None,
        notice_seconds: float = _NOTICE_SECONDS,
    ) -> None:
        self.backend, self.python, self.beside = backend, python or sys.executable, beside
        self.threads, self.seconds, self.memory_mb = threads, seconds, memory_mb
        self.start_seconds, self.notice_seconds = start_seconds, notice_seconds
        self.about: dict[str, Any] = {}
        self.lock = threading.RLock()
        self._notify = notify or (lambda _: None)
        self._process: _Process | None = None
        self._fault: BackendError | None = None  # why it cannot be started

    def call(self, op: str, **arguments: Any) -> dict[str, Any]:
        """Ask the backend for `op`. Raises BackendError (refused) or BackendDiedError."""
        with self.lock:
            self.start()
            return self._ask(op, self.seconds, arguments)

    def start(self) -> None:
        """Start the backend if it does not run. `about` then has versions, device, `kept_from`.

        Raises BackendError.
        """
        with self.lock:
            self.launch()
            if self.about or self._process is None:
                return
            try:
                about = self._ask("hello", self.start_seconds, {"threads": self.threads})
            except BackendError as error:
                self.close()
                self._fault = error
                raise
            self.about = {**about, "kept_from": confinement.look(self._process.pid)}

    def launch(self) -> None:
        """Start the process where it does not run, without waiting for it to be ready."""
        if self._fault is not None:
            raise self._fault
        if self._process is None:
            self.about = {}
            try:
                self._process = self._start()
            except BackendError as error:
                self._fault = error
                raise

    @property
    def pid(self) -> int | None:
        """The process, while one runs."""
        return self._process.pid if self._process else None

    def close(self) -> None:
        """End the process; a later call starts another."""
        process, self._process = self._process, None
        if process is not None:
            process.close()

    def _start(self) -> "_Process":
        path = backend_file(self.backend)
        if not path.exists():
            raise BackendError(
                "no backend", f"{self.backend}; there are: {', '.join(backend_names())}"
            )
        python = shutil.which(self.python)
        if python is None:
            raise self._not_installed("no such interpreter")
        try:
            return _Process(python, path.stem, self._environment)
        except OSError as error:
            raise self._not_installed(error.strerror or str(error)) from error

    def _environment(self, home: Path) -> dict[str, str]:
        wanted = {self.backend, *self.beside}
        # AUTO, for 1 on one framework would switch the other off
        uses = {key: "AUTO" if name in wanted else "0" for key, name in _SWITCHES.items()}
        passed = confinement.environment(os.environ, home)
        return passed | _QUIET | uses | dict.fromkeys(_THREADS, str(self.threads))

    def _ask(self, op: str, seconds: float, arguments: dict[str, Any]) -> dict[str, Any]:
        process = self._process
        assert process is not None
        number = process.send(op, arguments)
        try:
            line = self._wait(process, op, seconds)
            if line is None:
                raise self._ended(process)
            return decode(line, op, number)
        except (ViolationError, ReplyError) as error:
            self.close()
            raise BackendDiedError(FAILED, str(error)) from error
        except RefusedError as error:
            if error.kind == NOT_INSTALLED:
                self.close()
                raise self._not_installed(error.message) from error
            raise BackendError(error.kind, error.message) from error

    def _wait(self, process: "_Process", op: str, seconds: float) -> bytes | None:
        start = time.monotonic()
        notice = self.notice_seconds
        while True:
            with contextlib.suppress(queue.Empty):
                return process.replies.get(_POLL_SECONDS)
            waited = time.monotonic() - start
            if waited > seconds:
                self.close()
                raise BackendDiedError("timed out", f"no answer to {op!r} within {seconds:g} s")
            if waited > notice:
                self._notify(
                    f"Waiting for {self.backend}: {op!r} takes {waited:,.0f} s, of {seconds:,g} s "
                    f"at most"
                )
                notice *= 2
            used = memory.resident_mb(process.pid) if self.memory_mb else None
            if self.memory_mb and used is not None and used > self.memory_mb:
                self.close()
                raise BackendDiedError(
                    "out of memory", f"passed the limit of {self.memory_mb:,.0f} MB"
                )

    def _ended(self, process: "_Process") -> BackendDiedError:
        """Return what to say of a process whose output is at its end, and end it."""
        code = process.wait()
        self.close()
        words = process.errors.last_line()
        if code == confinement.CANNOT_RUN:
            return self._not_installed(words)
        if code is None:
            return BackendDiedError(FAILED, f"it closed its output without an answer; {words}")
        return BackendDiedError("crashed", f"{_ending(code)}; {words}")

    def _not_installed(self, reason: str) -> BackendDiedError:
        extra = _EXTRAS.get(self.backend, "parity")
        return BackendDiedError(
            NOT_INSTALLED,
            f"{self.backend} cannot be used with {self.python} ({reason}): pip install "
            f"'hfscan[{extra}]', or name another interpreter with --backend-python "
            f"{self.backend}=PYTHON",
        )


class _Process:
    """A running backend: what it is sent, what it writes, and its own empty home folder."""

    def __init__(
        self, python: str, module: str, environment: Callable[[Path], dict[str, str]]
    ) -> None:
        """Start it. Raises OSError."""
        self._folder = Path(tempfile.mkdtemp(prefix="hfscan-backend-"))
        home, empty = self._folder / "home", self._folder / "empty"
        home.mkdir()
        empty.mkdir()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the user's own interpreter
                confinement.command(python, [str(BACKENDS / "_run.py"), module], empty),
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
        self.replies, self.errors = Replies(self._process.stdout), Tail(self._process.stderr)
        self._asked = 0

    def send(self, op: str, arguments: dict[str, Any]) -> int:
        """Send a request and return its number."""
        assert self._process.stdin is not None
        self._asked += 1
        request = {"id": self._asked, "op": op, **arguments}
        self.replies.expect()
        send(self._process.stdin, (json.dumps(request) + "\n").encode())
        return self._asked

    def wait(self) -> int | None:
        """Return the exit code, None where it does not end by itself within some seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(_END_SECONDS)
        return None

    def close(self) -> None:
        """Kill it, with the processes it started, and remove its folder."""
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it is gone
            if sys.platform == "win32":
                self._process.kill()
            else:
                os.killpg(self.pid, signal.SIGKILL)
        self.wait()
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # its other end is gone
            self._process.stdin.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _ending(code: int) -> str:
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return f"ended with status {code}"
