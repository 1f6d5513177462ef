"""Runs the cases of checkpoints through the backends."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

import numpy as np

from hfscan.parity import inputs, measure, plan, staging, tables
from hfscan.parity.checkpoints import Checkpoint, CheckpointError
from hfscan.parity.judge import Judge
from hfscan.parity.pool import Pool, Settings
from hfscan.parity.runs import Run, Runner
from hfscan.parity.verdict import NO_BACKEND, Result, loading_fault, unopened
from hfscan.parity.worker import NOT_INSTALLED, BackendDiedError, BackendError, first_line

__all__ = ["Settings", "Sweep"]


class Sweep(Pool):
    """Checks checkpoints, one after the other, in the same backends.

    `measurements` grows by a row for each backend, variant and checkpoint that was timed.
    """

    def __init__(self, settings: Settings, notify: Callable[[str], None] | None = None) -> None:
        super().__init__(settings, notify)
        self.measurements: list[dict[str, Any]] = []

    def check(self, checkpoint: Checkpoint, texts: Sequence[str] | None = None) -> Iterator[Result]:
        """Yield the result of every case; whatever a backend does, the next case follows.

        All are run on `texts`, or where there are none on random token ids. What was timed is in
        the results after the last one.
        """
        for file, reason in checkpoint.broken.items():
            yield self._without_case(checkpoint, file, "unreadable", reason)
        for file, reason in checkpoint.unopened.items():
            yield self._without_case(checkpoint, file, NO_BACKEND, reason)
        planned = plan.cases(checkpoint, self.settings.backends)
        opened = [one for one in checkpoint.weights if any(c.weights is one for c in planned)]
        for weights in checkpoint.weights:
            if weights not in opened:
                reason = f"no backend here opens {weights.origin}'s files"
                yield self._without_case(checkpoint, weights.name, NO_BACKEND, reason)
        for backend in self.settings.backends:
            worker = self.worker(backend, plan.beside(planned, backend))
            if any(case.backend == backend for case in planned):
                with suppress(BackendError):  # its cases will meet the same error and report it
                    worker.launch()  # frameworks take seconds to import: all at the same time
        files = tables.read_all(opened, self)
        tokens = self._tokens(checkpoint, texts) if texts else None
        cases = _Cases(self, checkpoint, planned, files, tokens)
        yield from cases.results()
        if self.settings.measure and cases.ran:
            self._measure(cases)

    def _measure(self, cases: "_Cases") -> None:
        rows = []
        try:
            rows = measure.infer(cases.runner, cases.ran)
            if self.settings.train:
                rows += measure.train(cases.runner, cases.ran)
        except BackendError as error:
            self.notes.append(f"{cases.checkpoint.name}: not timed: {first_line(error)}")
        self.measurements += rows
        for row in rows:
            usual = row["variant"] == plan.facts(row["backend"]).variants[0]
            if row["what"] == "inference" and usual:
                _, result = cases.ran[row["backend"]][-1]
                result.latency_ms = row.get("latency_ms")

    def _tokens(self, checkpoint: Checkpoint, texts: Sequence[str]) -> np.ndarray:
        """Return [rows, length], -1 where a text is at its end. Raises CheckpointError."""
        limit = inputs.length(checkpoint.config)
        try:
            rows = self.worker(self.settings.backends[0]).call(
                "tokenize",
                folder=str(staging.stage_tokenizer(checkpoint, self.folder("tokenizer"))),
                texts=list(texts),
                length=limit,
            )["ids"]
        except BackendError as error:
            raise CheckpointError(
                f"its tokenizer does not work ({first_line(error)}); without --inputs it is "
                f"checked on random token ids"
            ) from error
        if len(rows) != len(texts) or not all(0 < len(row) <= limit for row in rows):
            raise CheckpointError(
                f"its tokenizer does not give 1 to {limit} tokens for each text; without --inputs "
                f"it is checked on random token ids"
            )
        tokens = np.full((len(rows), max(map(len, rows))), -1)
        for place, row in enumerate(rows):
            tokens[place, : len(row)] = row
        return tokens

    def _without_case(self, checkpoint: Checkpoint, file: str, verdict: str, reason: str) -> Result:
        result = unopened(checkpoint.name, reason, self.settings.dtype, file)
        result.revision, result.architecture = checkpoint.revision, checkpoint.architecture
        result.verdict = verdict
        return result


class _Cases:
    """One checkpoint's cases, held to its first good one."""

    def __init__(
        self,
        pool: Pool,
        checkpoint: Checkpoint,
        planned: Sequence[plan.Case],
        files: tables.Files,
        tokens: np.ndarray | None,
    ) -> None:
        self.pool, self.checkpoint, self.planned, self.files = pool, checkpoint, planned, files
        self.runner = Runner(pool, checkpoint, inputs.draw(checkpoint, tokens=tokens))
        self.judge: Judge | None = None
        self.ran = defaultdict[str, list[tuple[plan.Case, Result]]](
            list
        )  # backend -> what ran in it
        self.unused: dict[str, list[str]] = {}  # origin -> keys its own framework leaves unused

    def results(self) -> Iterator[Result]:
        """Yield the results in the order of the plan; backends work side by side.

        A backend goes on to its next case while its last one is judged.
        """
        waiting = defaultdict[str, deque[plan.Case]](deque)
        for case in self.planned:
            waiting[case.backend].append(case)
        running: dict[str, Future[tuple[Result, Run | None]]] = {}
        with self.pool.threads() as threads:

            def go_on(backend: str) -> None:
                if waiting[backend]:
                    running[backend] = threads.submit(self._run, waiting[backend].popleft())

            for backend in list(waiting):
                go_on(backend)
            for case in self.planned:
                result, run = running[case.backend].result()
                if run is not None:
                    self.ran[case.backend].append((case, result))
                sound = not result.verdict and self._sound(case, run, result)
                go_on(case.backend)
                if run is not None and sound:
                    self._judge(case, run, result)
                yield result

    def _run(self, case: plan.Case) -> tuple[Result, Run | None]:
        """Run a case; what failed before it could be judged has its verdict already."""
        result = self._blank(case)
        table = self.files.tables.get(case.weights.name)
        if table is None:
            result.verdict, result.reason = self.files.faults[case.weights.name]
            return result, None
        bad = [name for name, line in table.items() if not line["finite"]]
        if bad:
            result.verdict, result.reason = "not finite", f"NaN or Inf in the file's {bad[0]}"
            return result, None
        try:
            return result, self.runner.run(case, result)
        except BackendError as error:
            result.verdict, result.reason = self._verdict(error)
            return result, None

    def _blank(self, case: plan.Case) -> Result:
        name, format_ = case.weights.name, case.weights.format
        left_out = ", ".join(self.checkpoint.left_out)
        return Result(
            self.checkpoint.name,
            self.checkpoint.revision,
            self.checkpoint.architecture,
            {"file": name, "format": format_, "sha256": self.files.digests[name]},
            case.backend,
            self.pool.device(case.backend),
            self.pool.settings.dtype,
            case.route,
            notes=[f"left out of its config: {left_out}"] if left_out else [],
        )

    def _sound(self, case: plan.Case, run: Run | None, result: Result) -> bool:
        """Say whether the model is all that the file holds; the first that is becomes baseline."""
        fault = loading_fault(
            result.loading, self.checkpoint.config, self.unused.get(case.weights.origin, ()),
            self.files.copies(case.weights.name),
            [
                name
                for key, line in self.files.tables[case.weights.name].items()
                for name in (key, line["source"])
            ],
        )  # fmt: skip
        if case.native:
            self.unused.setdefault(case.weights.origin, result.loading["unexpected"])
        if run is None or fault:
            result.verdict, result.reason = "loads incompletely", fault or "it was not run"
            return False
        if self.judge is None:
            self.judge = Judge(
                self.files,
                self.runner.inputs,
                (case, run),
                self._reference(case, result),
                lambda: self._others(case),
            )
        return True

    def _judge(self, case: plan.Case, run: Run, result: Result) -> None:
        assert self.judge is not None
        try:
            self.judge.judge(case, run, result)
        except BackendError as error:
            result.verdict, result.reason = self._verdict(error)

    def _reference(self, case: plan.Case, result: Result) -> Run | None:
        if "pytorch" not in self.pool.settings.backends:
            return None
        try:
            return self.runner.reference(case, self._blank(case))
        except BackendError as error:
            result.notes.append(f"no float64 reference: {first_line(error)}")
            return None

    def _others(self, case: plan.Case) -> Iterator[tuple[str, Run]]:
        if "pytorch" in self.pool.settings.backends:
            yield from self.runner.with_activations(case, self._blank(case))

    def _verdict(self, error: BackendError) -> tuple[str, str]:
        """Return (verdict, reason) of a case whose backend raised this."""
        if isinstance(error, BackendDiedError):
            return error.kind, error.message
        kinds = {
            "LookupError": "no class",
            "MemoryError": "out of memory",
            "ImportError": NOT_INSTALLED,
            "ModuleNotFoundError": NOT_INSTALLED,
        }
        reason = self.pool.readable(first_line(error), self.checkpoint.name)
        return kinds.get(error.kind, "does not load"), reason
