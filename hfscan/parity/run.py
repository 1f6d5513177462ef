"""Run the cases of checkpoints in the backends."""

import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from typing import Any

import numpy as np

from hfscan.parity import benchmark
from hfscan.parity.cases import Case, backend_spec, list_cases, required_backends
from hfscan.parity.checkpoint import Checkpoint, Weights
from hfscan.parity.configs import CheckpointError
from hfscan.parity.inputs import make_inputs, max_length
from hfscan.parity.loading import find_loading_fault
from hfscan.parity.model import ModelRunner, in_pytorch
from hfscan.parity.outputs import Run
from hfscan.parity.pool import BackendPool
from hfscan.parity.process import Settings
from hfscan.parity.releases import is_newer
from hfscan.parity.replies import BackendDiedError, BackendError, summary_line
from hfscan.parity.result import Result, Verdict, new_result_without_run
from hfscan.parity.verdict import Evaluator, Fault
from hfscan.parity.weights import WeightTables, first_of, read_tables
from hfscan.text import sanitize

_MAX_KEYS = 5  # entries of a config that a reason names
_OUT_OF_MEMORY = re.compile(
    r"OutOfMemoryError|ResourceExhaustedError|RESOURCE_EXHAUSTED|[Oo]ut of memory"
    r"|(can't|[Ff]ailed to) allocate|STATUS_ALLOC_FAILED"
)
"""What frameworks call it: PyTorch, TensorFlow, XLA, onnxruntime, cuDNN and cuBLAS."""
_VERDICTS = {  # exception class in the backend -> verdict
    "LookupError": Verdict.NO_CLASS,
    "NotApplicableError": Verdict.NOT_APPLICABLE,
    "MemoryError": Verdict.OUT_OF_MEMORY,
    "ImportError": Verdict.NOT_INSTALLED,
    "ModuleNotFoundError": Verdict.NOT_INSTALLED,
}


class ParityRunner(AbstractContextManager["ParityRunner"]):
    """Checks checkpoints, one after the other, in the same backends; a context manager."""

    def __init__(self, settings: Settings, notify: Callable[[str], None] | None = None) -> None:
        self.pool = BackendPool(settings, notify)
        self.measurements: list[dict[str, Any]] = []  # by checkpoint, backend and variant

    def __exit__(self, *_: object) -> None:
        self.pool.close()

    def check(self, checkpoint: Checkpoint, texts: Sequence[str] | None = None) -> Iterator[Result]:
        """Yield the result of every case, run on `texts` or on random token ids.

        Whatever a backend does, the next case follows. Latencies are set after the last case.
        """
        settings = self.pool.settings
        cases = list_cases(checkpoint, settings.backends)
        used = [file for file in checkpoint.weights if any(case.weights is file for case in cases)]
        yield from self._report_unopened(checkpoint, used)
        self._spawn_backends(cases)
        tables = read_tables(used, self.pool)
        tokens = self._tokenize(checkpoint, texts) if texts else None
        inputs = make_inputs(checkpoint.config, checkpoint.architecture, tokens=tokens)
        runner = ModelRunner(self.pool, checkpoint, inputs)
        run = CheckpointRun(runner, cases, tables)
        yield from run.results()
        if settings.measure and run.completed:
            self._measure(run)

    def _report_unopened(self, checkpoint: Checkpoint, used: Sequence[Weights]) -> Iterator[Result]:
        """Yield a result for each file that no backend opens."""
        faults = [(file, error.verdict, str(error)) for file, error in checkpoint.faulty.items()]
        faults += [
            (file, Verdict.UNSUPPORTED, f"{description}: never opened")
            for file, description in checkpoint.unopened.items()
        ]
        faults += [
            (weights.name, Verdict.UNSUPPORTED, f"no chosen backend opens {weights.origin}'s files")
            for weights in checkpoint.weights
            if weights not in used
        ]
        for file, verdict, reason in faults:
            dtype = self.pool.settings.dtype
            result = new_result_without_run(checkpoint.name, reason, dtype, file, verdict)
            result.revision, result.architecture = checkpoint.revision, checkpoint.architecture
            yield result

    def _spawn_backends(self, cases: Sequence[Case]) -> None:
        """Start the backends in parallel: importing a framework takes seconds."""
        needs = {(case.backend, required_backends([case], case.backend)) for case in cases}
        # those that import most first: otherwise they would be restarted
        for backend, also_imports in sorted(needs, key=lambda need: -len(need[1])):
            with suppress(BackendError):  # running a case raises it again and reports it
                self.pool.process(backend, also_imports).spawn()

    def _measure(self, run: "CheckpointRun") -> None:
        rows = []
        for backend in run.completed:
            self.pool.probe(backend)
        try:
            rows = benchmark.measure_inference(run.runner, run.completed)
            if self.pool.settings.train:
                rows += benchmark.measure_training(run.runner, run.completed)
        except BackendError as error:
            for completed in run.completed.values():
                completed[-1][1].notes.append(f"not timed: {summary_line(error)}")
        self.measurements += rows
        for row in rows:
            is_default = row["variant"] == backend_spec(row["backend"]).variants[0]
            if row["mode"] == "inference" and is_default:
                _, result = run.completed[row["backend"]][-1]
                result.latency_ms = row.get("latency_ms")

    def _tokenize(self, checkpoint: Checkpoint, texts: Sequence[str]) -> np.ndarray:
        """Return [rows, length], padded with -1. Raises CheckpointError."""
        limit = max_length(checkpoint.config)
        advice = "without --inputs it is checked on random token ids"
        folder = checkpoint.stage_tokenizer(self.pool.new_folder("tokenizer"))
        request = {"folder": str(folder), "texts": list(texts), "length": limit}
        process = self.pool.process(self.pool.settings.backends[0])
        try:
            rows = process.call("tokenize", **request)["ids"]
        except BackendError as error:
            raise CheckpointError(
                f"its tokenizer does not work ({summary_line(error)}); {advice}"
            ) from error
        if len(rows) != len(texts) or not all(0 < len(row) <= limit for row in rows):
            raise CheckpointError(
                f"its tokenizer does not return 1 to {limit} tokens for each text; {advice}"
            )
        tokens = np.full((len(rows), max(map(len, rows))), -1)
        for index, row in enumerate(rows):
            tokens[index, : len(row)] = row
        return tokens


