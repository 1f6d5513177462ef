"""Run the cases of checkpoints in the backends."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from hfscan.errors import HfscanError
from hfscan.parity import benchmark
from hfscan.parity.arrays import ArrayReader
from hfscan.parity.cases import Case, backend_spec, list_cases, required_backends
from hfscan.parity.checkpoint import Checkpoint, Weights, load_checkpoint, with_baseline
from hfscan.parity.configs import CheckpointError, Config
from hfscan.parity.inputs import Inputs, make_inputs, max_length
from hfscan.parity.loading import find_loading_fault
from hfscan.parity.pool import BackendPool
from hfscan.parity.process import BackendProcess, Settings
from hfscan.parity.releases import find_unread, is_newer
from hfscan.parity.replies import BackendDiedError, BackendError, backend_failed, summary_line
from hfscan.parity.result import Result, Verdict, new_result_without_run
from hfscan.parity.verdict import Evaluator, Fault, Run
from hfscan.parity.weights import WeightTables, first_of, read_tables
from hfscan.text import sanitize

_ACTIVATIONS = ("gelu", "gelu_new", "quick_gelu", "relu", "silu", "tanh")
"""What transformers' models use between layers, as named in configs."""
_MAX_KEYS = 5  # entries of a config that a reason names
_VERDICTS = {  # exception class in the backend -> verdict
    "LookupError": Verdict.NO_CLASS,
    "MemoryError": Verdict.OUT_OF_MEMORY,
    "ImportError": Verdict.NOT_INSTALLED,
    "ModuleNotFoundError": Verdict.NOT_INSTALLED,
}


class ModelRunner:
    """Opens the models of one checkpoint in backends and runs them, all on the same inputs."""

    def __init__(self, pool: BackendPool, checkpoint: Checkpoint, inputs: Inputs) -> None:
        self.pool, self.checkpoint, self.inputs = pool, checkpoint, inputs
        self.groups: dict[str, list[list[str]] | None] = {}  # backend -> names of each tensor
        self.opened: dict[str, tuple[Case, str]] = {}  # backend -> open case, dtype
        self.batch_files = _save(pool.new_folder("inputs"), inputs.batch)
        self.prompt_files = inputs.prompt and _save(pool.new_folder("prompt"), inputs.prompt)

    def run(self, case: Case, result: Result) -> Run | None:
        """Open and run `case`; None if weights have no values. Raises BackendError."""
        process = self.pool.process(case.backend)
        with process.lock:
            if not self.open(case, result, result.device, result.dtype):
                return None
            run = self._forward(case, result.device)
            result.first_call_seconds = run.seconds
            if result.device == "cuda" and result.dtype == "float32":
                with suppress(BackendError):  # ONNX has no such switch
                    run.tf32 = self._forward(case, result.device, tf32=True).outputs
            if self.prompt_files:
                prompt = {"inputs": self.prompt_files, "new_tokens": self.inputs.new_tokens}
                try:
                    run.generated = process.call("generate", **prompt)
                except BackendDiedError:
                    raise
                except BackendError as error:
                    run.generation_error = summary_line(error)
            peaks = process.call("peak")
        result.peak_rss_mb, result.peak_gpu_mb = peaks["peak_rss_mb"], peaks["peak_gpu_mb"]
        return run

    def run_reference(self, case: Case, result: Result) -> Run | None:
        """Run the case's weights in float64 on the CPU, in PyTorch. Raises BackendError."""
        case = _in_pytorch(case)
        with self.pool.process("pytorch").lock:
            if self.opened.get("pytorch") == (case, "float32") and result.device == "cpu":
                return self._forward(case, "cpu", double=True)  # float32 converts without loss
            has_values = self.open(case, result, "cpu", "float64")
            return self._forward(case, "cpu") if has_values else None

    def run_activations(self, case: Case, result: Result) -> Iterator[tuple[str, Run]]:
        """Yield (activation, float64 run with it instead of the config's). Raises BackendError."""
        case = _in_pytorch(case)
        with self.pool.process("pytorch").lock:
            if self.open(case, result, "cpu", "float64"):
                for name in _ACTIVATIONS:
                    yield name, self._forward(case, "cpu", activation=name)

    def open(self, case: Case, result: Result, device: str, dtype: str) -> bool:
        """Open a model in its backend. Return whether all its weights have values.

        Raises BackendError.
        """
        self.opened.pop(case.backend, None)
        process = self.pool.process(case.backend, required_backends([case], case.backend))
        reply = self.open_in(process, case, device, dtype)
        result.loading, result.load_seconds = reply["loading"], reply["load_seconds"]
        self.groups[case.backend] = reply.get("tensors")
        unread = reply.get("unread_config_keys", ())
        result.unread_config_keys = find_unread(unread, _config_of(case))
        self.opened[case.backend] = (case, dtype)
        return not reply["loading"]["unset"]

    def ensure_open(self, case: Case, result: Result) -> None:
        """Open the case's model, unless it is the one that is open. Raises BackendError."""
        if self.opened.get(case.backend) != (case, result.dtype):
            self.open(case, result, result.device, result.dtype)

    def open_in(
        self, process: BackendProcess, case: Case, device: str, dtype: str
    ) -> dict[str, Any]:
        """Open a model in this process and return what its loader reports. Raises BackendError."""
        folder = self.pool.new_folder(f"model-{case.backend}")
        return process.call(
            "open",
            folder=str(case.weights.stage(folder, translated=case.load_method == "converted")),
            architecture=self.checkpoint.architecture,
            origin=case.weights.origin,
            format=case.weights.format,
            load_method=case.load_method,
            dtype=dtype,
            device=device,
        )

    def _forward(self, case: Case, device: str, **options: str | bool) -> Run:
        into = self.pool.new_folder(f"out-{case.backend}")
        reply = self.pool.process(case.backend).call(
            "run", inputs=self.batch_files, into=str(into), **options
        )
        arrays = ArrayReader(into)
        outputs = {name: arrays.read(path) for name, path in reply["outputs"].items()}
        if missing := sorted(outputs.keys() - reply["dtypes"].keys()):
            raise backend_failed(f"it did not report the precision of {missing[0]}")
        hidden = {name: list(map(arrays.read, paths)) for name, paths in reply["hidden"].items()}
        run = Run(outputs, reply["dtypes"], hidden, reply["first_call_seconds"], device)
        run.replaced_activations = reply.get("replaced_activations", [])
        return run


