"""Runs the cases of checkpoints through the lanes."""

import platform
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hfscan.parity import compare, diagnose, plan, tables
from hfscan.parity.checkpoints import Checkpoint, Weights
from hfscan.parity.tolerance import tolerance
from hfscan.parity.verdict import (
    AGREE,
    NO_LANE,
    Result,
    loading_fault,
    off_side,
    outputs_fault,
    unopened,
)
from hfscan.parity.worker import LaneDiedError, LaneError, Worker

_BASELINE_FLOOR = 1e-7
"""Relative L2 below which a layer never counts as divergent: float32's unit roundoff is 6e-8."""


@dataclass(frozen=True)
class Settings:
    """How to run. `pythons`: lane -> interpreter; `seconds`: limit for one request to a lane."""

    lanes: tuple[str, ...] = ("pytorch", "tensorflow")
    device: str = "cpu"
    dtype: str = "float32"
    pythons: Mapping[str, str] = field(default_factory=dict)
    threads: int = 1
    seconds: float = 300.0
    memory_mb: float | None = None
    measure: bool = True
    laps: int = 5


@dataclass
class Run:
    """What one opening of a model gave."""

    outputs: dict[str, np.ndarray]
    hidden: dict[str, list[np.ndarray]]
    generated: dict[str, Any] | None


class Sweep:
    """Keeps the lanes alive over many checkpoints; a context manager that ends them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.workers: dict[str, Worker] = {}
        self._scratch = Path(tempfile.mkdtemp(prefix="hfscan-parity-"))

    def __enter__(self) -> "Sweep":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers.values():
            worker.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def environment(self) -> dict[str, Any]:
        """Versions, devices and threads of every lane that was started."""
        return {
            "platform": platform.platform(),
            "python": platform.python_version(),
            "tf32": False,
            "notes": self._device_notes(),
            "lanes": {
                name: {**worker.about, "beside": sorted(worker.beside)}
                for name, worker in self.workers.items()
            },
        }

    def _device_notes(self) -> list[str]:
        if self.settings.device != "cuda":
            return []
        return [
            f"{name}: no CUDA device in this lane; it ran on the CPU."
            for name, worker in self.workers.items()
            if worker.about and not worker.about["device"]
        ]

    def worker(self, lane: str, beside: frozenset[str] = frozenset()) -> Worker:
        """Return the lane's worker, restarted where it must import more than it does."""
        worker = self.workers.get(lane)
        if worker is None or not beside <= worker.beside:
            if worker is not None:
                beside |= worker.beside
                worker.close()
            worker = Worker(
                lane,
                self.settings.pythons.get(lane),
                beside=beside,
                threads=self.settings.threads,
                seconds=self.settings.seconds,
                memory_mb=self.settings.memory_mb,
            )
            self.workers[lane] = worker
        return worker

    def check(self, checkpoint: Checkpoint) -> Iterator[Result]:
        """Yield the result of every case; whatever a lane does, the next case follows."""
        yield from self._broken(checkpoint)
        planned = plan.cases(checkpoint, self.settings.lanes)
        for weights in checkpoint.weights:
            if not any(case.weights is weights for case in planned):
                yield self._without_case(
                    checkpoint,
                    weights.name,
                    NO_LANE,
                    f"no lane here opens {weights.origin}'s files",
                )
        for lane in self.settings.lanes:
            self.worker(lane, plan.beside(planned, lane))
        files = tables.read_all(checkpoint, self.worker)
        yield from _CheckpointRun(self, checkpoint, planned, files).results()

    def _broken(self, checkpoint: Checkpoint) -> Iterator[Result]:
        for file, reason in checkpoint.broken.items():
            yield self._without_case(checkpoint, file, "unreadable", reason)

    def _without_case(self, checkpoint: Checkpoint, file: str, verdict: str, reason: str) -> Result:
        result = unopened(checkpoint.name, reason, self.settings.dtype, file)
        result.revision, result.architecture = checkpoint.revision, checkpoint.architecture
        result.verdict = verdict
        return result

    def folder(self, name: str) -> Path:
        """Return an empty scratch folder."""
        folder = self._scratch / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder


