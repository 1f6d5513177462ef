"""Describe how a tensor differs from another: a known mistake in saving or converting, if any."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np

Array = np.ndarray
_RATIO_TOLERANCE = 1e-5  # relative; a scaled float32 is rounded to 6e-8, a small one more
_FUSED = (2, 3)  # parts of fused matrices: gate and up; query, key and value


def describe_tensor(ours: Array, theirs: Array) -> str:
    """Return how one tensor differs from the other; the number of values is the last resort."""
    ours, theirs = ours.squeeze(), theirs.squeeze()
    if ours.ndim == 2 and ours.T.shape == theirs.shape and np.array_equal(ours.T, theirs):
        return "transposed"
    if ours.shape != theirs.shape:
        return f"different shape ({list(ours.shape)}, not {list(theirs.shape)})"
    for describe in _DESCRIPTIONS:
        if found := describe(ours, theirs):
            return found
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    count, largest = int((a != b).sum()), np.abs(a - b).max()
    return f"other values ({count:,} of {a.size:,}, by up to {largest:.2g})"


def _describe_rounding(ours: Array, theirs: Array) -> str | None:
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    if np.array_equal(a, b):
        return f"the same values as {ours.dtype}, not {theirs.dtype}"
    for precision, round_ in (("float16", _round_to_float16), ("bfloat16", _round_to_bfloat16)):
        if np.array_equal(a, round_(theirs)):
            return f"rounded to {precision}"
        if np.array_equal(round_(ours), b):
            return f"its counterpart is rounded to {precision}"
    return None


def _describe_flipped_bit(ours: Array, theirs: Array) -> str | None:
    changed = ours != theirs
    if int(changed.sum()) != 1 or not ours.dtype == theirs.dtype == np.float32:
        return None
    at = np.unravel_index(int(changed.argmax()), ours.shape)
    bits = int(ours[at].view(np.uint32)) ^ int(theirs[at].view(np.uint32))
    if bits.bit_count() != 1:
        return None
    element = [int(index) for index in at]
    return f"one flipped bit (bit {bits.bit_length() - 1} of element {element})"


def _describe_zeros(ours: Array, theirs: Array) -> str | None:
    for side, subject in ((ours, ""), (theirs, "its counterpart ")):
        if not side.any():
            return f"{subject}is all zeros" if subject else "all zeros"
    zeroed = (ours == 0) & (theirs != 0)
    if zeroed.any() and np.array_equal(ours[~zeroed], theirs[~zeroed]):
        return f"zeroed in part ({int(zeroed.sum()):,} of {ours.size:,} values)"
    return None


def _describe_arithmetic(ours: Array, theirs: Array) -> str | None:
    """Find a constant factor or a constant summand."""
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    with np.errstate(all="ignore"):
        ratio = float((a * b).sum() / (b * b).sum())
        summand = float(np.median(a - b))
        if np.allclose(a, -b, rtol=_RATIO_TOLERANCE, atol=0):
            return "of the opposite sign"
        if ratio and np.allclose(a, ratio * b, rtol=_RATIO_TOLERANCE, atol=0):
            return f"{ratio:.6g} times its counterpart"
        if np.allclose(a - b, summand, rtol=1e-3, atol=1e-6 * np.abs(b).max()):
            return f"its counterpart plus {summand:.6g}"
    return None


def _describe_order(ours: Array, theirs: Array) -> str | None:
    """Find the same values, rows or columns in another order."""
    if not ours.ndim or not np.array_equal(np.sort(ours, axis=None), np.sort(theirs, axis=None)):
        return None
    for axis in range(ours.ndim):
        a, b = np.moveaxis(ours, axis, 0), np.moveaxis(theirs, axis, 0)
        what = ("rows", "columns")[axis] if ours.ndim == 2 else f"entries of axis {axis}"
        what = "values" if ours.ndim == 1 else what
        if order := next(_orders_of_parts(a, b), None):
            return f"{len(order)} fused parts in another order ({', '.join(map(str, order))})"
        if shift := next(_shifts(a, b), None):
            return f"{what} rolled by {shift}"
        if _count_slices(a) == _count_slices(b):
            return f"{what} in another order"
    return "the same values in another order"


def _orders_of_parts(ours: Array, theirs: Array) -> Iterator[tuple[int, ...]]:
    """Yield the order of equal parts along the first axis that turns theirs into ours."""
    for count in _FUSED:
        if len(ours) % count == 0 and len(ours) > count:
            parts = np.split(theirs, count)
            for order in itertools.permutations(range(count)):
                if np.array_equal(ours, np.concatenate([parts[index] for index in order])):
                    yield order


def _shifts(ours: Array, theirs: Array) -> Iterator[int]:
    """Yield by how much theirs is rolled along the first axis to become ours."""
    for shift in range(1, len(ours)):
        is_candidate = np.array_equal(ours[shift], theirs[0])
        if is_candidate and np.array_equal(ours, np.roll(theirs, shift, axis=0)):
            yield shift if shift <= len(ours) // 2 else shift - len(ours)


def _count_slices(array: Array) -> Counter[bytes]:
    return Counter(part.tobytes() for part in array)


def _round_to_float16(array: Array) -> Array:
    with np.errstate(over="ignore"):
        return array.astype(np.float16).astype(np.float32)


def _round_to_bfloat16(array: Array) -> Array:
    """Round float32 to bfloat16, to nearest even, returned as float32."""
    bits = array.astype(np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return rounded.view(np.float32)


_DESCRIPTIONS: tuple[Callable[[Array, Array], str | None], ...] = (
    _describe_rounding,
    _describe_flipped_bit,
    _describe_zeros,
    _describe_arithmetic,
    _describe_order,
)
