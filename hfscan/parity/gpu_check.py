"""Check the backends on a GPU, without the command line: `python -m hfscan.parity.gpu_check`.

Makes models with random weights in the shapes of common ones, runs them on the GPU in each
precision and each way to compute, and compares every output with float64 on the CPU. Needs numpy,
torch and transformers; the other backends are checked if they can start. Writes JSON. Exit code 0:
all agree. 1: some differ, fail or had no time. 2: there is no GPU.
"""

import argparse
import itertools
import json
import math
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hfscan.parity import compare
from hfscan.parity.inputs import Inputs, make_inputs, save_arrays
from hfscan.parity.plain_process import BackendFaultError, PlainProcess
from hfscan.parity.result import to_json_data
from hfscan.parity.tables import find_tolerance

MODELS = {
    "full": (
        "bert-base", "gpt2-124m", "llama", "qwen3", "t5-base", "whisper-small", "clip-b32",
        "vit-b16",
    ),
    "tiny": (
        "tiny-bert", "tiny-gpt2", "tiny-llama", "tiny-qwen3", "tiny-t5", "tiny-whisper",
        "tiny-clip", "tiny-vit",
    ),
}  # fmt: skip
_NEW_TOKENS = 16
_FIELDS = ("model", "dtype", "mode", "backend", "variant", "attention", "verdict", "reason")
Row = dict[str, Any]


@dataclass(frozen=True)
class Condition:
    """One way to compute: a backend, and the options of its `run` and `time`."""

    backend: str
    variant: str
    dtypes: Sequence[str] = ("float32", "bfloat16", "float16")
    options: Mapping[str, bool] = field(default_factory=dict)
    is_training: bool = False

    def describe(self) -> Row:
        attention = "eager" if self.options.get("eager") else "sdpa"
        return {
            "mode": "training" if self.is_training else "inference",
            "backend": self.backend,
            "variant": self.variant,
            "attention": None if self.backend == "keras-jax" else attention,
            "tf32": bool(self.options.get("tf32")),
        }


_EAGER, _TF32 = {"eager": True}, {"tf32": True}
_FLOAT32, _BFLOAT16 = ("float32",), ("bfloat16",)
# the cheapest first: if the time ends, every model has been run in some way
STAGES: tuple[tuple[Condition, ...], ...] = (
    (
        Condition("pytorch", "eager", options=_EAGER),
        Condition("pytorch", "eager"),
        Condition("pytorch", "eager", _FLOAT32, _TF32),
    ),
    (
        Condition("pytorch", "eager", (*_FLOAT32, *_BFLOAT16), is_training=True),
        Condition("pytorch", "eager", _FLOAT32, _TF32, is_training=True),
    ),
    (
        Condition("torch-export", "export", (*_FLOAT32, *_BFLOAT16)),
        Condition("onnx", "session", _FLOAT32),
    ),
    (Condition("keras-jax", "jit", (*_FLOAT32, *_BFLOAT16)),),
    (Condition("pytorch", "compile", _FLOAT32),),
    (Condition("pytorch", "compile", _FLOAT32, is_training=True),),
    (Condition("pytorch", "compile", _BFLOAT16),),
)
DTYPES = STAGES[0][0].dtypes


_VERDICTS = {"LookupError": "no class", "NotApplicableError": "not applicable"}
_GOOD = {"agree", *_VERDICTS.values()}


@dataclass
class Model:
    """A checkpoint, its inputs, and the files of its outputs in float64, by precision."""

    name: str
    folder: Path
    architecture: str
    model_type: str
    inputs: Inputs
    files: Mapping[str, str]
    prompt: Mapping[str, str] | None
    references: dict[str, Future[Row]] = field(default_factory=dict)


