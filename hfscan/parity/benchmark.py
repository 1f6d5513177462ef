"""Benchmark the backends in interleaved rounds: background load then affects all equally."""

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from hfscan.parity.cases import Case, backend_spec, required_backends
from hfscan.parity.checkpoint import open_checkpoint
from hfscan.parity.configs import CheckpointError
from hfscan.parity.machine import available_memory_bytes
from hfscan.parity.process import BackendProcess
from hfscan.parity.replies import BackendError, backend_failed, summary_line
from hfscan.parity.result import Result

if TYPE_CHECKING:
    from hfscan.parity.model import ModelRunner

Row = dict[str, Any]
Completed = Mapping[str, Sequence[tuple[Case, Result]]]  # backend -> cases that ran, latest last


@dataclass
class Variant:
    """One way to run the model: a backend, a variant of it, and the process it is timed in."""

    row: Row
    case: Case
    process: BackendProcess
    first_call: Row = field(default_factory=dict)
    calls: list[Row] = field(default_factory=list)

    def values(self, key: str) -> list[float]:
        return [call[key] for call in self.calls]


def measure_inference(runner: "ModelRunner", completed: Completed) -> list[Row]:
    """Time a forward pass in each backend, or in each variant of each if requested."""
    if runner.pool.settings.variants:
        names = {backend: backend_spec(backend).variants for backend in completed}
        return _measure_isolated(runner, completed, "inference", names)
    variants = []
    for backend, cases in completed.items():
        case, result = cases[-1]
        row = _new_row(result, "inference", case, backend_spec(backend).variants[0])
        runner.ensure_open(case, result)
        variants.append(Variant(row, case, runner.pool.process_for(case)))
    _time_rounds(runner, variants)
    return _finish_rows(variants)


def measure_training(runner: "ModelRunner", completed: Completed) -> list[Row]:
    """Time training steps in each backend that can train: the default variant, or all of them."""
    count = None if runner.pool.settings.variants else 1
    names = {backend: backend_spec(backend).trains[:count] for backend in completed}
    return _measure_isolated(runner, completed, "training", names)


def _measure_isolated(
    runner: "ModelRunner", completed: Completed, mode: str, names: Mapping[str, Sequence[str]]
) -> list[Row]:
    """Open the model in a separate process for each variant, in the backend's native format.

    No other framework is imported to convert weights, so its peak memory is its own.
    """
    variants = []
    for backend, variant_names in names.items():
        cases = completed[backend]
        case, result = next((item for item in cases if item[0].is_native), cases[-1])
        native = _to_native(runner, case, result) if variant_names else case
        needed = required_backends([native], backend)
        for name in variant_names:
            process = runner.pool.new_process(backend, needed)
            row = _new_row(result, mode, native, name, own_process=True)
            variants.append(Variant(row, native, process))
    groups = [variants]
    if not _fit_into_memory(variants):
        groups = [[variant] for variant in variants]
        for cases in completed.values():
            cases[-1][1].notes.append(
                f"{mode} in all variants at once does not fit into memory: each was timed alone, "
                f"so that changes of the machine's load affect the ratios"
            )
    for group in groups:
        with ExitStack() as stack:
            for variant in group:
                stack.callback(variant.process.close)
                variant.process.spawn()  # in parallel: importing a framework takes seconds
            for variant in group:
                row = variant.row
                try:
                    runner.open_in(variant.process, variant.case, row["device"], row["dtype"])
                except BackendError as error:
                    row["fault"] = summary_line(error)
            _time_rounds(runner, group)
    return _finish_rows(variants)


def _fit_into_memory(variants: Sequence[Variant]) -> bool:
    """Return whether the machine has memory for all variants at once; True if it does not say.

    Estimated from what was measured: 1 GB for a framework, and of the weights' size eight times in
    training (gradients, two moments, activations) and three times in inference.
    """
    available = available_memory_bytes()
    needed = sum(
        1e9 + (8 if variant.row["mode"] == "training" else 3) * variant.case.weights.size
        for variant in variants
    )
    return available is None or needed <= available


def _to_native(runner: "ModelRunner", case: Case, result: Result) -> Case:
    """Return the case with weights in the backend's native format, saved by it if needed."""
    opens = backend_spec(case.backend).opens
    if case.is_native or not any(key.startswith(f"{case.backend}/") for key in opens):
        return case
    runner.ensure_open(case, result)
    folder = runner.pool.new_folder(f"native-{case.backend}")
    runner.pool.process_for(case).call("save", into=str(folder))
    try:
        weights = open_checkpoint(folder).weights
    except CheckpointError as error:
        raise backend_failed(f"the weights it saved cannot be opened: {error}") from error
    if not weights:
        raise backend_failed("it saved no weights that can be opened")
    return Case(weights[0], case.backend, "direct")


def _new_row(
    result: Result, mode: str, case: Case, variant: str, *, own_process: bool = False
) -> Row:
    return {
        "checkpoint": result.checkpoint,
        "architecture": result.architecture,
        "mode": mode,
        "backend": case.backend,
        "variant": variant,
        "device": result.device,
        "dtype": result.dtype,
        "file": case.weights.name,
        "own_process": own_process,
    }


def _time_rounds(runner: "ModelRunner", variants: Sequence[Variant]) -> None:
    """Call each variant once a round, after a separate first call (compiling, tracing).

    Raises BackendError.
    """
    shapes = {name: list(array.shape) for name, array in runner.inputs.batch.items()}
    load_before = _load_average()
    for variant in variants:
        variant.row["inputs"] = shapes
        try:
            if "fault" not in variant.row:
                variant.first_call = _time_call(runner, variant)
        except BackendError as error:
            variant.row["fault"] = summary_line(error)
    timed = [variant for variant in variants if "fault" not in variant.row]
    for _ in range(runner.pool.settings.rounds):
        for variant in timed:
            variant.calls.append(_time_call(runner, variant))
    for variant in timed:
        variant.row["load_average"] = [load_before, _load_average()]
        if variant.row["own_process"]:
            variant.row.update(variant.process.call("peak"))


def _finish_rows(variants: Sequence[Variant]) -> list[Row]:
    """Return the rows with medians and ratios to the first variant, call by call of each round."""
    timed = [variant for variant in variants if "fault" not in variant.row]
    for variant in timed:
        row = variant.row
        p50, p90 = np.percentile(variant.values("milliseconds"), [50, 90])
        row["latency_ms"] = {"p50": float(p50), "p90": float(p90), "n": len(variant.calls)}
        for key, ratio in (("milliseconds", "ratio"), ("cpu_milliseconds", "cpu_ratio")):
            row[key] = variant.values(key)
            row[ratio] = _ratio(variant, timed[0], key)
        row["first_call_seconds"] = variant.first_call["milliseconds"] / 1e3
        if row["mode"] == "training":
            row["losses"] = [variant.first_call["loss"], *variant.values("loss")]
    return [variant.row for variant in variants]


def _ratio(variant: Variant, base: Variant, key: str) -> Row:
    with np.errstate(all="ignore"):  # a coarse clock may measure 0
        ratios = np.array(variant.values(key)) / np.array(base.values(key))
    return {
        "to": f"{base.case.backend} {base.row['variant']}",
        "median": float(np.median(ratios)),
        "min": float(ratios.min()),
        "max": float(ratios.max()),
    }


def _time_call(runner: "ModelRunner", variant: Variant) -> Row:
    name, train = variant.row["variant"], variant.row["mode"] == "training"
    return variant.process.call("time", inputs=runner.batch_files, variant=name, train=train)


def _load_average() -> float | None:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None
