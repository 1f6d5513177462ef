"""The backends of a run: kept alive over many checkpoints, ended together."""

import platform
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from hfscan.parity import confinement
from hfscan.parity.worker import START_SECONDS, BackendError, Worker


@dataclass(frozen=True)
class Settings:
    """How to run.

    `pythons`: backend -> interpreter; `seconds`: limit for one request to a backend;
    `start_seconds`: for its start. `measure` times each backend's usual way of running in so many
    `rounds`; `variants` the others too; `train` training steps as well.
    """

    backends: tuple[str, ...] = ("pytorch", "tensorflow")
    device: str = "cpu"
    dtype: str = "float32"
    pythons: Mapping[str, str] = field(default_factory=dict)
    threads: int = 1
    seconds: float = 300.0
    start_seconds: float = START_SECONDS
    memory_mb: float | None = None
    measure: bool = True
    rounds: int = 5
    variants: bool = False
    train: bool = False


class Pool:
    """Starts backends when they are asked for; a context manager that ends them.

    `notify` is given a sentence whenever a backend takes long to answer.
    """

    def __init__(self, settings: Settings, notify: Callable[[str], None] | None = None) -> None:
        self.settings, self._notify = settings, notify
        self.workers: dict[str, Worker] = {}
        self.notes: list[str] = []  # what the reader of the report should know
        self._choosing = threading.Lock()
        self._scratch = Path(tempfile.mkdtemp(prefix="hfscan-parity-"))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def worker(self, backend: str, beside: frozenset[str] = frozenset()) -> Worker:
        """Return the backend's worker, restarted where it must import more than it does."""
        with self._choosing:
            worker = self.workers.get(backend)
            if worker is not None and beside <= worker.beside:
                return worker
            if worker is not None:
                beside |= worker.beside
                worker.close()
            worker = self.workers[backend] = self.another(backend, beside)
            return worker

    def another(self, backend: str, beside: frozenset[str]) -> Worker:
        """Return one more worker for the backend, which whoever asked for it has to close."""
        return Worker(
            backend,
            self.settings.pythons.get(backend),
            beside=beside,
            threads=self.settings.threads,
            seconds=self.settings.seconds,
            start_seconds=self.settings.start_seconds,
            notify=self._notify,
            memory_mb=self.settings.memory_mb,
        )

    @contextmanager
    def threads(self) -> Iterator[ThreadPoolExecutor]:
        """Give threads in which backends can work side by side.

        Whatever ends the block before its end ends the backends, so that nobody waits for them.
        """
        with ThreadPoolExecutor(thread_name_prefix="backend") as threads:
            try:
                yield threads
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)
                self._end()
                raise

    def _end(self) -> None:
        for worker in self.workers.values():
            worker.close()

    def device(self, backend: str) -> str:
        """Return where the backend runs: "cuda" where that is wanted and there, else "cpu"."""
        if self.settings.device == "cpu":
            return "cpu"
        worker = self.worker(backend)
        try:
            worker.start()
        except BackendError:
            return "cpu"  # the case itself will meet the same error and report it
        return "cuda" if worker.about["device"] else "cpu"

    def folder(self, name: str) -> Path:
        """Return an empty scratch folder."""
        folder = self._scratch / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def readable(self, text: str, checkpoint: str) -> str:
        """Return a backend's words with the checkpoint's name in place of the scratch folder."""
        scratch = re.escape(str(self._scratch / "model-"))
        return re.sub(rf"{scratch}[\w-]+", lambda _: checkpoint, text)

    def environment(self) -> dict[str, Any]:
        """Versions, devices and threads of every backend that was started."""
        return {
            "platform": platform.platform(),
            "processor": _processor(),
            "python": platform.python_version(),
            "device": self.settings.device,
            "dtype": self.settings.dtype,
            "threads": self.settings.threads,
            "tf32": False,
            "notes": self._device_notes() + self._confinement_notes() + self.notes,
            "backends": {
                name: {**worker.about, "beside": sorted(worker.beside)}
                for name, worker in self.workers.items()
            },
        }

    def _device_notes(self) -> list[str]:
        started = {name: one.about["device"] for name, one in self.workers.items() if one.about}
        wanted = self.settings.device == "cuda" or (
            self.settings.device == "auto" and any(started.values())
        )
        return [
            f"{name}: no CUDA device in this backend; it ran on the CPU."
            for name, device in started.items()
            if wanted and not device
        ]

    def _confinement_notes(self) -> list[str]:
        seen = [one.about["kept_from"] for one in self.workers.values() if one.about]
        return [note] if (note := confinement.describe(seen)) else []


def _processor() -> str:
    """Return the processor's name: which library multiplies faster depends on it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
