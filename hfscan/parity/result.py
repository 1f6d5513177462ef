"""The result of one case: its verdict, the reason for it and everything measured."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

LoadMethod = Literal["direct", "converted", "none"]
LOADING_KEYS = ("missing", "unexpected", "mismatched", "unset")
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
    UNSUPPORTED = "unsupported"
    UNREADABLE = "unreadable"
    REFUSED = "refused"
    NOT_INSTALLED = "not installed"
    CRASHED = "crashed"
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"
    BACKEND_FAILED = "backend failed"


NEUTRAL = frozenset({Verdict.BASELINE, Verdict.UNSUPPORTED})
"""Verdicts on what was not checked: they do not affect the exit code."""


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

    def set_verdict(self, verdict: Verdict, reason: str) -> None:
        """Set the verdict and the reason for it."""
        self.verdict, self.reason = verdict, reason


def new_result_without_run(
    name: str, reason: str, dtype: str, file: str = "", verdict: Verdict = Verdict.UNREADABLE
) -> Result:
    """Return the result of a checkpoint, or of a file in it, that no backend opened."""
    weights = {"file": file, "format": Path(file).suffix.lstrip("."), "sha256": ""}
    return Result(name, None, None, weights, "none", "none", dtype, "none", verdict, reason)


def all_agree(results: Iterable[Result]) -> bool:
    """Return True if each weight file agrees in each backend by at least one load method.

    Verdicts of `NEUTRAL` do not count, but something must agree.
    """
    verdicts = defaultdict[tuple[str, str, str], set[Verdict | None]](set)
    for result in results:
        verdicts[result.checkpoint, result.weights["file"], result.backend].add(result.verdict)
    counted = [
        Verdict.AGREE in group
        for group in verdicts.values()
        if Verdict.AGREE in group or group.isdisjoint(NEUTRAL)
    ]
    return bool(counted) and all(counted)
