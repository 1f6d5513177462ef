"""Name, orient and describe the tensors of weight files, without moving their values.

Names and orientation are PyTorch's, whichever framework wrote the file.
"""

import hashlib
import os
import re
from typing import Any

import numpy as np

_RENAMED = {
    r"\.gamma$": ".weight",
    r"\.beta$": ".bias",
    r"\.parametrizations\.weight\.original0$": ".weight_g",
    r"\.parametrizations\.weight\.original1$": ".weight_v",
}
_TENSORFLOW_LEAVES = {
    "kernel": "weight", "embeddings": "weight", "gamma": "weight", "beta": "bias",
    "pointwise_kernel": "pointwise.weight", "depthwise_kernel": "depthwise.weight",
    "moving_mean": "running_mean", "moving_variance": "running_var",
}  # fmt: skip
_FLAX_LEAVES = {
    "kernel": "weight", "scale": "weight", "embedding": "weight",
    "mean": "running_mean", "var": "running_var",
}  # fmt: skip
_KERNEL_AXES = {3: (2, 1, 0), 4: (3, 2, 0, 1)}  # by rank
_DEPTHWISE_AXES = (2, 3, 0, 1)

Axes = tuple[int, ...] | None


def normalize_pytorch_name(name: str) -> str:
    """Return the current name of a tensor that older releases named differently."""
    for pattern, current in _RENAMED.items():
        name = re.sub(pattern, current, name)
    return name


def convert_tensorflow_name(name: str, rank: int) -> tuple[str, Axes]:
    """Return (PyTorch's name, axes to transpose by or None) of a TF transformers variable.

    Follows transformers' `convert_tf_weight_name_to_pt_weight_name`: drop the outermost scope, read
    `layer_._3` as `layer/3` and `a___b` as `b`, translate the last part. Unlike it, also translate
    the statistics of batch norms.
    """
    name = re.sub(r"/[^/]*___([^/]*)/", r"/\1/", name.removesuffix(":0"))
    parts = re.sub(r"//+", "/", name.replace("_._", "/")).split("/")
    parts = parts[1:] if len(parts) > 1 else parts
    leaf = parts[-1]
    axes: Axes = _KERNEL_AXES.get(rank) if leaf == "kernel" else None
    if leaf in {"pointwise_kernel", "depthwise_kernel"} or (
        rank == 2 and (leaf == "kernel" or {"emb_projs", "out_projs"} & set(parts))
    ):
        axes = tuple(reversed(range(rank)))
    parts[-1] = _TENSORFLOW_LEAVES.get(leaf, leaf)
    if leaf == "depthwise_kernel" and rank == 4:  # a layer of its own, not part of a separable one
        parts[-1], axes = "weight", _DEPTHWISE_AXES
    return ".".join(parts), axes


def convert_flax_name(name: str, rank: int) -> tuple[str, Axes]:
    """Return (PyTorch's name, axes to transpose by or None) of a Flax parameter.

    Follows transformers' `modeling_flax_pytorch_utils`: drop the collection, translate the leaf.
    """
    parts = [part for part in name.split("/") if part not in {"params", "batch_stats"}]
    axes = {2: (1, 0), **_KERNEL_AXES}.get(rank) if parts[-1] == "kernel" else None
    parts[-1] = _FLAX_LEAVES.get(parts[-1], parts[-1])
    return ".".join(parts), axes


def orient(array: np.ndarray, axes: Axes) -> np.ndarray:
    """Return the array contiguous, transposed by `axes` where there are any."""
    return np.ascontiguousarray(array if axes is None else np.transpose(array, axes))


def describe(source: str, name: str, array: np.ndarray) -> dict[str, Any]:
    """Return name, dtype, shape and SHA-256 (of the little-endian bytes) of an oriented tensor.

    Integers are hashed as int64: TensorFlow stores int32 where PyTorch stores int64.
    """
    array = np.asarray(array)
    values = np.ascontiguousarray(array if array.dtype.kind not in "iu" else array.astype("<i8"))
    return {
        "source": source,
        "name": name,
        "dtype": array.dtype.name,
        "shape": list(array.shape),
        "sha256": hashlib.sha256(values.view(np.uint8).data if array.size else b"").hexdigest(),
        "finite": array.dtype.kind != "f" or bool(np.isfinite(array).all()),
    }


def total_memory_bytes() -> int | None:
    """Return the size of this machine's memory; None where the system does not report it."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
