"""Times the backends against each other: alternating, so that a busy machine slows all alike."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hfscan.parity import plan
from hfscan.parity.checkpoints import CheckpointError, open_checkpoint
from hfscan.parity.runs import Runner
from hfscan.parity.verdict import Result
from hfscan.parity.worker import FAILED, BackendDiedError, BackendError, Worker, first_line

Row = dict[str, Any]
Ran = Mapping[
    str, Sequence[tuple[plan.Case, Result]]
]  # backend -> what ran in it, the last one last


@dataclass
class _Way:
    """One way to run the model: a backend, a variant of it, and the process it is timed in."""

    row: Row
    case: plan.Case
    worker: Worker
    first: Row = field(default_factory=dict)
    calls: list[Row] = field(default_factory=list)

    def told(self, kind: str) -> list[float]:
        return [call[kind] for call in self.calls]


def infer(runner: Runner, ran: Ran) -> list[Row]:
    """Time a forward pass in each backend, or in each variant of each backend where wanted."""
    if runner.pool.settings.variants:
        variants = {backend: plan.facts(backend).variants for backend in ran}
        with _alone(runner, ran, "inference", variants) as ways:
            return _rounds(runner, ways)
    ways = []
    for backend, cases in ran.items():
        case, result = cases[-1]
        row = _row(result, "inference", case, plan.facts(backend).variants[0])
        if runner.opened.get(backend) != (case, result.dtype):
            runner.open(case, result, result.device, result.dtype)
        ways.append(_Way(row, case, runner.pool.worker(backend)))
    return _rounds(runner, ways)


def train(runner: Runner, ran: Ran) -> list[Row]:
    """Time training steps in each backend that can train: the usual variant, or all wanted.

    A step is a forward pass, a backward pass and AdamW.
    """
    wanted = None if runner.pool.settings.variants else 1
    variants = {backend: plan.facts(backend).trains[:wanted] for backend in ran}
    with _alone(runner, ran, "training", variants) as ways:
        return _rounds(runner, ways)


@contextmanager
def _alone(
    runner: Runner, ran: Ran, what: str, variants: Mapping[str, Sequence[str]]
) -> Iterator[list[_Way]]:
    """Open the model for each variant in its own process and in the backend's own format.

    So its peak of memory is its own: no other framework was imported to convert weights.
    """
    with ExitStack() as stack:
        ways = []
        for backend, names in variants.items():
            case, result = next((one for one in ran[backend] if one[0].native), ran[backend][-1])
            own = _native(runner, case, result) if names else case
            for name in names:
                worker = runner.pool.another(backend, plan.beside([own], backend))
                stack.callback(worker.close)
                ways.append(_Way(_row(result, what, own, name), own, worker))
                ways[-1].row["own_process"] = True
                worker.launch()  # frameworks take seconds to import: all at the same time
        for way in ways:
            try:
                runner.open_in(way.worker, way.case, way.row["device"], way.row["dtype"])
            except BackendError as error:
                way.row["fault"] = first_line(error)
        yield ways


def _native(runner: Runner, case: plan.Case, result: Result) -> plan.Case:
    """Return the case with weights in the backend's own format, saved by it where needed."""
    own = any(one.startswith(f"{case.backend}/") for one in plan.facts(case.backend).opens)
    if case.native or not own:
        return case
    if runner.opened.get(case.backend) != (case, result.dtype):
        runner.open(case, result, result.device, result.dtype)
    folder = runner.pool.folder(f"native-{case.backend}")
    runner.pool.worker(case.backend).call("save", into=str(folder))
    try:
        weights = open_checkpoint(folder).weights
    except CheckpointError as error:
        raise BackendDiedError(FAILED, f"what it saved cannot be opened: {error}") from error
    if not weights:
        raise BackendDiedError(FAILED, "it saved no weights that can be opened")
    return plan.Case(weights[0], case.backend, "plain")


def _row(result: Result, what: str, case: plan.Case, variant: str) -> Row:
    return {
        "checkpoint": result.checkpoint,
        "architecture": result.architecture,
        "what": what,
        "backend": case.backend,
        "variant": variant,
        "device": result.device,
        "dtype": result.dtype,
        "file": case.weights.name,
        "own_process": False,
    }


def _rounds(runner: Runner, ways: Sequence[_Way]) -> list[Row]:
    """Call each way once a round, after a first call (compiling, tracing) that stands apart.

    The ratio is of two calls of one round, to the first way. Raises BackendError.
    """
    shapes = {name: list(array.shape) for name, array in runner.inputs.batch.items()}
    before = _load()
    for way in ways:
        way.row["inputs"] = shapes
        try:
            if "fault" not in way.row:
                way.first = _time(runner, way)
        except BackendError as error:
            way.row["fault"] = first_line(error)
    timed = [way for way in ways if "fault" not in way.row]
    for _ in range(runner.pool.settings.rounds):
        for way in timed:
            way.calls.append(_time(runner, way))
    for way in timed:
        way.row["latency_ms"] = spread(way.told("milliseconds"))
        for kind, name in (("milliseconds", "ratio"), ("cpu_milliseconds", "cpu_ratio")):
            way.row[kind] = way.told(kind)
            way.row[name] = _ratio(way, timed[0], kind)
        way.row["first_call_seconds"] = way.first["milliseconds"] / 1e3
        if way.row["what"] == "training":
            way.row["losses"] = [way.first["loss"], *way.told("loss")]
        way.row["load_average"] = [before, _load()]
        if way.row["own_process"]:
            way.row.update(way.worker.call("peak"))
    return [way.row for way in ways]


def _ratio(way: _Way, to: _Way, kind: str) -> Row:
    with np.errstate(all="ignore"):  # a clock may be too coarse to see a call
        ratios = np.array(way.told(kind)) / np.array(to.told(kind))
    return {
        "to": f"{to.case.backend} {to.row['variant']}",
        "median": float(np.median(ratios)),
        "min": float(ratios.min()),
        "max": float(ratios.max()),
    }


def spread(milliseconds: Sequence[float]) -> dict[str, float]:
    """Return median, ninth decile and number."""
    p50, p90 = np.percentile(milliseconds, [50, 90])
    return {"p50": float(p50), "p90": float(p90), "n": len(milliseconds)}


def _time(runner: Runner, way: _Way) -> Row:
    return way.worker.call(
        "time",
        inputs=runner.given,
        variant=way.row["variant"],
        train=way.row["what"] == "training",
    )


def _load() -> float | None:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None
