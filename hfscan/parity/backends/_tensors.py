"""What a weight file holds, tensor by tensor, without moving the values."""

import hashlib
from typing import Any

import numpy as np


def canonical(array: np.ndarray, axes: tuple[int, ...] | None) -> np.ndarray:
    return np.ascontiguousarray(array if axes is None else np.transpose(array, axes))


def describe(source: str, name: str, array: np.ndarray) -> dict[str, Any]:
    """One line about a tensor in PyTorch's orientation: `sha256` is of its little-endian bytes.

    Whole numbers are hashed as int64, for TensorFlow counts in int32 where PyTorch does in int64.
    """
    array = np.asarray(array)
    floating = array.dtype.kind == "f"
    values = np.ascontiguousarray(array if array.dtype.kind not in "iu" else array.astype("<i8"))
    return {
        "source": source,
        "name": name,
        "dtype": array.dtype.name,
        "shape": list(array.shape),
        "sha256": hashlib.sha256(values.view(np.uint8).data if array.size else b"").hexdigest(),
        "finite": bool(np.isfinite(array).all()) if floating else True,
    }
