"""Compares arrays and weight tables. Arrays come and go; nothing is printed or judged here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray
_BLOCK = 1 << 13  # numbers compared at a time: they stay in cache, and OpenBLAS in one thread


@dataclass(frozen=True)
class Difference:
    """How far one output is from another, over one region of positions."""

    name: str
    region: str  # "real" or "padding"
    max_abs: float
    rel_l2: float
    cosine: float
    finite: bool  # both sides
    shape_ok: bool = True


def difference(name: str, region: str, ours: Array, theirs: Array) -> Difference:
    """Compare `ours` with `theirs` (what it is relative to), in float64."""
    if ours.shape != theirs.shape:
        nan = float("nan")
        return Difference(name, region, nan, nan, nan, True, False)
    if np.array_equal(ours, theirs):  # which NaN never is
        return Difference(name, region, 0.0, 0.0, 1.0, bool(np.isfinite(ours).all()))
    a, b = ours.ravel(), theirs.ravel()
    products, worst = np.zeros(4), np.float64(0)
    with np.errstate(all="ignore"):
        for start in range(0, a.size, _BLOCK):
            x = a[start : start + _BLOCK].astype(np.float64)
            y = b[start : start + _BLOCK].astype(np.float64)
            gap = x - y
            products += x @ x, y @ y, x @ y, gap @ gap
            worst = np.maximum(worst, np.abs(gap).max())  # which a NaN passes through
        # a product shows every NaN and Inf; only where it overflowed, look again
        finite = bool(
            np.isfinite(products).all() or (np.isfinite(a).all() and np.isfinite(b).all())
        )
        ours_size, theirs_size, distance = np.sqrt(products[[0, 1, 3]]).tolist()
        sizes = ours_size * theirs_size
        return Difference(
            name,
            region,
            float(worst),
            distance / theirs_size if theirs_size else (0.0 if distance == 0 else float("inf")),
            float(products[2]) / sizes if sizes else 1.0,
            finite,
        )


def by_region(name: str, ours: Array, theirs: Array, mask: Array) -> list[Difference]:
    """Compare real positions and padding apart where the output has positions, else all of it."""
    rows = [on_real(name, ours, theirs, mask)]
    if _has_positions(ours, theirs, mask) and not mask.all():
        padding = mask == 0
        rows.append(difference(name, "padding", ours[padding], theirs[padding]))
    return rows


def on_real(name: str, ours: Array, theirs: Array, mask: Array) -> Difference:
    """Compare real positions where the output has positions, else all of it."""
    if _has_positions(ours, theirs, mask):
        ours, theirs = ours[mask == 1], theirs[mask == 1]
    return difference(name, "real", ours, theirs)


def _has_positions(ours: Array, theirs: Array, mask: Array) -> bool:
    return ours.shape == theirs.shape and ours.shape[:2] == mask.shape


def top_agreement(ours: Array, theirs: Array, mask: Array) -> tuple[float, float]:
    """Share of real positions with the same best class, and with the same set of five."""
    if ours.shape[:2] == mask.shape:
        ours, theirs = ours[mask == 1], theirs[mask == 1]
    if np.array_equal(ours, theirs):
        return 1.0, 1.0
    first = np.mean(ours.argmax(axis=-1) == theirs.argmax(axis=-1))
    k = min(5, ours.shape[-1])
    best = [np.sort(np.argpartition(side, -k)[..., -k:], axis=-1) for side in (ours, theirs)]
    return float(first), float((best[0] == best[1]).all(axis=-1).mean())


def first_divergent_layer(
    ours: Sequence[Array], theirs: Sequence[Array], mask: Array, limits: Sequence[float]
) -> int | None:
    """Index of the first hidden state (0: embeddings, k+1: after layer k) past its limit."""
    for index, (a, b, limit) in enumerate(zip(ours, theirs, limits, strict=False)):
        row = on_real("hidden", a, b, mask)
        if not row.finite or not row.shape_ok or row.rel_l2 > limit:
            return index
    return None


@dataclass(frozen=True)
class WeightsDifference:
    """What two weight files do not share. Names are PyTorch's."""

    only_ours: list[str] = field(default_factory=list)
    only_theirs: list[str] = field(default_factory=list)
    differ: list[str] = field(default_factory=list)
    not_finite: list[str] = field(default_factory=list)

    @property
    def same(self) -> bool:
        return not (self.only_ours or self.only_theirs or self.differ or self.not_finite)


Table = Mapping[str, Mapping[str, Any]]  # name -> a line of backends/_tensors.describe


def aligned(ours: Table, theirs: Table, prefixes: Sequence[str]) -> dict[str, str]:
    """Map our names to theirs: as they are, or with a leading scope put on or taken off."""
    candidates: list[dict[str, str]] = [{name: name for name in ours}]
    for prefix in prefixes:
        candidates.append({name: f"{prefix}.{name}" for name in ours})
        candidates.append({name: name.removeprefix(f"{prefix}.") for name in ours})
    return max(candidates, key=lambda names: len(set(names.values()) & set(theirs)))


def compare_weights(ours: Table, theirs: Table) -> WeightsDifference:
    """Compare two tables of tensors, their names already the same.

    A tensor that only one side has is no difference when it is no weight (integers: position ids
    and the like) or the other side holds its values under another name (tied weights, or names
    that the rules of `backends/_names` do not know).
    """
    shared = ours.keys() & theirs.keys()

    def alone(mine: Table, other: Table) -> list[str]:
        known = {line["sha256"] for line in other.values()}
        return sorted(
            name
            for name in mine.keys() - other.keys()
            if mine[name]["sha256"] not in known and mine[name]["dtype"].startswith(("float", "bf"))
        )

    def same(name: str) -> bool:
        mine, other = ours[name], theirs[name]
        # TensorFlow keeps some biases as one row, [1, n]
        shapes = [[n for n in side["shape"] if n != 1] for side in (mine, other)]
        kinds = [side["dtype"].replace("int32", "int64") for side in (mine, other)]
        return (shapes[0], kinds[0], mine["sha256"]) == (shapes[1], kinds[1], other["sha256"])

    return WeightsDifference(
        only_ours=alone(ours, theirs),
        only_theirs=alone(theirs, ours),
        differ=sorted(name for name in shared if not same(name)),
        not_finite=sorted(n for n in ours if not ours[n]["finite"]),
    )
