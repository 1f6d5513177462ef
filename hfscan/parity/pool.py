"""Manage the backends of a run: reused for many checkpoints, ended together."""

import platform
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hfscan.parity import confinement
from hfscan.parity.cases import Case, required_backends
from hfscan.parity.machine import describe_libraries, describe_processor, find_warnings
from hfscan.parity.process import BackendProcess, Settings
from hfscan.parity.replies import BackendError


class BackendPool:
    """Starts backends on demand; `close` ends them. `notify` receives messages on long waits."""

    def __init__(self, settings: Settings, notify: Callable[[str], None] | None = None) -> None:
        self.settings, self._notify = settings, notify
        self.processes: dict[str, BackendProcess] = {}
        self.gemm_gflops: dict[str, float | None] = {}  # of the processes that were probed
        self._lock = threading.Lock()
        self._scratch = Path(tempfile.mkdtemp(prefix="hfscan-parity-"))

    def close(self) -> None:
        """End the backends and remove the scratch folder."""
        self._close_processes()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def process(self, backend: str, also_imports: frozenset[str] = frozenset()) -> BackendProcess:
        """Return the backend's process, restarted if it must import more than it does.

        Frameworks that are only in another environment are imported by a second process there.
        """
        with self._lock:
            process = self.new_process(backend, also_imports)
            if running := self.processes.get(process.name):
                if also_imports <= running.also_imports:
                    return running
                running.close()
                process = self.new_process(backend, also_imports | running.also_imports)
            self.processes[process.name] = process
            return process

    def process_for(self, case: Case) -> BackendProcess:
        """Return the process that opens the weights of a case."""
        return self.process(case.backend, required_backends([case], case.backend))

    def new_process(self, backend: str, also_imports: frozenset[str]) -> BackendProcess:
        """Return an additional process for the backend, which the caller must close."""
        return BackendProcess(backend, self.settings, also_imports, self._notify)

    @contextmanager
    def threads(self) -> Iterator[ThreadPoolExecutor]:
        """Provide threads for backends; an exception in the block ends these, without waiting."""
        with ThreadPoolExecutor(thread_name_prefix="backend") as threads:
            try:
                yield threads
            except BaseException:
                threads.shutdown(wait=False, cancel_futures=True)
                self._close_processes()
                raise

    def _close_processes(self) -> None:
        for process in self.processes.values():
            process.close()

    def device_for(self, case: Case) -> str:
        """Return the device of a case: "cuda" if requested and available, otherwise "cpu"."""
        if self.settings.device != "cpu":
            process = self.process_for(case)
            with suppress(BackendError):  # running the case raises it again and reports it
                process.start()
                return "cuda" if process.info["device"] else "cpu"
        return "cpu"

    def probe(self, backend: str) -> None:
        """Measure once how fast the backend multiplies matrices on the CPU; None: it cannot."""
        process = self.process(backend)
        if process.name not in self.gemm_gflops:
            self.gemm_gflops[process.name] = None
            with suppress(BackendError):
                self.gemm_gflops[process.name] = process.call("probe")["gemm_gflops"]

    def start(self) -> None:
        """Start the backends; running a case reports those that cannot start."""
        processes = [self.process(backend) for backend in self.settings.backends]
        for process in processes:
            with suppress(BackendError):
                process.spawn()  # in parallel: importing a framework takes seconds
        for process in processes:
            with suppress(BackendError):
                process.start()

    def backends_without_gpu(self) -> list[str]:
        """Start the backends and return those that find no GPU; not those that cannot start."""
        self.start()
        processes = [self.process(backend) for backend in self.settings.backends]
        return [
            process.backend for process in processes if process.info and not process.info["device"]
        ]

    def new_folder(self, name: str) -> Path:
        """Return an empty scratch folder."""
        folder = self._scratch / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def redact_paths(self, text: str, checkpoint: str) -> str:
        """Return a backend's message with the checkpoint's name instead of the scratch folder."""
        scratch = re.escape(str(self._scratch / "model-"))
        return re.sub(rf"{scratch}[\w-]+", lambda _: checkpoint, text)

    def describe_environment(self) -> dict[str, Any]:
        """Return versions, devices and threads of every backend that was started."""
        processor = describe_processor()
        return {
            "platform": platform.platform(),
            "processor": processor,
            "python": platform.python_version(),
            "device": self.settings.device,
            "dtype": self.settings.dtype,
            "threads": self.settings.threads,
            "tf32": False,
            "notes": [*self._environment_notes(processor)],
            "backends": {
                name: {
                    **process.info,
                    "math": describe_libraries(process.info),
                    "gemm_gflops": self.gemm_gflops.get(name),
                    "also_imports": sorted(process.also_imports),
                }
                for name, process in self.processes.items()
            },
        }

    def _environment_notes(self, processor: Mapping[str, Any]) -> Iterator[str]:
        infos = {name: process.info for name, process in self.processes.items() if process.info}
        on_cpu = [name for name, info in infos.items() if not info["device"]]
        if self.settings.device == "auto" and len(on_cpu) < len(infos):
            for name in on_cpu:
                yield f"{name}: this backend found no CUDA device and ran on the CPU."
        if self.gemm_gflops:  # something was timed
            yield from find_warnings(processor, infos)
        if note := confinement.describe_gaps([info["isolated_from"] for info in infos.values()]):
            yield note
