"""Says why the outputs of equal weights differ, where that can be told."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from hfscan.parity import compare
from hfscan.parity.inputs import Inputs
from hfscan.parity.plan import Case
from hfscan.parity.runs import Run

_ACTIVATION = re.compile(r"^afn$|(^|_)act(ivation)?(_function)?$")
"""What configs call their activation: hidden_act, activation_function, ff_activation, afn."""

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
) -> tuple[str, tuple[str, ...]] | None:
    """Return the first activation with which a float64 run of the weights gives these outputs.

    Beside it, those that it took the place of in PyTorch.
    """
    for name, other in tried:
        rows = [
            compare.on_real(key, run.outputs[key], other.outputs[key], inputs.mask_of(key))
            for key in run.outputs.keys() & other.outputs.keys()
        ]
        if rows and all(row.shape_ok and row.rel_l2 <= limit for row in rows):
            return name, other.in_place_of
    return None


def sentence(case: Case, base: Case, found: tuple[str, tuple[str, ...]] | None) -> str | None:
    """Return what is known of the cause, or None."""
    parts = []
    if found:
        name, instead_of = found
        says = [
            f"{key} {value!r}"
            for key, value in case.weights.config.items()
            if isinstance(value, str) and _ACTIVATION.search(key)
        ]
        parts.append(
            f"{case.backend} computes with the activation {name}, PyTorch's class on "
            f"{base.weights.name} with {' and '.join(instead_of)}"
            + (f"; the config says {', '.join(says)}" if says else "")
        )
    parted = configs(case.weights.config, base.weights.config)
    return "; ".join([*parts, *([parted] if parted else [])]) or None
