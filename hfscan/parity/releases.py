"""Translate configs between releases of transformers, and judge what a release does not read."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from hfscan.parity.configs import Config
from hfscan.parity.tables import read_table

_ROPE = ("rope_parameters", "rope_scaling")
_LAYER_TYPES = {"full_attention", "sliding_attention"}
_LOCAL_THETA = {"gemma3_text": "rope_local_base_freq", "modernbert": "local_rope_theta"}
"""Model types with two RoPE bases -> the older entry for that of sliding attention."""


def translate(config: Config) -> Config:
    """Return the config with transformers 5's `rope_parameters` in the entries of older releases.

    Those of unknown model types with several sets of RoPE parameters stay as they are.
    """
    translated = {
        key: translate(value) if isinstance(value, dict) and key not in _ROPE else value
        for key, value in config.items()
    }
    rope = next((config[key] for key in reversed(_ROPE) if _is_rope(config.get(key))), None)
    if rope is None:
        return translated
    if not rope.keys().isdisjoint(_LAYER_TYPES):
        full, sliding = (rope.get(key) for key in sorted(_LAYER_TYPES))
        local_theta = _LOCAL_THETA.get(str(config.get("model_type")))
        if not (local_theta and isinstance(full, dict) and isinstance(sliding, dict)):
            return translated
        if sliding.keys() - {"rope_type", "rope_theta"} or "rope_theta" not in sliding:
            return translated
        translated[local_theta], rope = sliding["rope_theta"], full
    for key in _ROPE:
        translated.pop(key, None)
    scaling = dict(rope)
    for key in ("rope_theta", "partial_rotary_factor"):
        if key in scaling:
            translated[key] = scaling.pop(key)
    if translated.get("partial_rotary_factor") in {1, None}:
        translated.pop("partial_rotary_factor", None)
    if scaling not in ({}, {"rope_type": "default"}):
        translated["rope_scaling"] = scaling
    return translated


def _is_rope(value: Any) -> bool:
    return isinstance(value, dict) and bool(value)


def find_unread(keys: Iterable[str], config: Config) -> list[str]:
    """Return those entries, of the ones that a backend does not read, that may change outputs."""
    return [key for key in keys if not _is_ignored(key.split(".")[-1], _look_up(config, key))]


def _look_up(config: Config, key: str) -> Any:
    value: Any = config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _is_ignored(name: str, value: Any) -> bool:
    if value is None:
        return True
    return any(
        re.fullmatch(entry["pattern"], name) and value in entry.get("values", [value])
        for entry in read_table("config_keys")["ignore"]
    )


def is_newer(saved: Any, installed: str) -> bool:
    """Return whether a config was saved by a later minor release than the installed one."""
    releases = [re.match(r"(\d+)\.(\d+)", str(version)) for version in (saved, installed)]
    saved_by, read_by = releases
    return bool(
        saved_by
        and read_by
        and tuple(map(int, saved_by.groups())) > tuple(map(int, read_by.groups()))
    )