def _in_pytorch(case: Case) -> Case:
    """Return the case that loads these weights into PyTorch most reliably."""
    is_direct = case.weights.origin == "pytorch" and case.load_method == "direct"
    return Case(case.weights, "pytorch", "direct" if is_direct else "converted")


def _config_of(case: Case) -> Config:
    """Return the config that the case's backend gets."""
    is_converted = case.load_method == "converted"
    return case.weights.translated_config if is_converted else case.weights.config


def _save(folder: Path, arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return {name: str(folder / f"{name}.npy") for name in arrays}


class ParityRunner(AbstractContextManager["ParityRunner"]):
    """Checks checkpoints, one after the other, in the same backends; a context manager."""

    def __init__(self, settings: Settings, notify: Callable[[str], None] | None = None) -> None:
        self.pool = BackendPool(settings, notify)
        self.measurements: list[dict[str, Any]] = []  # by checkpoint, backend and variant

    def __exit__(self, *_: object) -> None:
        self.pool.close()

    def check_named(
        self, name: str, revision: str | None, baseline: str | None, texts: Sequence[str] | None
    ) -> list[Result]:
        """Check a folder or a Hub id; the result of one that cannot be loaded says why."""
        dtype = self.pool.settings.dtype
        try:
            checkpoint = load_checkpoint(name, revision)
            if baseline is not None:
                checkpoint = with_baseline(checkpoint, load_checkpoint(baseline))
            return list(self.check(checkpoint, texts))
        except HfscanError as error:
            verdict = getattr(error, "verdict", Verdict.UNREADABLE)  # of a CheckpointError
            return [new_result_without_run(name, str(error), dtype, verdict=verdict)]

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
        runner = ModelRunner(self.pool, checkpoint, make_inputs(checkpoint, tokens=tokens))
        run = CheckpointRun(runner, cases, tables)
        yield from run.results()
        if settings.measure and run.completed:
            self._measure(run)

    def _report_unopened(self, checkpoint: Checkpoint, used: Sequence[Weights]) -> Iterator[Result]:
        """Yield a result for each file that no backend opens."""
        faults = [(file, Verdict.UNREADABLE, why) for file, why in checkpoint.damaged.items()]
        faults += [(file, Verdict.UNSUPPORTED, why) for file, why in checkpoint.unsafe.items()]
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
        for backend in self.pool.settings.backends:
            process = self.pool.process(backend, required_backends(cases, backend))
            if any(case.backend == backend for case in cases):
                with suppress(BackendError):  # running a case raises it again and reports it
                    process.spawn()

    def _measure(self, run: "CheckpointRun") -> None:
        rows = []
        try:
            rows = benchmark.measure_inference(run.runner, run.completed)
            if self.pool.settings.train:
                rows += benchmark.measure_training(run.runner, run.completed)
        except BackendError as error:
            self.pool.notes.append(f"{run.checkpoint.name}: not timed: {summary_line(error)}")
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
                    self.completed[case.backend].append((case, result))
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
        return Result(
            self.checkpoint.name,
            self.checkpoint.revision,
            self.checkpoint.architecture,
            {"file": name, "format": format_, "sha256": self.tables.digests[name]},
            case.backend,
            self.pool.device(case.backend),
            self.pool.settings.dtype,
            case.load_method,
            notes=[f"removed from its config: {removed}"] if removed else [],
        )

    def _accept_run(self, case: Case, run: Run | None, result: Result) -> bool:
        """Set the verdict if the loader lost weights; make the first complete case the baseline.

        Return whether the run can be compared.
        """
        fault = find_loading_fault(
            result.loading,
            str(case.weights.config.get("model_type")),
            self.tables.tables[case.weights.name],
            self.runner.groups[case.backend],
        )
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
            reference = None
            try:
                if "pytorch" in self.pool.settings.backends:
                    reference = self.runner.run_reference(case, self._new_result(case))
            except BackendError as error:
                result.notes.append(f"no float64 reference: {summary_line(error)}")
            self.evaluator = Evaluator(
                self.tables,
                self.runner.inputs,
                (case, run),
                reference,
                lambda: self.runner.run_activations(case, self._new_result(case)),
            )
        return True

    def _describe_release(self, case: Case, result: Result) -> str:
        """Return the release that reads the config; note if a later one saved it."""
        versions = self.pool.process(case.backend).info.get("versions", {})
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
        return _VERDICTS.get(error.kind, Verdict.DOES_NOT_LOAD), reason