class GpuCheck:
    """Runs the conditions; writes the document with their results to `out` after each."""

    def __init__(
        self, scratch: Path, out: Path, device: str, seconds: float, rounds: int,
        variants: Collection[str],
    ) -> None:  # fmt: skip
        self._scratch, self._out, self._device, self._rounds = scratch, out, device, rounds
        self._variants = variants
        self._started = time.monotonic()
        self._deadline = self._started + seconds
        self._cpu = ThreadPoolExecutor(1)  # has the reference's process alone
        self._reference = self._new_backend("pytorch", "reference", sees_gpu=False)
        self._backends: dict[str, PlainProcess] = {}
        self._unavailable: dict[str, str] = {}
        self._folders = itertools.count()
        self.rows: list[Row] = []
        self.not_run: list[Row] = []

    def _new_backend(self, name: str, log: str, *, sees_gpu: bool) -> PlainProcess:
        threads = os.cpu_count() or 1
        return PlainProcess(name, threads, self._scratch / f"{log}.log", sees_gpu=sees_gpu)

    def _backend(self, name: str) -> PlainProcess:
        if name not in self._backends:
            self._backends[name] = self._new_backend(name, name, sees_gpu=self._device != "cpu")
        return self._backends[name]

    def _is_available(self, name: str) -> bool:
        """Return whether a backend starts here, and has a GPU if the check is of one."""
        if name not in self._backends and name not in self._unavailable:
            try:
                info = self._backend(name).start()
                reason = "it finds no GPU" if info["device"] is None else None
            except BackendFaultError as error:
                info, reason = {}, str(error)
            if reason and not (info and self._device == "cpu"):
                self._unavailable[name] = reason
                self._backends.pop(name).close()
        return name not in self._unavailable

    def require_pytorch(self) -> None:
        """Raise BackendFaultError if PyTorch does not start or finds no GPU."""
        if not self._is_available("pytorch"):
            raise BackendFaultError(f"pytorch: {self._unavailable['pytorch']}")

    def _add(self, row: Row) -> None:
        self.rows.append(row)
        parts = [str(value) for key, value in row.items() if key in _FIELDS and value is not None]
        if "milliseconds" in row:
            parts.append(f"{row['milliseconds']['median']:.2f} ms")
        if "rel_l2" in row:
            parts.append(f"{row['rel_l2']:.1e}")
        sys.stderr.write(f"{time.monotonic() - self._started:4.0f} s  {' '.join(parts)}\n")
        self._write()

    def _write(self) -> None:
        document = {
            "environment": {
                "platform": platform.platform(),
                "processors": os.cpu_count(),
                "device": self._device,
                "backends": {name: backend.info for name, backend in self._backends.items()},
                "unavailable": self._unavailable,
            },
            "seconds": round(time.monotonic() - self._started, 1),
            "results": self.rows,
            "not_run": self.not_run,
        }
        text = json.dumps(to_json_data(document), indent=1, allow_nan=False)
        self._out.write_text(text + "\n", encoding="utf-8")

    def close(self) -> None:
        """Write the document once more and end all processes."""
        self._write()
        for backend in (self._reference, *self._backends.values()):
            backend.close()
        self._cpu.shutdown(wait=True, cancel_futures=True)

    def run(self, names: Sequence[str]) -> None:
        """Run every stage on every model, as far as the time goes."""
        models = []
        for name in names:
            try:
                models.append(self._make(name))
            except BackendFaultError as error:
                self._add({"model": name, "verdict": "does not run", "reason": str(error)})
        for model in models:
            for dtype in DTYPES:
                model.references[dtype] = self._cpu.submit(self._run_reference, model, dtype)
        # their work would slow what is timed
        wait(reference for model in models for reference in model.references.values())
        for stage in STAGES:
            for model in models:
                self._run_stage(model, stage)

    def _make(self, name: str) -> Model:
        self._backend("pytorch").call("demo", into=str(self._scratch), name=name)
        folder = self._scratch / name
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        architecture = config["architectures"][0]
        inputs = make_inputs(config, architecture)
        prompt = save_arrays(self._new_folder(), inputs.prompt) if inputs.prompt else None
        files = save_arrays(self._new_folder(), inputs.batch)
        return Model(name, folder, architecture, config["model_type"], inputs, files, prompt)

    def _new_folder(self) -> Path:
        folder = self._scratch / f"arrays-{next(self._folders)}"
        folder.mkdir()
        return folder

    def _open(self, backend: PlainProcess, model: Model, dtype: str, device: str) -> Row:
        return backend.call(
            "open", folder=str(model.folder), architecture=model.architecture, origin="pytorch",
            format="safetensors", load_method="direct", dtype=dtype, device=device,
        )  # fmt: skip

    def _run_reference(self, model: Model, dtype: str) -> Row:
        """Run the model in float64 with the weights rounded to `dtype`.

        Return the files of its outputs and, from float32, the tokens that it generates.
        """
        self._open(self._reference, model, dtype, "cpu")
        into = str(self._new_folder())
        options = {"inputs": model.files, "into": into, "double": True, "eager": True}
        found: Row = {"outputs": self._reference.call("run", **options)["outputs"]}
        if model.prompt and dtype == "float32":
            self._open(self._reference, model, "float64", "cpu")
            found["tokens"] = self._generate(self._reference, model)
        return found

    def _generate(self, backend: PlainProcess, model: Model) -> list[int]:
        request = {"inputs": model.prompt, "new_tokens": _NEW_TOKENS}
        tokens: list[int] = backend.call("generate", **request)["tokens"]
        return tokens

    def _run_stage(self, model: Model, stage: Sequence[Condition]) -> None:
        for dtype in DTYPES:
            opened = set[str]()
            for condition in stage:
                name = condition.backend
                if dtype not in condition.dtypes or condition.variant not in self._variants:
                    continue
                if not self._is_available(name):
                    continue
                row = {"model": model.name, "dtype": dtype, **condition.describe()}
                if time.monotonic() > self._deadline:
                    self.not_run.append(row)
                    continue
                try:
                    if condition.is_training or name not in opened:
                        self._open(self._backend(name), model, dtype, self._device)
                        opened.add(name)
                    row |= self._run(model, dtype, condition)
                except BackendFaultError as error:
                    verdict = _VERDICTS.get(error.kind, "does not run")
                    row |= {"verdict": verdict, "reason": str(error)}
                self._add(row)

    def _run(self, model: Model, dtype: str, condition: Condition) -> Row:
        backend, options = self._backend(condition.backend), dict(condition.options)
        row: Row = {}
        if not condition.is_training:
            row |= self._check_outputs(backend, model, dtype, condition)
            if not options and dtype == "float32":
                row |= self._check_tokens(backend, model)
                if row["verdict"] == "agree" and not row.get("tokens_equal", True):
                    row["verdict"] = "tokens differ"
        timing: Row = {**options, "variant": condition.variant, "train": condition.is_training}
        return row | self._time(backend, model, timing) | _peaks(backend)

    def _check_outputs(
        self, backend: PlainProcess, model: Model, dtype: str, condition: Condition
    ) -> Row:
        options: Row = dict(condition.options)
        if condition.backend == "pytorch":
            options["variant"] = condition.variant
        folder = self._new_folder()
        reply = backend.call("run", inputs=model.files, into=str(folder), **options)
        # with TF32 an output has the precision of its factors, that of float16
        precision = "float16" if condition.options.get("tf32") else dtype
        limit = find_tolerance(precision, self._device, model.model_type)
        errors, largest = self._compare(model, dtype, reply["outputs"])
        worst = max(errors.values(), default=math.inf)
        for path in folder.rglob("*.npy"):
            path.unlink()
        return {
            "verdict": "agree" if worst <= limit else "outputs differ",
            "rel_l2": worst,
            "max_abs": largest,
            "tolerance": limit,
            "outputs": errors,
            "first_call_seconds": reply["first_call_seconds"],
        }

    def _check_tokens(self, backend: PlainProcess, model: Model) -> Row:
        expected = model.references["float32"].result().get("tokens")
        if expected is None:
            return {}
        try:
            return {"tokens_equal": self._generate(backend, model) == expected}
        except BackendFaultError as error:
            return {"tokens_equal": False, "generation_error": str(error)}

    def _compare(
        self, model: Model, dtype: str, outputs: Mapping[str, str]
    ) -> tuple[dict[str, float], float]:
        """Return the relative L2 difference of each output to float64, and the largest absolute."""
        expected = model.references[dtype].result()["outputs"]
        errors, largest = {}, 0.0
        for name in sorted(expected.keys() & outputs.keys()):
            ours, theirs = np.load(outputs[name]), np.load(expected[name], mmap_mode="r")
            found = compare.on_real(name, ours, theirs, model.inputs.mask_of(name))
            errors[name] = found.rel_l2 if found.finite and found.shape_ok else math.inf
            largest = max(largest, found.max_abs)
        return errors, largest

    def _time(self, backend: PlainProcess, model: Model, options: Row) -> Row:
        first = backend.call("time", inputs=model.files, **options)
        replies = [backend.call("time", inputs=model.files, **options) for _ in range(self._rounds)]
        times = sorted(reply["milliseconds"] for reply in replies)
        median = statistics.median(times)
        row: Row = {"milliseconds": {"median": median, "min": times[0], "max": times[-1]}}
        if options["train"]:
            row["first_call_seconds"] = first["milliseconds"] / 1e3
            row["losses"] = [first["loss"], *(reply["loss"] for reply in replies)]
            if not all(map(math.isfinite, row["losses"])):
                row["verdict"] = "not finite"
        return row


