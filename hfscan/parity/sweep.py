"""Runs the cases of checkpoints through the lanes."""

from collections.abc import Iterator, Sequence

from hfscan.parity import inputs, plan, tables
from hfscan.parity.checkpoints import Checkpoint
from hfscan.parity.judge import Judge
from hfscan.parity.pool import Pool, Settings
from hfscan.parity.runs import Run, Runner
from hfscan.parity.verdict import NO_LANE, Result, loading_fault, unopened
from hfscan.parity.worker import LaneDiedError, LaneError, first_line

__all__ = ["Settings", "Sweep"]


class Sweep(Pool):
    """Checks checkpoints, one after the other, in the same lanes."""

    def check(self, checkpoint: Checkpoint) -> Iterator[Result]:
        """Yield the result of every case; whatever a lane does, the next case follows."""
        for file, reason in checkpoint.broken.items():
            yield self._without_case(checkpoint, file, "unreadable", reason)
        planned = plan.cases(checkpoint, self.settings.lanes)
        opened = [one for one in checkpoint.weights if any(c.weights is one for c in planned)]
        for weights in checkpoint.weights:
            if weights not in opened:
                reason = f"no lane here opens {weights.origin}'s files"
                yield self._without_case(checkpoint, weights.name, NO_LANE, reason)
        for lane in self.settings.lanes:
            self.worker(lane, plan.beside(planned, lane))
        files = tables.read_all(opened, self.worker)
        yield from _Cases(self, checkpoint, planned, files).results()

    def _without_case(self, checkpoint: Checkpoint, file: str, verdict: str, reason: str) -> Result:
        result = unopened(checkpoint.name, reason, self.settings.dtype, file)
        result.revision, result.architecture = checkpoint.revision, checkpoint.architecture
        result.verdict = verdict
        return result


class _Cases:
    """One checkpoint's cases, held to its first good one."""

    def __init__(
        self, pool: Pool, checkpoint: Checkpoint, planned: Sequence[plan.Case], files: tables.Files
    ) -> None:
        self.pool, self.checkpoint, self.planned, self.files = pool, checkpoint, planned, files
        self.runner = Runner(pool, checkpoint, inputs.draw(checkpoint))
        self.judge: Judge | None = None
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
                result.verdict, result.reason = _why(error), first_line(error)
            yield result

    def _blank(self, case: plan.Case) -> Result:
        weights = case.weights
        return Result(
            self.checkpoint.name,
            self.checkpoint.revision,
            self.checkpoint.architecture,
            {"file": weights.name, "format": weights.format, "sha256": self.digests[weights.name]},
            case.lane,
            self.pool.device(case.lane),
            self.pool.settings.dtype,
            case.route,
        )

    def _judge(self, case: plan.Case, result: Result) -> None:
        table = self.files.tables.get(case.weights.name)
        if table is None:
            result.verdict, result.reason = self.files.faults[case.weights.name]
            return
        bad = [name for name, line in table.items() if not line["finite"]]
        if bad:
            result.verdict, result.reason = "not finite", f"NaN or Inf in the file's {bad[0]}"
            return
        run = self.runner.run(case, result)
        fault = loading_fault(
            result.loading, self.checkpoint.config, self.unused.get(case.weights.origin, ()),
            self.files.copies(case.weights.name),
            [name for key, line in table.items() for name in (key, line["source"])],
        )  # fmt: skip
        if case.native:
            self.unused.setdefault(case.weights.origin, result.loading["unexpected"])
        if run is None or fault:
            result.verdict, result.reason = "loads incompletely", fault or "it was not run"
            return
        if self.judge is None:
            self.judge = Judge(
                self.files,
                self.runner.inputs,
                (case, run),
                self._reference(case, result),
                lambda: self._others(case),
            )
        self.judge.judge(case, run, result)

    def _reference(self, case: plan.Case, result: Result) -> Run | None:
        if "pytorch" not in self.pool.settings.lanes:
            return None
        try:
            return self.runner.reference(case, self._blank(case))
        except LaneError as error:
            result.notes.append(f"no float64 reference: {first_line(error)}")
            return None

    def _others(self, case: plan.Case) -> Iterator[tuple[str, Run]]:
        if "pytorch" in self.pool.settings.lanes:
            yield from self.runner.with_activations(case, self._blank(case))


def _why(error: LaneError) -> str:
    if error.kind == "LookupError":
        return "no class"
    return "out of memory" if error.kind == "MemoryError" else "does not load"
