"""Reads `tolerances.toml`."""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Tolerance:
    """The largest relative L2 difference that still counts as agreement, with why and whence."""

    dtype: str
    device: str
    family: str
    rel_l2: float
    reason: str
    source: str


@cache
def tolerances() -> tuple[Tolerance, ...]:
    """Every entry, in the order in which they are tried."""
    text = Path(__file__).with_name("tolerances.toml").read_text(encoding="utf-8")
    return tuple(Tolerance(**entry) for entry in tomllib.loads(text)["tolerance"])


def tolerance(dtype: str, device: str, family: str) -> Tolerance:
    """Return the first entry for this precision, device and model type."""
    for entry in tolerances():
        wanted = zip(
            (entry.dtype, entry.device, entry.family), (dtype, device, family), strict=True
        )
        if all(pattern in {"*", value} for pattern, value in wanted):
            return entry
    raise LookupError(f"tolerances.toml has no entry for {dtype} on {device}")