class CheckpointRun:
    """The cases of one checkpoint, compared with its first complete one."""

    def __init__(self, runner: ModelRunner, cases: Sequence[Case], tables: WeightTables) -> None:
        self.runner, self.cases, self.tables = runner, cases, tables
        self.pool, self.checkpoint = runner.pool, runner.checkpoint
        self.evaluator: Evaluator | None = None
        self.baseline: tuple[Case, Result]  # set with the evaluator
        self.completed = defaultdict[str, list[tuple[Case, Result]]](list)  # by backend

    def results(self) -> Iterator[Result]:
        """Yield the results in order; backends work in parallel, and while one is evaluated."""
        waiting = defaultdict[str, deque[Case]](deque)
        for case in self.cases:
            waiting[case.backend].append(case)
        running: dict[str, Future[tuple[Result, Run | None]]] = {}
        with self.pool.threads() as threads:

            def start_next(backend: str) -> None:
                if waiting[backend]:
                    running[backend] = threads.submit(self._run, waiting[backend].popleft())

            for backend in list(waiting):
                start_next(backend)
            for case in self.cases:
                result, run = running[case.backend].result()
                if run is not None:
                    completed = self.completed[case.backend]
                    is_elsewhere = self.pool.process_for(case).name != case.backend
                    # the last is timed: one in the backend's own environment
                    completed.insert(0 if is_elsewhere else len(completed), (case, result))
                can_compare = not result.verdict and self._accept_run(case, run, result)
                start_next(case.backend)
                if can_compare and run and self.evaluator:
                    try:
                        self.evaluator.evaluate(case, run, result)
                    except BackendError as error:
                        result.set_verdict(*self._to_fault(error))
                    self._withhold_agreement(case, result)
                yield result

    def _run(self, case: Case) -> tuple[Result, Run | None]:
        """Run a case; the result of one that failed has its verdict already."""
        result = self._new_result(case)
        file = case.weights.name
        if file in self.tables.faults:
            result.set_verdict(*self.tables.faults[file])
            return result, None
        for name, row in self.tables.tables[file].items():
            if not row["finite"]:
                result.set_verdict(Verdict.NOT_FINITE, f"NaN or Inf in the file's {name}")
                return result, None
        try:
            return result, self.runner.run(case, result)
        except BackendError as error:
            result.set_verdict(*self._to_fault(error))
            return result, None

    def _new_result(self, case: Case) -> Result:
        name, format_ = case.weights.name, case.weights.format
        removed = ", ".join(self.checkpoint.removed_keys)
        notes = [f"removed from its config: {removed}"] if removed else []
        if modules := self.checkpoint.unapplied_modules:
            names = sanitize(", ".join(modules), 120)
            notes.append(f"sentence embeddings not compared: {names} of modules.json not applied")
        if (process := self.pool.process_for(case)).name != case.backend:
            where = process.interpreter.environment or "of this Python"
            notes.append(f"run in the environment {where}, which has both frameworks")
        return Result(
            self.checkpoint.name,
            self.checkpoint.revision,
            self.checkpoint.architecture,
            {"file": name, "format": format_, "sha256": self.tables.digests[name]},
            case.backend,
            self.pool.device_for(case),
            self.pool.settings.dtype,
            case.load_method,
            notes=notes,
        )

    def _accept_run(self, case: Case, run: Run | None, result: Result) -> bool:
        """Set the verdict if the loader lost weights; make the first complete case the baseline.

        Return whether the run can be compared.
        """
        fault = self._find_loading_fault(case, result)
        if run is None or fault:
            result.set_verdict(Verdict.LOADS_INCOMPLETELY, fault or "it was not run")
            return False
        release = self._describe_release(case, result)
        keys, is_direct = result.unread_config_keys, case.load_method == "direct"
        if keys and is_direct and case.weights.has_translation:
            reason = (
                f"{release} does not read {first_of(keys)} of the config: it ignores the values"
            )
            result.set_verdict(Verdict.NOT_JUDGED, reason)
            return False
        if self.evaluator is None:
            self.baseline = case, result
            self.evaluator = Evaluator(
                self.tables,
                self.runner.inputs,
                (case, run),
                self._run_reference(case, result),
                lambda: self.runner.run_variants(case, self._new_result(case)),
            )
        return True

    def _find_loading_fault(self, case: Case, result: Result) -> str | None:
        return find_loading_fault(
            result.loading,
            str(case.weights.config.get("model_type")),
            self.tables.tables[case.weights.name],
            self.runner.tensor_names(case),
            lambda expected: self.runner.find_digests(case, expected),
        )

    def _run_reference(self, case: Case, result: Result) -> Run | None:
        """Return the float64 run of the baseline; None, and a note, if there is no complete one."""
        if "pytorch" not in self.pool.settings.backends:
            return None
        loaded = self._new_result(case)
        loaded.notes = []
        try:
            reference = self.runner.run_reference(case, loaded)
            fault = self._find_loading_fault(in_pytorch(case), loaded)
        except BackendError as error:
            reference, fault = None, summary_line(error)
        result.notes += loaded.notes
        if fault:
            result.notes.append(f"no float64 reference: {fault}")
        return None if fault else reference

    def _describe_release(self, case: Case, result: Result) -> str:
        """Return the release that reads the config; note if a later one saved it."""
        versions = self.pool.process_for(case).info.get("versions", {})
        installed = versions.get("transformers")
        if installed is None:
            return case.backend
        saved_by = case.weights.config.get("transformers_version")
        if is_newer(saved_by, installed):
            result.notes.append(
                f"transformers {sanitize(str(saved_by), 20)} saved the config, {installed} reads it"
            )
        return f"transformers {installed}"

    def _withhold_agreement(self, case: Case, result: Result) -> None:
        """Replace "agree" if a side computes without entries of its config."""
        for side, side_result in ((case, result), self.baseline):
            if result.verdict == Verdict.AGREE and (keys := side_result.unread_config_keys):
                advice = f"--backend-python {side.backend}=PYTHON names one with another release"
                result.set_verdict(
                    Verdict.NOT_JUDGED,
                    f"{side.backend} does not read {', '.join(keys[:_MAX_KEYS])} of the config: "
                    f"its outputs may be of another model ({advice})",
                )

    def _to_fault(self, error: BackendError) -> Fault:
        """Return (verdict, reason) of a case whose backend raised this."""
        if isinstance(error, BackendDiedError):
            return error.kind, error.message
        reason = self.pool.redact_paths(summary_line(error), self.checkpoint.name)
        if _OUT_OF_MEMORY.search(f"{error.kind}: {error.message}"):
            return Verdict.OUT_OF_MEMORY, reason
        return _VERDICTS.get(error.kind, Verdict.DOES_NOT_LOAD), reason
