"""Keeps a lane's process: starts it, talks to it, ends it when it takes too long or too much."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, Any

from hfscan.errors import HfscanError

LANES = Path(__file__).with_name("lanes")
_START_SECONDS = 300.0  # importing a framework on a busy machine
_POLL_SECONDS = 0.05  # how often memory is looked at
_QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_USE_LEGACY_KERAS": "1",  # transformers' TensorFlow classes are Keras 2
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "HF_HUB_OFFLINE": "1",  # a lane opens local files only
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONIOENCODING": "utf-8",
}

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")  # the last is JAX's
_SWITCHES = {"USE_TORCH": "pytorch", "USE_TF": "tensorflow", "USE_FLAX": "flax"}


class LaneError(HfscanError):
    """A lane could not do what was asked. `kind` is the exception's class name there."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}" if message else kind)
        self.kind = kind
        self.message = message


def first_line(error: Exception) -> str:
    """Return what an error says before it goes into detail."""
    return str(error).strip().splitlines()[0]


class LaneDiedError(LaneError):
    """The lane's process ended: `kind` is "crashed", "timed out" or "out of memory"."""


def lane_names() -> list[str]:
    """Every lane there is: one file each."""
    files = LANES.glob("*_lane.py")
    return sorted(path.stem.removesuffix("_lane").replace("_", "-") for path in files)


def lane_file(lane: str) -> Path:
    """Return where the file of a lane of this name would be."""
    return LANES / f"{lane.replace('-', '_')}_lane.py"


class Worker:
    """One lane in one process; started when first asked, started anew after it died.

    `beside` names lanes whose frameworks it may import beside its own; `memory_mb` limits resident
    memory, looked at every 50 ms where the system tells it (Linux). Threads may share it: whoever
    holds `lock` has the lane, and the model that is open in it, for itself.
    """

    def __init__(
        self,
        lane: str,
        python: str | None = None,
        *,
        beside: frozenset[str] = frozenset(),
        threads: int = 1,
        seconds: float = 300.0,
        memory_mb: float | None = None,
    ) -> None:
        self.lane, self.python, self.beside = lane, python or sys.executable, beside
        self.threads, self.seconds, self.memory_mb = threads, seconds, memory_mb
        self.about: dict[str, Any] = {}
        self.lock = threading.RLock()
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._stderr: IO[bytes] | None = None

    def call(self, op: str, **arguments: Any) -> dict[str, Any]:
        """Ask the lane for `op`. Raises LaneError when it refuses, LaneDiedError when it dies."""
        with self.lock:
            self.start()
            return self._ask(op, self.seconds, arguments)

    def start(self) -> None:
        """Start the lane where it does not run; `about` then says versions and device."""
        with self.lock:
            self.launch()
            if not self.about:
                self.about = self._ask("hello", _START_SECONDS, {"threads": self.threads})

    def launch(self) -> None:
        """Start the process where it does not run, without waiting for it to be ready."""
        if self._process is None:
            self.about = {}
            self._start()

    @property
    def pid(self) -> int | None:
        """The process, while one runs."""
        return self._process.pid if self._process else None

    def close(self) -> None:
        """End the process; a later call starts another."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            if sys.platform == "win32":
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        for pipe in (process.stdin, process.stdout, self._stderr):
            if pipe:
                with contextlib.suppress(OSError):  # what was still to be written to a dead process
                    pipe.close()

    def _start(self) -> None:
        path = lane_file(self.lane)
        if not path.exists():
            raise LaneError("no lane", f"{self.lane}; there are: {', '.join(lane_names())}")
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._answers = queue.SimpleQueue()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - the user's own interpreter
                [self.python, str(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                text=True,
                encoding="utf-8",
                env=self._environment(),
                start_new_session=True,
            )
        except OSError as error:
            self._stderr.close()
            raise LaneError("no interpreter", f"{self.python}: {error.strerror}") from error
        threading.Thread(
            target=_pump, args=(self._process, self._answers), daemon=True, name=self.lane
        ).start()

    def _environment(self) -> dict[str, str]:
        kept = {
            key: value
            for key, value in os.environ.items()
            if key not in {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "PYTHONPATH"}
        }
        wanted = {self.lane, *self.beside}
        # AUTO, for 1 on one framework would switch the other off
        uses = {key: "AUTO" if name in wanted else "0" for key, name in _SWITCHES.items()}
        return kept | _QUIET | uses | dict.fromkeys(_THREADS, str(self.threads))

    def _ask(self, op: str, seconds: float, arguments: dict[str, Any]) -> dict[str, Any]:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        deadline = time.monotonic() + seconds
        try:
            process.stdin.write(json.dumps({"op": op, **arguments}) + "\n")
            process.stdin.flush()
        except OSError:
            pass  # it died; the queue's end says so below
        while True:
            try:
                line = self._answers.get(timeout=_POLL_SECONDS)
                break
            except queue.Empty:
                self._check_limits(process, deadline, seconds)
        if line is None:
            words = self._last_words()
            self.close()
            raise LaneDiedError("crashed", f"{_ending(process.returncode)}; {words}")
        answer: dict[str, Any] = json.loads(line)
        if not answer.pop("ok"):
            raise LaneError(answer["kind"], answer["message"])
        return answer

    def _check_limits(
        self, process: subprocess.Popen[str], deadline: float, seconds: float
    ) -> None:
        if time.monotonic() > deadline:
            self.close()
            raise LaneDiedError("timed out", f"no answer within {seconds:g} s")
        used = _resident_mb(process.pid) if self.memory_mb else None
        if self.memory_mb and used is not None and used > self.memory_mb:
            self.close()
            raise LaneDiedError("out of memory", f"passed the limit of {self.memory_mb:,.0f} MB")

    def _last_words(self) -> str:
        assert self._stderr is not None
        self._stderr.seek(0)
        lines = self._stderr.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1][-300:] if lines else "it said nothing"


def _pump(process: subprocess.Popen[str], answers: "queue.SimpleQueue[str | None]") -> None:
    assert process.stdout is not None
    try:
        for line in process.stdout:
            answers.put(line)
    except ValueError:
        pass  # closed while reading
    answers.put(None)


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return f"ended with status {code}"


def _resident_mb(pid: int) -> float | None:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
