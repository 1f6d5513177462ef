# mypy: ignore-errors
"""Find the entries of a checkpoint's config that transformers' classes do not read."""

import inspect
import json
import re
import sys
from pathlib import Path

from transformers import PretrainedConfig

ROPE_KEYS = {"rope_theta", "rope_scaling", "partial_rotary_factor"}
"""Entries that transformers 5 moves into `rope_parameters`."""
_ABSENT = object()


def unread_keys(folder, cls, config):
    """Return the entries of the config file that neither the config's class nor `cls` reads.

    transformers keeps entries that it does not know as attributes that nothing uses: the model
    computes without them, and no loader reports that.
    """
    entries = json.loads(Path(folder, "config.json").read_text(encoding="utf-8"))
    return _unread_entries(config, entries, inspect.getsource(sys.modules[cls.__module__]))


def _unread_entries(config, entries, source, place=""):
    cls, base = type(config), PretrainedConfig()
    accepted = {*getattr(cls, "attribute_map", ())}
    for ancestor in cls.__mro__[:-1]:
        accepted |= set(inspect.signature(ancestor.__init__).parameters)
    default = _new_default(cls)
    is_version_5 = hasattr(default, "rope_parameters")
    unread = []
    for key, value in entries.items():
        current = _read(config, key)
        if isinstance(value, dict) and isinstance(current, PretrainedConfig):
            unread += _unread_entries(current, value, source, f"{place}{key}.")
            continue
        if key == "model_type" and value != cls.model_type:  # another class than it names
            unread.append(place + key)
        if key == "rope_scaling" and isinstance(value, dict) and not is_version_5:
            unread += [f"{place}{key}.{name}" for name in sorted(ROPE_KEYS & value.keys())]
        if key in accepted or hasattr(base, key) or (key in ROPE_KEYS and is_version_5):
            continue
        if _read(default, key, _ABSENT) is not _ABSENT:  # derived from another entry, which decides
            is_read = _plain(current) == _plain(value) or _takes_keyword(cls, key)
        else:
            name = re.escape(key)
            pattern = rf"config(\.{name}\b|,\s*[\"']{name}[\"'])"
            is_read = re.search(pattern, source) or _takes_keyword(cls, key)
        if not is_read:
            unread.append(place + key)
    return unread


def _read(config, key, default=None):
    """Return an attribute of a config, also one that layers override: transformers 5 refuses it."""
    try:
        return getattr(config, key, default)
    except RuntimeError:
        return vars(config).get(key, default)


def _takes_keyword(cls, key):
    """Return whether the config's class takes the entry out of its keyword arguments.

    It may keep the value under another name, or in another entry.
    """
    pattern = re.compile(rf"kwargs\.(get|pop)\(\s*[\"']{re.escape(key)}[\"']")
    own = cls.__mro__[: cls.__mro__.index(PretrainedConfig)]
    return any(pattern.search(inspect.getsource(ancestor)) for ancestor in own)


def _new_default(cls):
    """Return a config with default values, or None: composite ones need their parts."""
    try:
        return cls()
    except Exception:
        return None


def _plain(value):
    return list(value) if isinstance(value, tuple) else value
