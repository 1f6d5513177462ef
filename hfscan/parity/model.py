"""Open the models of one checkpoint in backends and run them."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from hfscan.parity import compare
from hfscan.parity.arrays import ArrayReader
from hfscan.parity.cases import Case, backend_spec
from hfscan.parity.checkpoint import Checkpoint
from hfscan.parity.configs import Config
from hfscan.parity.generation import find_greedy_mismatch
from hfscan.parity.inputs import Inputs, save_arrays
from hfscan.parity.outputs import Run
from hfscan.parity.pool import BackendPool
from hfscan.parity.pooling import EMBEDDING
from hfscan.parity.process import BackendProcess
from hfscan.parity.reach import describe_unreached
from hfscan.parity.releases import find_unread
from hfscan.parity.replies import BackendDiedError, BackendError, backend_failed, summary_line
from hfscan.parity.result import Result, to_line
from hfscan.parity.tables import find_tolerance

_ACTIVATIONS = ("gelu", "gelu_new", "quick_gelu", "relu", "silu", "tanh")
"""What transformers' models use between layers, as named in configs."""


class ModelRunner:
    """Opens the models of one checkpoint in backends and runs them, all on the same inputs."""

    def __init__(self, pool: BackendPool, checkpoint: Checkpoint, inputs: Inputs) -> None:
        self.pool, self.checkpoint, self.inputs = pool, checkpoint, inputs
        self._tensor_names: dict[tuple[str, ...], list[list[str]]] = {}
        self.opened: dict[str, tuple[Case, str]] = {}  # name of a process -> open case, dtype
        self.batch_files = save_arrays(pool.new_folder("inputs"), inputs.batch)
        self.condition_files = {
            name: save_arrays(pool.new_folder(f"condition-{number}"), arrays)
            for number, (name, arrays) in enumerate(inputs.conditions.items())
        }
        self.prompt_files = inputs.prompt and save_arrays(pool.new_folder("prompt"), inputs.prompt)

    def tensor_names(self, case: Case) -> list[list[str]] | None:
        """Return the names of each tensor of the case's model; None if not reported."""
        return self._tensor_names.get(case.key)

    def find_digests(self, case: Case, expected: Mapping[str, str]) -> dict[str, str]:
        """Return the SHA-256 of tensors of the case's open model, as far as its backend can."""
        with suppress(BackendError):  # most see ties otherwise
            reply = self.pool.process_for(case).call("digest", expected=dict(expected))
            return dict(reply["digests"])
        return {}

    def run(self, case: Case, result: Result) -> Run | None:
        """Open and run `case`; None if weights have no values. Raises BackendError."""
        process = self.pool.process_for(case)
        with process.lock:
            if not self.open(case, result, result.device, result.dtype):
                return None
            run = self._forward(case, result.device)
            result.notes += map(to_line, run.notes)
            if unreached := describe_unreached(case.weights.config, self.inputs):
                result.notes.append(unreached)
            self._embed(run.outputs, self.inputs.mask)
            run.conditions = self._run_conditions(case, result.device)
            result.first_call_seconds = run.seconds
            if result.device == "cuda" and result.dtype == "float32":
                with suppress(BackendError):  # ONNX has no such switch
                    run.tf32 = self._forward(case, result.device, tf32=True).outputs
            if self.prompt_files:
                if settings := case.weights.generation_settings:
                    result.notes.append(f"generated without the checkpoint's {', '.join(settings)}")
                prompt = {"inputs": self.prompt_files, "new_tokens": self.inputs.new_tokens}
                try:
                    run.generated = process.call("generate", **prompt)
                except BackendDiedError:
                    raise
                except BackendError as error:
                    run.generation_error = summary_line(error)
                else:
                    self._check_cache(case, result, run, run.generated)
            peaks = process.call("peak")
            self._run_other_variants(case, result, run)
        result.peak_rss_mb, result.peak_gpu_mb = peaks["peak_rss_mb"], peaks["peak_gpu_mb"]
        return run

    def _run_other_variants(self, case: Case, result: Result, run: Run) -> None:
        """Run what is only compared with the variant that is judged; note what fails."""
        for name in self._list_other_variants(case):
            try:
                run.variants[name] = self._forward(case, result.device, variant=name).outputs
            except BackendError as error:
                result.notes.append(f"variant {name} fails: {summary_line(error)}")
                if isinstance(error, BackendDiedError):
                    self.opened.pop(self.pool.process_for(case).name)
                    return

    def run_reference(self, case: Case, result: Result) -> Run | None:
        """Run the case's weights in float64 on the CPU, in PyTorch with eager attention.

        Raises BackendError.
        """
        case = in_pytorch(case)
        process = self.pool.process_for(case)
        with process.lock:
            if self.opened.get(process.name) == (case, "float32") and result.device == "cpu":
                # float32 converts without loss
                options: dict[str, Any] = {"double": True, "eager": True}
            elif self.open(case, result, "cpu", "float64"):
                options = {"eager": True}
            else:
                return None
            run = self._forward(case, "cpu", **options)
            if not self._is_finite(run):
                options["eager"] = False
                run = self._forward(case, "cpu", **options)
                result.notes.append("eager attention gives NaN: not compared with the default one")
            self._embed(run.outputs, self.inputs.mask)
            run.conditions = self._run_conditions(case, "cpu", **options)
            return run

    def _is_finite(self, run: Run) -> bool:
        return all(
            compare.on_real(name, array, array, self.inputs.mask_of(name)).finite
            for name, array in run.outputs.items()
        )

    def run_variants(self, case: Case, result: Result) -> Iterator[tuple[str, Run]]:
        """Yield float64 runs that compute something else than the reference, and what it is.

        First the attention that users get, then other activations. Raises BackendError.
        """
        case = in_pytorch(case)
        with self.pool.process_for(case).lock:
            if self.open(case, result, "cpu", "float64"):
                yield "its default attention, not with eager attention", self._forward(case, "cpu")
                for name in _ACTIVATIONS:
                    run = self._forward(case, "cpu", activation=name, eager=True)
                    yield f"the activation {name}", run

    def open(self, case: Case, result: Result, device: str, dtype: str) -> bool:
        """Open a model in its backend. Return whether all its weights have values.

        Raises BackendError.
        """
        process = self.pool.process_for(case)
        self.opened.pop(process.name, None)
        reply = self.open_in(process, case, device, dtype)
        result.loading, result.load_seconds = reply["loading"], reply["load_seconds"]
        if "tensors" in reply:
            self._tensor_names[case.key] = reply["tensors"]
        unread = reply.get("unread_config_keys", ())
        result.unread_config_keys = find_unread(unread, _config_of(case))
        self.opened[process.name] = (case, dtype)
        return not reply["loading"]["unset"]

    def ensure_open(self, case: Case, result: Result) -> None:
        """Open the case's model, unless it is the one that is open. Raises BackendError."""
        if self.opened.get(self.pool.process_for(case).name) != (case, result.dtype):
            self.open(case, result, result.device, result.dtype)

    def open_in(
        self, process: BackendProcess, case: Case, device: str, dtype: str
    ) -> dict[str, Any]:
        """Open a model in this process and return what its loader reports. Raises BackendError."""
        folder = self.pool.new_folder(f"model-{process.name}")
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

    def _list_other_variants(self, case: Case) -> list[str]:
        """Return the graphs to compare with the one that is judged: the framework's default."""
        variants = [] if _is_eager(case) else backend_spec(case.backend).variants[1:]
        return [name for name in variants if name == "default" or self.pool.settings.variants]

    def _run_conditions(
        self, case: Case, device: str, **options: bool
    ) -> dict[str, dict[str, np.ndarray]]:
        """Return the outputs for each of `inputs.conditions`; none if other shapes are slow."""
        if not _is_eager(case):
            return {}
        found = {}
        for name, files in self.condition_files.items():
            found[name] = self._forward(case, device, files, **options).outputs
            self._embed(found[name], self.inputs.conditions[name]["attention_mask"])
        return found

    def _embed(self, outputs: dict[str, np.ndarray], mask: np.ndarray) -> None:
        """Add the sentence embeddings, if the checkpoint pools its hidden states."""
        states = outputs.get("last_hidden_state")
        if self.checkpoint.pooling and states is not None and states.shape[:2] == mask.shape:
            outputs[EMBEDDING] = self.checkpoint.pooling.embed(states, mask)

    def _check_cache(
        self, case: Case, result: Result, run: Run, generated: Mapping[str, Any]
    ) -> None:
        """Run the generated text in a single pass; generate without a cache if that disagrees."""
        prompt = self.inputs.prompt
        if prompt is None or prompt.keys() - {"input_ids", "attention_mask"}:
            return
        if self.inputs.decoder_mask is not None or not _is_eager(case):
            return
        tokens = np.array([generated["tokens"]], dtype=np.int64)
        ids = np.concatenate([prompt["input_ids"], tokens], axis=1)
        text = {name: ids if name == "input_ids" else np.ones_like(ids) for name in prompt}
        folder = self.pool.new_folder(f"text-{self.pool.process_for(case).name}")
        files = save_arrays(folder, text)
        logits = self._forward(case, result.device, files).outputs.get("logits")
        if logits is None or logits.ndim != ids.ndim + 1:
            return
        model_type = str(case.weights.config.get("model_type"))
        limit = find_tolerance(result.dtype, result.device, model_type)
        run.greedy_mismatch = find_greedy_mismatch(generated, logits, limit)
        if run.greedy_mismatch is not None:
            prompt_files, count = self.prompt_files, self.inputs.new_tokens
            with suppress(BackendError):  # not every backend can generate without one
                reply = self.pool.process_for(case).call(
                    "generate", inputs=prompt_files, new_tokens=count, use_cache=False
                )
                run.uncached_tokens = reply["tokens"]

    def _forward(
        self,
        case: Case,
        device: str,
        files: Mapping[str, str] | None = None,
        **options: str | bool,
    ) -> Run:
        process = self.pool.process_for(case)
        into = self.pool.new_folder(f"out-{process.name}")
        reply = process.call("run", inputs=files or self.batch_files, into=str(into), **options)
        arrays = ArrayReader(into)
        outputs = {name: arrays.read(path) for name, path in reply["outputs"].items()}
        if missing := sorted(outputs.keys() - reply["dtypes"].keys()):
            raise backend_failed(f"it did not report the precision of {missing[0]}")
        hidden = {name: list(map(arrays.read, paths)) for name, paths in reply["hidden"].items()}
        run = Run(outputs, reply["dtypes"], hidden, reply["first_call_seconds"], device)
        run.replaced_activations = reply.get("replaced_activations", [])
        run.notes = reply.get("notes", [])
        return run


def _is_eager(case: Case) -> bool:
    """Return whether inputs of another shape cost the backend no compilation."""
    return "eager" in backend_spec(case.backend).variants


def in_pytorch(case: Case) -> Case:
    """Return the case that loads these weights into PyTorch most reliably."""
    is_direct = case.weights.origin == "pytorch" and case.load_method == "direct"
    return Case(case.weights, "pytorch", "direct" if is_direct else "converted")


def _config_of(case: Case) -> Config:
    """Return the config that the case's backend gets."""
    is_converted = case.load_method == "converted"
    return case.weights.translated_config if is_converted else case.weights.config