class _CheckpointRun:
    """One checkpoint's cases, held to its first good one and to a float64 reference of that."""

    def __init__(
        self,
        sweep: Sweep,
        checkpoint: Checkpoint,
        planned: Sequence[plan.Case],
        files: tables.Files,
    ) -> None:
        self.sweep, self.checkpoint, self.planned, self.files = sweep, checkpoint, planned, files
        self.settings = sweep.settings
        self.inputs = plan.inputs(checkpoint)
        self.given = _write(sweep.folder("inputs"), self.inputs.batch)
        self.prompt = self.inputs.prompt and _write(sweep.folder("prompt"), self.inputs.prompt)
        self.baseline: tuple[plan.Case, Run, Result] | None = None
        self.reference: Run | None = None
        self.unused: dict[str, list[str]] = {}  # origin -> keys its own framework leaves unused
        self.digests = {weights.name: weights.sha256() for weights in checkpoint.weights}

    def results(self) -> Iterator[Result]:
        for case in self.planned:
            result = self._blank(case)
            try:
                self._judge(case, result)
            except LaneDiedError as died:
                result.verdict, result.reason = died.kind, died.message
            except LaneError as error:
                result.verdict, result.reason = _why(error), str(error).strip().splitlines()[0]
            yield result

    def _blank(self, case: plan.Case) -> Result:
        weights = case.weights
        return Result(
            self.checkpoint.name,
            self.checkpoint.revision,
            self.checkpoint.architecture,
            {"file": weights.name, "format": weights.format, "sha256": self.digests[weights.name]},
            case.lane,
            self._device(case.lane),
            self.settings.dtype,
            case.route,
        )

    def _device(self, lane: str) -> str:
        if self.settings.device == "cpu":
            return "cpu"
        worker = self.sweep.worker(lane)
        try:
            worker.start()
        except LaneError:
            return "cpu"  # the case itself will meet the same error and report it
        return "cuda" if worker.about["device"] else "cpu"

    def _judge(self, case: plan.Case, result: Result) -> None:
        table = self.files.tables.get(case.weights.name)
        if table is None:
            result.verdict, result.reason = self.files.faults[case.weights.name]
            return
        bad = [name for name, line in table.items() if not line["finite"]]
        if bad:
            result.verdict, result.reason = "not finite", f"NaN or Inf in the file's {bad[0]}"
            return
        run = self._run(case, result, result.device, result.dtype)
        fault = loading_fault(
            result.loading, self.checkpoint.config, self.unused.get(case.weights.origin, ()),
            self.files.copies(case.weights.name),
        )  # fmt: skip
        if case.native:
            self.unused.setdefault(case.weights.origin, result.loading["unexpected"])
        if run is None or fault:
            result.verdict, result.reason = "loads incompletely", fault or "it was not run"
            return
        if self.baseline is None:
            self.baseline = (case, run, result)
            self._take_reference(case)
        self._compare(case, run, result)

    def _run(self, case: plan.Case, result: Result, device: str, dtype: str) -> Run | None:
        worker = self.sweep.worker(case.lane, plan.beside([case], case.lane))
        opened = worker.call(
            "open",
            folder=str(_only(self.checkpoint, case.weights, self.sweep.folder("model"))),
            architecture=self.checkpoint.architecture,
            origin=case.weights.origin,
            format=case.weights.format,
            route=case.route,
            dtype=dtype,
            device=device,
        )
        result.loading, result.load_seconds = opened["loading"], opened["load_seconds"]
        if opened["loading"]["unset"]:
            return None
        answer = worker.call("run", inputs=self.given, into=str(self.sweep.folder("out")))
        result.first_call_seconds = answer["first_call_seconds"]
        generated = None
        if self.prompt and dtype != "float64":
            generated = worker.call(
                "generate", inputs=self.prompt, new_tokens=self.inputs.new_tokens
            )
        if self.settings.measure and dtype != "float64":
            laps = worker.call("time", inputs=self.given, times=self.settings.laps)["milliseconds"]
            p50, p90 = np.percentile(laps, [50, 90])
            result.latency_ms = {"p50": float(p50), "p90": float(p90), "n": len(laps)}
        peaks = worker.call("peak")
        result.peak_rss_mb, result.peak_gpu_mb = peaks["peak_rss_mb"], peaks["peak_gpu_mb"]
        return Run(
            {name: np.load(path) for name, path in answer["outputs"].items()},
            {name: [np.load(p) for p in paths] for name, paths in answer["hidden"].items()},
            generated,
        )

    def _take_reference(self, case: plan.Case) -> None:
        if "pytorch" not in self.settings.lanes:
            return
        route = "plain" if case.weights.origin == "pytorch" else "helper"
        try:
            self.reference = self._run(
                plan.Case(case.weights, "pytorch", route), self._blank(case), "cpu", "float64"
            )
        except LaneError:
            self.reference = None

    def _mask(self, name: str) -> np.ndarray:
        decoder = self.inputs.decoder_mask
        return self.inputs.mask if decoder is None or name.startswith("encoder") else decoder

    def _compare(self, case: plan.Case, run: Run, result: Result) -> None:
        assert self.baseline is not None
        base_case, base, _ = self.baseline
        itself = base_case is case
        held_to = self.reference if itself and self.reference else base
        rows = [
            row
            for name, array in run.outputs.items()
            if name in held_to.outputs
            for row in compare.by_region(name, array, held_to.outputs[name], self._mask(name))
        ]
        limit = tolerance(result.dtype, result.device, self.checkpoint.config.get("model_type", ""))
        result.outputs = [_row(row, limit.rel_l2) for row in rows]
        if "logits" in run.outputs and "logits" in held_to.outputs:
            pair = run.outputs["logits"], held_to.outputs["logits"], self._mask("logits")
            result.top1_agreement = compare.top_agreement(*pair, 1)
            result.top5_agreement = compare.top_agreement(*pair, 5)
        self._own_errors(case, run, base_case, base, result)
        fault = outputs_fault(rows, limit)
        missing = sorted(set(held_to.outputs) ^ set(run.outputs))
        if missing and fault is None:
            result.notes.append(f"only one side returns {', '.join(missing)}")
        tokens = self._tokens(run, base, result, rows)
        weights = self.files.compare(case.weights.name, base_case.weights.name)
        if fault or not weights.same:
            result.first_divergent_layer = self._layer(run, base)
        if not weights.same:
            reason = diagnose.weights(self.files, case.weights, base_case.weights, weights)
            result.verdict, result.reason = "weights differ", reason
        elif fault:
            result.verdict, result.reason = fault
        elif tokens:
            result.verdict, result.reason = "tokens differ", tokens
        else:
            worst = max((row.rel_l2 for row in rows if row.region == "real"), default=0.0)
            against = "the float64 reference" if held_to is self.reference else base_case.lane
            result.verdict = AGREE
            result.reason = f"relative L2 {worst:.1e} to {against} on {base_case.weights.name}"

    def _own_errors(
        self, case: plan.Case, run: Run, base_case: plan.Case, base: Run, result: Result
    ) -> None:
        if self.reference is None:
            return
        ours, theirs = (_error(side, self.reference, self._mask) for side in (run, base))
        off = None
        if case is not base_case:
            off = off_side(ours, theirs, case.lane, base_case.lane)
        result.reference = {"lane_error": ours, "baseline_error": theirs, "off_side": off}

    def _tokens(
        self, run: Run, base: Run, result: Result, rows: Sequence[compare.Difference]
    ) -> str | None:
        if run.generated is None or base.generated is None:
            return None
        ours, theirs = run.generated["tokens"], base.generated["tokens"]
        result.generated_equal = ours == theirs
        if ours == theirs:
            result.generation = {"tokens": len(ours), "distinct": len(set(ours))}
            return None
        at = next(
            (i for i, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]),
            min(len(ours), len(theirs)),
        )
        top2 = base.generated["top2"]
        margin = top2[at][0] - top2[at][1] if at < len(top2) else None
        result.generation = {"tokens": len(ours), "parts_at": at, "margin": margin}
        noise = 2 * max((row.max_abs for row in rows if row.name == "logits"), default=0.0)
        if margin is not None and margin <= noise:
            result.notes.append(f"tokens part at {at}, where two tokens tie within rounding")
            return None
        return f"generated tokens part at position {at} (margin {margin})"

    def _layer(self, run: Run, base: Run) -> int | str | None:
        for name, states in base.hidden.items():
            reference = self.reference.hidden.get(name) if self.reference else None
            mask = self._mask(name)
            own = [
                compare.by_region(name, a, b, mask)[0].rel_l2
                for a, b in zip(states, reference or states, strict=True)
            ]
            limits = [max(_BASELINE_FLOOR, 10 * error) for error in own]
            at = compare.first_divergent_layer(run.hidden.get(name, []), states, mask, limits)
            if at is not None:
                side = name.split("_")[0] + " " if name != "hidden_states" else ""
                return f"{side}embeddings" if at == 0 else f"{side}{at - 1}" if side else at - 1
        return None


