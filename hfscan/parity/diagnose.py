"""Says in words how two files' weights differ."""

import re
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from hfscan.parity.checkpoints import Weights
from hfscan.parity.compare import WeightsDifference
from hfscan.parity.tables import Files

_LOOKED_AT = 200  # tensors whose values are fetched


def weights(files: Files, ours: Weights, theirs: Weights, found: WeightsDifference) -> str:
    """Return one sentence about how `ours` differs from `theirs`."""
    parts = []
    if found.only_theirs:
        parts.append(f"{_some(found.only_theirs)} only in {theirs.name}")
    if found.only_ours:
        parts.append(f"{_some(found.only_ours)} only in {ours.name}")
    if found.differ:
        parts.append(_swapped(files, ours, theirs, found) or _values(files, ours, theirs, found))
    return "; ".join(parts)


def _some(names: list[str]) -> str:
    return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")


def _swapped(files: Files, ours: Weights, theirs: Weights, found: WeightsDifference) -> str | None:
    """Two layers whose tensors stand in each other's place."""
    names = files.renamed(ours.name, theirs.name)
    mine = {names[name]: line for name, line in files.tables[ours.name].items()}
    where = {line["sha256"]: name for name, line in files.tables[theirs.name].items()}
    moves = set()
    for name in found.differ:
        origin = where.get(mine[name]["sha256"])
        here, there = (re.search(r"\d+", text or "") for text in (name, origin))
        if here and there and re.sub(r"\d+", "#", name) == re.sub(r"\d+", "#", origin or ""):
            moves.add((int(here[0]), int(there[0])))
    pairs = sorted({(min(m), max(m)) for m in moves if m[::-1] in moves and m[0] != m[1]})
    return f"layers {pairs[0][0]} and {pairs[0][1]} are swapped" if pairs else None


def _values(files: Files, ours: Weights, theirs: Weights, found: WeightsDifference) -> str:
    back = {new: old for old, new in files.renamed(ours.name, theirs.name).items()}
    looked_at = found.differ[:_LOOKED_AT]
    with tempfile.TemporaryDirectory(prefix="hfscan-parity-") as scratch:
        mine = files.values(ours, [back[name] for name in looked_at], Path(scratch, "ours"))
        other = files.values(theirs, looked_at, Path(scratch, "theirs"))
    kinds = {name: how(mine[back[name]], other[name]) for name in looked_at}
    kind, count = Counter(re.sub(r" \(.*", "", k) for k in kinds.values()).most_common(1)[0]
    first = next(name for name in looked_at if kinds[name].startswith(kind))
    more = f" and {len(found.differ) - 1} more" if len(found.differ) > 1 else ""
    alike = "" if count == len(looked_at) else f" ({count} of {len(looked_at)})"
    return f"{first}{more}: {kinds[first]}{alike}"


def how(ours: np.ndarray, theirs: np.ndarray) -> str:
    """Return in words how one tensor differs from what it should be."""
    ours, theirs = ours.squeeze(), theirs.squeeze()
    if ours.ndim == 2 and ours.T.shape == theirs.shape and np.array_equal(ours.T, theirs):
        return "transposed"
    if ours.shape != theirs.shape:
        return f"another shape ({list(ours.shape)}, not {list(theirs.shape)})"
    a, b = ours.astype(np.float64), theirs.astype(np.float64)
    if np.array_equal(a, b):
        return f"the same values as {ours.dtype}, not {theirs.dtype}"
    for precision, round_ in (("float16", _float16), ("bfloat16", _bfloat16)):
        if np.array_equal(a, round_(theirs)):
            return f"rounded to {precision}"
        if np.array_equal(round_(ours), b):
            return f"its counterpart is rounded to {precision}"
    changed = int((a != b).sum())
    if changed == 1 and ours.dtype == theirs.dtype == np.float32:
        at = np.unravel_index(int((a != b).argmax()), a.shape)
        bits = int(ours[at].view(np.uint32)) ^ int(theirs[at].view(np.uint32))
        if bits.bit_count() == 1:
            return (
                f"one flipped bit (bit {bits.bit_length() - 1} of element {[int(i) for i in at]})"
            )
    return f"{changed:,} of {a.size:,} values (max abs {np.abs(a - b).max():.2g})"


def _float16(array: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return array.astype(np.float16).astype(np.float32)


def _bfloat16(array: np.ndarray) -> np.ndarray:
    """Round float32 to bfloat16, to nearest even, kept as float32."""
    bits = array.astype(np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return rounded.view(np.float32)
