"""Says why the outputs of equal weights differ, where that can be told."""

from collections.abc import Iterable, Mapping
from typing import Any

from hfscan.parity import compare
from hfscan.parity.inputs import Inputs
from hfscan.parity.plan import Case
from hfscan.parity.runs import Run

_NO_MATTER = {"_name_or_path", "architectures", "torch_dtype", "dtype", "transformers_version"}
"""Entries of a config that change no output: where it came from and how it was saved."""


def configs(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str | None:
    """Return where two configs part, in one sentence."""
    parts = [
        f"{key} ({ours.get(key)!r}, not {theirs.get(key)!r})"
        for key in sorted(ours.keys() | theirs.keys())
        if key not in _NO_MATTER and ours.get(key) != theirs.get(key)
    ]
    return f"the configs part in {', '.join(parts)}" if parts else None


def activation(
    run: Run, tried: Iterable[tuple[str, Run]], inputs: Inputs, limit: float
) -> str | None:
    """Return the first activation with which a float64 run of the weights gives these outputs."""
    for name, other in tried:
        rows = [
            compare.by_region(key, run.outputs[key], other.outputs[key], inputs.mask_of(key))[0]
            for key in run.outputs.keys() & other.outputs.keys()
        ]
        if rows and all(row.shape_ok and row.rel_l2 <= limit for row in rows):
            return name
    return None


def sentence(case: Case, base: Case, found: str | None) -> str | None:
    """Return what is known of the cause, or None."""
    parted = configs(case.weights.config, base.weights.config)
    named = [
        f"{key} {value!r}"
        for key, value in case.weights.config.items()
        if isinstance(value, str) and ("act" in key or key == "afn")
    ]
    says = f"; its config says {', '.join(named)}" if named else ""
    computed = f"{case.lane} computes with the activation {found}{says}" if found else None
    return "; ".join(filter(None, (computed, parted))) or None
