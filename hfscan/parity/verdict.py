"""From what was seen to one word and one sentence."""

import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from hfscan.parity.compare import Difference
from hfscan.parity.tolerance import Tolerance

AGREE = "agree"
NO_BACKEND = "no backend"  # of no weight in the exit code: nothing was checked
OFF_FACTOR = 10.0
"""A side is off when its own error is this many times the other's: both follow the same rounding,
whose size varies by a factor of about two between kernels (measured 6.7e-7 to 1.2e-6)."""


@dataclass
class Result:
    """Everything known about one case. Lengths are seconds, memory MB (2**20 bytes)."""

    checkpoint: str
    revision: str | None
    architecture: str | None
    weights: dict[str, str]
    backend: str
    device: str
    dtype: str
    route: str
    verdict: str = ""
    reason: str = ""
    loading: dict[str, list[str]] = field(
        default_factory=lambda: {
            name: [] for name in ("missing", "unexpected", "mismatched", "unset")
        }
    )
    outputs: list[dict[str, Any]] = field(default_factory=list)
    reference: dict[str, Any] = field(
        default_factory=lambda: dict.fromkeys(("backend_error", "baseline_error", "off_side"))
    )
    tf32_rel_l2: float | None = None  # how far TF32, off for the verdict, would move its outputs
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


def unopened(
    name: str, reason: str, dtype: str, file: str = "", verdict: str = "unreadable"
) -> Result:
    """Return the result of a checkpoint, or of one file in it, that no backend was given."""
    weights = {"file": file, "format": Path(file).suffix.lstrip("."), "sha256": ""}
    return Result(name, None, None, weights, "none", "none", dtype, "none", verdict, reason)


@dataclass(frozen=True)
class _Allowed:
    """An entry of `allowed.toml`."""

    pattern: str
    reason: str
    tied: bool = False
    family: str = ".*"

    def explains(self, key: str, config: Mapping[str, Any]) -> bool:
        ties = config.get("tie_word_embeddings", True) is not False
        family = re.fullmatch(self.family, str(config.get("model_type")))
        return bool((ties or not self.tied) and family and re.fullmatch(self.pattern, key))


@cache
def _allowed() -> tuple[_Allowed, ...]:
    text = Path(__file__).with_name("allowed.toml").read_text(encoding="utf-8")
    return tuple(_Allowed(**entry) for entry in tomllib.loads(text)["allow"])


def unexplained(keys: Sequence[str], config: Mapping[str, Any]) -> list[str]:
    """Return the keys no entry of `allowed.toml` explains."""
    return [key for key in keys if not any(one.explains(key, config) for one in _allowed())]


def loading_fault(
    loading: Mapping[str, Sequence[str]],
    config: Mapping[str, Any],
    unused_anyway: Sequence[str],
    aliases: Collection[str],
    held: Collection[str],
) -> str | None:
    """Return what the loader lost, or None.

    `unused_anyway`: keys of the file that its own framework leaves unused as well. `aliases`:
    tensors that are copies of others, so that nothing is lost without them. `held`: names of the
    file's tensors; TensorFlow's loader also reports layers that hold none, such as dropout.
    """
    if loading["unset"]:
        return (
            f"{_some(loading['unset'])} left without values (on the meta device), no error raised"
        )
    for kind, words in (
        ("mismatched", "of another shape than the config asks for"),
        ("missing", "not in the file and newly initialised"),
        ("unexpected", "in the file but not loaded"),
    ):
        keys = unexplained(loading[kind], config)
        if kind == "unexpected":
            keys = [
                key
                for key in keys
                if key not in unused_anyway
                and key not in aliases
                and any(key in name for name in held)
            ]
        if keys:
            return f"{_some(keys)} {words}"
    return None


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{names[0]}{more}"


def outputs_fault(rows: Sequence[Difference], limit: Tolerance) -> tuple[str, str] | None:
    """Return (verdict, reason) of the worst output, or None where all agree."""
    for row in rows:
        if not row.finite:
            return "not finite", f"NaN or Inf in {row.name} ({row.region})"
    for row in rows:
        if not row.shape_ok:
            return "outputs differ", f"{row.name} has another shape"
    real = [row for row in rows if row.region == "real"]
    worst = max(real, key=lambda row: row.rel_l2, default=None)
    if worst is None:
        return "no outputs", "the model returned no tensor that could be compared"
    if not worst.rel_l2 <= limit.rel_l2:
        factor = worst.rel_l2 / limit.rel_l2
        return (
            "outputs differ",
            f"{worst.name}: relative L2 {worst.rel_l2:.1e}, {factor:,.3g} times the tolerance",
        )
    return None


def off_side(backend_error: float, other_error: float, backend: str, other: str) -> str | None:
    """Name the side whose own error stands out, if one does."""
    if backend_error > OFF_FACTOR * other_error:
        return backend
    if other_error > OFF_FACTOR * backend_error:
        return other
    return None
