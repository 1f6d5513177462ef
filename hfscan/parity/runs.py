"""Opens a model in a backend and takes what it returns."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hfscan.parity.arrays import Reader
from hfscan.parity.checkpoints import Checkpoint
from hfscan.parity.inputs import Inputs
from hfscan.parity.plan import Case, beside
from hfscan.parity.pool import Pool
from hfscan.parity.staging import stage_weights
from hfscan.parity.verdict import Result
from hfscan.parity.worker import FAILED, BackendDiedError, BackendError, Worker, first_line

_ACTIVATIONS = ("gelu", "gelu_new", "quick_gelu", "relu", "silu", "tanh")
"""What transformers' models use between layers, by the names in its configs."""


@dataclass
class Run:
    """What one opening of a model gave."""

    outputs: dict[str, np.ndarray]
    dtypes: dict[str, str]  # of the outputs, in the framework's own words
    hidden: dict[str, list[np.ndarray]]
    seconds: float  # that the call took
    device: str  # that it ran on: "cpu", "cuda"
    generated: dict[str, Any] | None = None
    mute: str | None = None  # why it generated nothing
    tf32: dict[str, np.ndarray] | None = None  # outputs once more, with TF32 allowed
    in_place_of: tuple[str, ...] = ()  # the activations that another one was put in place of


class Runner:
    """Runs the cases of one checkpoint, all on the same inputs."""

    def __init__(self, pool: Pool, checkpoint: Checkpoint, inputs: Inputs) -> None:
        self.pool, self.checkpoint, self.inputs = pool, checkpoint, inputs
        self.opened: dict[str, tuple[Case, str]] = {}  # backend -> what is open in it, and as what
        self.given = _write(pool.folder("inputs"), inputs.batch)
        self.prompt = inputs.prompt and _write(pool.folder("prompt"), inputs.prompt)

    def run(self, case: Case, result: Result) -> Run | None:
        """Open and run `case`, noting in `result`; None where weights have no values.

        Raises BackendError.
        """
        worker = self.pool.worker(case.backend)
        with worker.lock:
            if not self.open(case, result, result.device, result.dtype):
                return None
            run = self._forward(case, result.device)
            result.first_call_seconds = run.seconds
            if result.device == "cuda" and result.dtype == "float32":
                with suppress(BackendError):  # ONNX has no such switch
                    run.tf32 = self._forward(case, result.device, tf32=True).outputs
            if self.prompt:
                try:
                    run.generated = worker.call(
                        "generate", inputs=self.prompt, new_tokens=self.inputs.new_tokens
                    )
                except BackendDiedError:
                    raise
                except BackendError as error:
                    run.mute = first_line(error)
            peaks = worker.call("peak")
        result.peak_rss_mb, result.peak_gpu_mb = peaks["peak_rss_mb"], peaks["peak_gpu_mb"]
        return run

    def reference(self, case: Case, result: Result) -> Run | None:
        """Run the case's weights in float64 on the CPU, in PyTorch. Raises BackendError."""
        case = _in_pytorch(case)
        with self.pool.worker("pytorch").lock:
            if self.opened.get("pytorch") == (case, "float32") and result.device == "cpu":
                return self._forward(case, "cpu", double=True)  # float32 fits in, and comes back
            opened = self.open(case, result, "cpu", "float64")
            return self._forward(case, "cpu") if opened else None

    def with_activations(self, case: Case, result: Result) -> Iterator[tuple[str, Run]]:
        """Yield (activation, the float64 run with it in place of the config's).

        Raises BackendError.
        """
        case = _in_pytorch(case)
        with self.pool.worker("pytorch").lock:
            if self.open(case, result, "cpu", "float64"):
                for name in _ACTIVATIONS:
                    yield name, self._forward(case, "cpu", activation=name)

    def open(self, case: Case, result: Result, device: str, dtype: str) -> bool:
        """Open a model in its backend; False where weights have no values. Raises BackendError."""
        self.opened.pop(case.backend, None)
        worker = self.pool.worker(case.backend, beside([case], case.backend))
        answer = self.open_in(worker, case, device, dtype)
        result.loading, result.load_seconds = answer["loading"], answer["load_seconds"]
        self.opened[case.backend] = (case, dtype)
        return not answer["loading"]["unset"]

    def open_in(self, worker: Worker, case: Case, device: str, dtype: str) -> dict[str, Any]:
        """Open a model in this process, and return what its loader says. Raises BackendError."""
        return worker.call(
            "open",
            folder=str(stage_weights(case.weights, self.pool.folder(f"model-{case.backend}"))),
            architecture=self.checkpoint.architecture,
            origin=case.weights.origin,
            format=case.weights.format,
            route=case.route,
            dtype=dtype,
            device=device,
        )

    def _forward(self, case: Case, device: str, **options: str | bool) -> Run:
        into = self.pool.folder(f"out-{case.backend}")
        answer = self.pool.worker(case.backend).call(
            "run", inputs=self.given, into=str(into), **options
        )
        arrays = Reader(into)
        outputs = {name: arrays.read(path) for name, path in answer["outputs"].items()}
        if lacking := sorted(outputs.keys() - answer["dtypes"].keys()):
            raise BackendDiedError(FAILED, f"it does not say of which precision {lacking[0]} is")
        return Run(
            outputs,
            answer["dtypes"],
            {name: [arrays.read(p) for p in paths] for name, paths in answer["hidden"].items()},
            answer["first_call_seconds"],
            device,
            in_place_of=tuple(answer.get("in_place_of", ())),
        )


def _in_pytorch(case: Case) -> Case:
    """Return the best way for these weights into PyTorch."""
    return Case(case.weights, "pytorch", "plain" if case.weights.origin == "pytorch" else "helper")


def _write(folder: Path, arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return {name: str(folder / f"{name}.npy") for name in arrays}
