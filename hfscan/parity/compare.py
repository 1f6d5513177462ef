"""Compare arrays and tables of weights: numbers only, no verdicts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray
_BLOCK = 1 << 13  # numbers compared at a time: fits the cache, and OpenBLAS uses one thread


@dataclass(frozen=True)
class Difference:
    """Difference between two outputs over one region of positions."""

    name: str
    region: str  # "real" or "padding"
    max_abs: float
    rel_l2: float
    cosine: float
    finite: bool  # both sides
    shape_ok: bool = True


def difference(name: str, region: str, ours: Array, theirs: Array) -> Difference:
    """Compare `ours` with `theirs`, in float64; relative to `theirs`."""
    if ours.shape != theirs.shape:
        return Difference(name, region, math.nan, math.nan, math.nan, finite=True, shape_ok=False)
    if np.array_equal(ours, theirs):  # never true with a NaN
        return Difference(name, region, 0.0, 0.0, 1.0, bool(np.isfinite(ours).all()))
    a, b = ours.ravel(), theirs.ravel()
    products, worst = np.zeros(4), np.float64(0)
    with np.errstate(all="ignore"):
        for start in range(0, a.size, _BLOCK):
            x = a[start : start + _BLOCK].astype(np.float64)
            y = b[start : start + _BLOCK].astype(np.float64)
            gap = x - y
            products += x @ x, y @ y, x @ y, gap @ gap
            worst = np.maximum(worst, np.abs(gap).max())  # propagates NaN
        # products show every NaN and Inf; check again only where one overflowed
        finite = np.isfinite(products).all() or all(np.isfinite(side).all() for side in (a, b))
        ours_size, theirs_size, distance = np.sqrt(products[[0, 1, 3]]).tolist()
        sizes = ours_size * theirs_size
        relative_to_zeros = math.inf if distance else 0.0
        rel_l2 = distance / theirs_size if theirs_size else relative_to_zeros
        cosine = float(products[2]) / sizes if sizes else 1.0
        return Difference(name, region, float(worst), rel_l2, cosine, bool(finite))


def by_region(name: str, ours: Array, theirs: Array, mask: Array) -> list[Difference]:
    """Compare real positions and padding separately if the output has positions, else all of it."""
    rows = [on_real(name, ours, theirs, mask)]
    if _has_positions(ours, theirs, mask) and not mask.all():
        padding = mask == 0
        rows.append(difference(name, "padding", ours[padding], theirs[padding]))
    return rows


def on_real(name: str, ours: Array, theirs: Array, mask: Array) -> Difference:
    """Compare real positions if the output has positions, else all of it."""
    if _has_positions(ours, theirs, mask):
        ours, theirs = ours[mask == 1], theirs[mask == 1]
    return difference(name, "real", ours, theirs)


def _has_positions(ours: Array, theirs: Array, mask: Array) -> bool:
    return ours.shape == theirs.shape and ours.shape[:2] == mask.shape


def top_agreement(ours: Array, theirs: Array, mask: Array) -> tuple[float, float]:
    """Return the shares of real positions with the same best class and the same best five."""
    if ours.shape[:2] == mask.shape:
        ours, theirs = ours[mask == 1], theirs[mask == 1]
    if np.array_equal(ours, theirs):
        return 1.0, 1.0
    first = np.mean(ours.argmax(axis=-1) == theirs.argmax(axis=-1))
    k = min(5, ours.shape[-1])
    best = [np.sort(np.argpartition(side, -k)[..., -k:], axis=-1) for side in (ours, theirs)]
    return float(first), float((best[0] == best[1]).all(axis=-1).mean())


@dataclass(frozen=True)
class WeightsDifference:
    """Differences between two weight files. Names are PyTorch's."""

    only_ours: list[str]
    only_theirs: list[str]
    differ: list[str]

    @property
    def is_empty(self) -> bool:
        return not (self.only_ours or self.only_theirs or self.differ)


Table = Mapping[str, Mapping[str, Any]]  # name -> a row of backends/_tensors.describe


def align_names(ours: Table, theirs: Table, prefixes: Sequence[str]) -> dict[str, str]:
    """Map our names to theirs: unchanged, or with a leading scope added or removed."""
    candidates: list[dict[str, str]] = [{name: name for name in ours}]
    for prefix in prefixes:
        candidates.append({name: f"{prefix}.{name}" for name in ours})
        candidates.append({name: name.removeprefix(f"{prefix}.") for name in ours})
    return max(candidates, key=lambda names: len(set(names.values()) & set(theirs)))


def compare_weights(ours: Table, theirs: Table) -> WeightsDifference:
    """Compare two tables of tensors with aligned names.

    A tensor on one side only is not a difference if it is not a weight (integers such as position
    ids), or if the other side has its values under another name (tied weights, or names that
    `backends/_tensors` does not translate).
    """

    def only_in(table: Table, other: Table) -> list[str]:
        digests = {row["sha256"] for row in other.values()}
        return sorted(
            name
            for name in table.keys() - other.keys()
            if table[name]["sha256"] not in digests
            and table[name]["dtype"].startswith(("float", "bf"))
        )

    def identity(row: Mapping[str, Any]) -> tuple[object, ...]:
        # TensorFlow stores some biases as one row, [1, n]
        shape = tuple(side for side in row["shape"] if side != 1)
        return shape, row["dtype"].replace("int32", "int64"), row["sha256"]

    shared = ours.keys() & theirs.keys()
    return WeightsDifference(
        only_ours=only_in(ours, theirs),
        only_theirs=only_in(theirs, ours),
        differ=sorted(name for name in shared if identity(ours[name]) != identity(theirs[name])),
    )