def _peaks(backend: PlainProcess) -> Row:
    reply = backend.call("peak")
    return {name: reply[name] for name in ("peak_rss_mb", "peak_gpu_mb")}


def main() -> int:
    """Run the check; return the exit code."""
    variants = sorted({condition.variant for stage in STAGES for condition in stage})
    models = [name for names in MODELS.values() for name in names]
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--models", default=",".join(MODELS["full"]), help="Names, with commas.")
    parser.add_argument("--variants", default=",".join(variants), help="Ways to run the models.")
    parser.add_argument("--rounds", type=int, default=10, help="Timed calls of each condition.")
    parser.add_argument("--seconds", type=float, default=420, help="Start nothing after this time.")
    parser.add_argument("--out", type=Path, default=Path("gpu-check.json"))
    args = parser.parse_args()
    for option, known in (("models", models), ("variants", variants)):
        chosen = getattr(args, option).split(",")
        if unknown := set(chosen) - set(known):
            parser.error(f"--{option}: {unknown.pop()!r} is none of {', '.join(known)}.")
        setattr(args, option, chosen)
    with tempfile.TemporaryDirectory(prefix="hfscan-gpu-") as scratch:
        check = GpuCheck(
            Path(scratch), args.out, args.device, args.seconds, args.rounds, args.variants
        )
        try:
            check.require_pytorch()
            check.run(args.models)
        except BackendFaultError as error:
            sys.stderr.write(f"{error}. --device cpu tries the check without a GPU.\n")
            return 2
        finally:
            check.close()
    sys.stderr.write(f"Wrote {args.out}\n")
    is_good = all(row.get("verdict", "agree") in _GOOD for row in check.rows)
    return 0 if is_good and check.rows and not check.not_run else 1


if __name__ == "__main__":
    sys.exit(main())
