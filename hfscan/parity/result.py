"""The result of one case: its verdict, the reason for it and everything measured."""

import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

LoadMethod = Literal["direct", "converted", "none"]
LOADING_KEYS = ("missing", "unexpected", "mismatched", "unset")
_MAX_LINE = 600  # characters of a reason
_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-Z\\-_])")
_REFERENCE_KEYS = ("backend_error", "baseline_error", "suspect_backend")


class Verdict(StrEnum):
    """What was found for one case. docs/parity.md explains each."""

    AGREE = "agree"
    BASELINE = "baseline, unchecked"
    NOT_JUDGED = "not judged"
    WEIGHTS_DIFFER = "weights differ"
    OUTPUTS_DIFFER = "outputs differ"
    TOKENS_DIFFER = "tokens differ"
    NOT_FINITE = "not finite"
    NO_OUTPUTS = "no outputs"
    LOADS_INCOMPLETELY = "loads incompletely"
    DOES_NOT_LOAD = "does not load"
    NO_CLASS = "no class"
    NOT_APPLICABLE = "not applicable"
    UNSUPPORTED = "unsupported"
    UNREADABLE = "unreadable"
    REFUSED = "refused"
    NOT_INSTALLED = "not installed"
    CRASHED = "crashed"
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"
    BACKEND_FAILED = "backend failed"


NEUTRAL = frozenset({Verdict.BASELINE, Verdict.NOT_APPLICABLE, Verdict.UNSUPPORTED})
"""Verdicts on what was not checked: they do not affect the exit code."""
DIFFERENT = frozenset({Verdict.WEIGHTS_DIFFER, Verdict.OUTPUTS_DIFFER, Verdict.TOKENS_DIFFER})
"""Verdicts on what was compared and does not agree."""


@dataclass
class Result:
    """Everything known about one case. Durations are seconds, memory MB (2**20 bytes)."""

    checkpoint: str
    revision: str | None
    architecture: str | None
    weights: dict[str, str]
    backend: str
    device: str
    dtype: str
    load_method: LoadMethod
    verdict: Verdict | None = None  # None until it is known
    reason: str = ""
    loading: dict[str, list[str]] = field(default_factory=lambda: {key: [] for key in LOADING_KEYS})
    unread_config_keys: list[str] = field(default_factory=list)  # that may change outputs
    outputs: list[dict[str, Any]] = field(default_factory=list)
    conditions: dict[str, float] = field(default_factory=dict)  # relative L2, by how it was run
    reference: dict[str, Any] = field(default_factory=lambda: dict.fromkeys(_REFERENCE_KEYS))
    tf32_rel_l2: float | None = None  # how far TF32, disabled for the verdict, moves the outputs
    first_divergent_layer: int | str | None = None
    top1_agreement: float | None = None
    top5_agreement: float | None = None
    generated_equal: bool | None = None
    generation: dict[str, Any] | None = None
    load_seconds: float | None = None
    first_call_seconds: float | None = None
    latency_ms: dict[str, float] | None = None
    peak_rss_mb: float | None = None
    peak_gpu_mb: float | None = None
    notes: list[str] = field(default_factory=list)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Result":
        """Return the result that a row of a document, or of a results file, holds."""
        return cls(**{**row, "verdict": Verdict(row["verdict"])})

    def set_verdict(self, verdict: Verdict, reason: str) -> None:
        """Set the verdict and the reason for it."""
        self.verdict, self.reason = verdict, to_line(reason)


def to_line(text: str) -> str:
    """Return text of a backend on one line, without terminal codes, at most 600 characters."""
    line = " ".join(_ESCAPES.sub("", text).split())
    return line if len(line) <= _MAX_LINE else line[:_MAX_LINE].rsplit(" ", 1)[0] + " ..."


def new_result_without_run(
    name: str, reason: str, dtype: str, file: str = "", verdict: Verdict = Verdict.UNREADABLE
) -> Result:
    """Return the result of a checkpoint, or of a file in it, that no backend opened."""
    weights = {"file": file, "format": Path(file).suffix.lstrip("."), "sha256": ""}
    return Result(name, None, None, weights, "none", "none", dtype, "none", verdict, reason)


@dataclass(frozen=True)
class FileVerdict:
    """What was found for a weight file in a backend.

    `verdict`: that of the load method that counts: one that agrees, else one that was compared.
    `is_checked`: it affects the exit code. `results`: those with the verdict. `is_by_some`: other
    load methods were checked and have another verdict.
    """

    verdict: Verdict | None
    is_checked: bool
    results: tuple[Result, ...]
    is_by_some: bool = False

    @property
    def checkpoint(self) -> str:
        return self.results[0].checkpoint

    @property
    def file(self) -> str:
        return self.results[0].weights["file"]

    @property
    def backend(self) -> str:
        """The backend, with the device if that is not the CPU."""
        first = self.results[0]
        return f"{first.backend} on {first.device}" if first.device == "cuda" else first.backend


def judge_files(results: Iterable[Result], required: Collection[str] = ()) -> list[FileVerdict]:
    """Return the verdict on each weight file in each backend, device and precision, in order.

    Not checked is what has a verdict of `NEUTRAL`, or no class in a backend that is not `required`.
    """
    groups = defaultdict[tuple[str, ...], list[Result]](list)
    for result in results:
        where = (result.backend, result.device, result.dtype)
        groups[result.checkpoint, result.weights["file"], *where].append(result)
    found = []
    for group in groups.values():
        neutral = NEUTRAL
        if group[0].backend not in required:
            neutral |= {Verdict.NO_CLASS}
        order = [result.verdict for result in group]
        preferred = ({Verdict.AGREE}, neutral, DIFFERENT, set(order))
        verdict = next(verdict for part in preferred for verdict in order if verdict in part)
        same = tuple(result for result in group if result.verdict == verdict)
        is_by_some = not {*order} <= neutral | {verdict}
        found.append(FileVerdict(verdict, verdict not in neutral, same, is_by_some))
    return found


def all_agree(results: Iterable[Result], required: Collection[str] = ()) -> bool:
    """Return True if all that was checked agrees, and of each checkpoint something.

    See `judge_files`.
    """
    checked = defaultdict[str, list[bool]](list)  # by checkpoint
    for file in judge_files(results, required):
        checked[file.checkpoint] += [file.verdict == Verdict.AGREE] if file.is_checked else []
    return bool(checked) and all(found and all(found) for found in checked.values())


def to_json_data(value: Any) -> Any:
    """Replace what JSON cannot represent: NaN and Inf with None, lone surrogates with "?"."""
    if isinstance(value, dict):
        return {to_json_data(key): to_json_data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json_data(item) for item in value]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return None if isinstance(value, float) and not math.isfinite(value) else value