def _error(run: Run, reference: Run, mask: Any) -> float:
    shared = run.outputs.keys() & reference.outputs.keys()
    return max(
        compare.by_region(n, run.outputs[n], reference.outputs[n], mask(n))[0].rel_l2
        for n in shared
    )


def _row(row: compare.Difference, limit: float) -> dict[str, Any]:
    return {
        "name": row.name,
        "region": row.region,
        "max_abs": row.max_abs,
        "rel_l2": row.rel_l2,
        "cosine": row.cosine,
        "finite": row.finite,
        "dtype": row.dtype[0],
        "tolerance": limit if row.region == "real" else None,
        "of_tolerance": row.rel_l2 / limit if row.region == "real" else None,
    }


def _why(error: LaneError) -> str:
    if error.kind == "LookupError":
        return "no class"
    return "out of memory" if error.kind == "MemoryError" else "does not load"


def _write(folder: Path, arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return {name: str(folder / f"{name}.npy") for name in arrays}


def _only(checkpoint: Checkpoint, weights: Weights, folder: Path) -> Path:
    """Fill `folder` with the config and these weights alone, so that a loader has no choice."""
    for file in weights.files:
        _link(file.resolve(), folder / file.name)
    for name in ("config.json", "generation_config.json"):
        if (checkpoint.folder / name).is_file():
            shutil.copyfile(checkpoint.folder / name, folder / name)
    return folder


def _link(source: Path, target: Path) -> None:
    try:
        target.symlink_to(source)
    except OSError:  # Windows without the right to make links
        shutil.copyfile(source, target)
