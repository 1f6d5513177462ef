"""Pool hidden states into sentence embeddings, as a checkpoint of sentence-transformers says."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

EMBEDDING = "sentence_embedding"
_MODULES = "modules.json"
_MAX_BYTES = 100_000
_WITHOUT_OWN_WEIGHTS = {"Transformer", "Pooling", "Normalize"}  # the first's are the checkpoint's
_MODES = {  # entry of a pooling config -> mode
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len",
    "pooling_mode_weightedmean_tokens": "weighted_mean",
    "pooling_mode_lasttoken": "last",
}


@dataclass(frozen=True)
class Pooling:
    """How to pool: the parts of an embedding, and whether its length becomes 1."""

    modes: tuple[str, ...]
    normalized: bool

    def embed(self, states: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return [rows, width] of states [rows, length, width] and a mask [rows, length]."""
        states, weights = states.astype(np.float64), mask[..., None].astype(np.float64)
        parts = [_pool(mode, states, weights) for mode in self.modes]
        embedding: np.ndarray = np.concatenate(parts, axis=1)
        if self.normalized:
            embedding /= np.linalg.norm(embedding, axis=1, keepdims=True)
        return embedding


def _pool(mode: str, states: np.ndarray, weights: np.ndarray) -> np.ndarray:
    if mode == "max":
        pooled: np.ndarray = np.where(weights > 0, states, -np.inf).max(axis=1)
        return pooled
    positions = np.arange(states.shape[1])[None, :, None]
    if mode == "cls":
        weights = weights * (positions == weights.argmax(axis=1, keepdims=True))
    elif mode == "last":
        weights = weights * (positions == (weights * positions).argmax(axis=1, keepdims=True))
    elif mode == "weighted_mean":
        weights = weights * (positions + 1)
    total = weights.sum(axis=1)
    pooled = (states * weights).sum(axis=1) / (np.sqrt(total) if mode == "mean_sqrt_len" else total)
    return pooled


def read_pooling(folder: Path, homes: Sequence[Path]) -> Pooling | None:
    """Return how the checkpoint pools; None if it does not, or with modules that have weights.

    Only files within one of `homes` are read.
    """
    modes: list[str] = []
    normalized = False
    for name, path in _list_modules(folder, homes):
        if name == "Pooling" and re.fullmatch(r"[\w-]+", path):
            config = _read_json(folder / path / "config.json", homes)
            if _is_mapping(config):
                modes = [mode for key, mode in _MODES.items() if config.get(key) is True]
        elif name == "Normalize":
            normalized = True
        elif name not in _WITHOUT_OWN_WEIGHTS:
            return None
    return Pooling(tuple(modes), normalized) if modes else None


def list_unapplied_modules(folder: Path, homes: Sequence[Path]) -> tuple[str, ...]:
    """Return the modules of sentence-transformers with own weights, which are not applied."""
    return tuple(
        f"{name} ({path})" if path else name
        for name, path in _list_modules(folder, homes)
        if name not in _WITHOUT_OWN_WEIGHTS
    )


def _list_modules(folder: Path, homes: Sequence[Path]) -> list[tuple[str, str]]:
    """Return (class, folder) of each module, in their order."""
    modules = _read_json(folder / _MODULES, homes)
    return [
        (str(module.get("type", "")).rpartition(".")[2], str(module.get("path", "")))
        for module in (modules if isinstance(modules, list) else ())
        if _is_mapping(module)
    ]


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _read_json(path: Path, homes: Sequence[Path]) -> Any:
    """Return the content of a small JSON file within one of `homes`, or None."""
    try:
        target = path.resolve(strict=True)
        is_inside = any(map(target.is_relative_to, homes))
        if not is_inside or target.stat().st_size > _MAX_BYTES:
            return None
        return json.loads(path.read_bytes())
    except (OSError, RuntimeError, ValueError, RecursionError):
        return None
