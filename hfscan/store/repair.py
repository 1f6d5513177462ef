"""Convert the values of an API object that have undocumented types, one object at a time.

Few rows need it: normalise.sql finds them, and reads all others itself.
"""

import contextlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from hfscan.store import values

_Reader = Callable[[Any], Any]
_MAX_EXAMPLE = 80  # characters

_COLUMNS: dict[str, tuple[str, _Reader]] = {
    "_id": ("_id", values.read_object_id),
    "createdAt": ("created_at", values.read_timestamp),
    "lastModified": ("last_modified", values.read_timestamp),
    "sha": ("sha", values.read_text),
    "tags": ("tags", values.read_words),
    "library_name": ("library_name", values.read_text),
    "pipeline_tag": ("pipeline_tag", values.read_text),
    "downloads": ("downloads", values.read_count),
    "downloadsAllTime": ("downloads_all_time", values.read_count),
    "likes": ("likes", values.read_count),
    "gated": ("gated", values.read_gate),
    "disabled": ("disabled", values.read_flag),
    "private": ("private", values.read_flag),
    "siblings": ("files", values.read_files),
}
"""Field -> its column and its reader."""


_NESTED: dict[str, dict[str, tuple[str, _Reader]]] = {
    "baseModels": {
        "relation": ("base_relation", values.read_text),
        "models": ("base_models", values.read_bases),
    },
    "safetensors": {"total": ("parameters", values.read_count)},
    "gguf": {"total": ("parameters", values.read_count)},
    "config": {
        "model_type": ("model_type", values.read_text),
        "architectures": ("architectures", values.read_words),
    },
}
"""The same for the fields of objects."""


def repair(text: str, latest: datetime) -> tuple[dict[str, Any], dict[str, str]]:
    """Return an object in the contract's types, and column -> what could not be read of it.

    The object has no `id` if no field names a model. A date before the Hub or after `latest` is a
    placeholder, such as 1970-01-01 or 9999-12-31, and counts as unreadable.
    """
    given = _decode(text)
    unreadable: dict[str, str] = {}

    def read(value: Any, column: str, reader: _Reader) -> Any:
        found = None
        try:
            found = reader(values.unwrap(value))
            if column in values.DATES.values() and found is not None:
                values.check_date(datetime.fromisoformat(found), latest)
        except ValueError:
            is_number = found is not None and not isinstance(value, str)
            unreadable.setdefault(column, _example(found if is_number else value))
            return None
        return found

    model: dict[str, Any] = {}
    for field, (column, reader) in _COLUMNS.items():
        if field in given:
            model[field] = read(given[field], column, reader)
    for field, parts in _NESTED.items():
        if field in given:
            model[field] = _read_nested(given[field], parts, unreadable, read)
    model["id"] = _read_repo_id(given, model.get("_id"))
    if "cardData" in given:  # tells spaces from models
        model["cardData"] = given["cardData"]
    if isinstance(given.get("author"), str):  # else it follows from the id
        model["author"] = values.read_text(given["author"])
    return model, unreadable


def _read_nested(
    value: Any,
    parts: Mapping[str, tuple[str, _Reader]],
    unreadable: dict[str, str],
    read: Callable[[Any, str, _Reader], Any],
) -> dict[str, Any] | None:
    if isinstance(value, list) and "models" in parts:
        value = {"models": value}
    try:
        found = values.read_object(value)
    except ValueError:
        unreadable |= {column: _example(value) for column, _ in parts.values()}
        return None
    return found and {
        key: read(found[key], column, reader)
        for key, (column, reader) in parts.items()
        if key in found
    }


def _read_repo_id(given: Mapping[str, Any], object_id: str | None) -> str | None:
    """Return the first value that is the id of a model's repo, and not its `_id`."""
    for field in ("id", "modelId"):
        with contextlib.suppress(ValueError):
            found = values.read_repo_id(values.unwrap(given.get(field)))
            if found is not None and found != object_id:
                return found
    return None


def _decode(text: str) -> dict[str, Any]:
    for decode in (msgspec.json.decode, json.loads):  # the latter takes NaN and Infinity too
        with contextlib.suppress(ValueError, RecursionError):
            found = decode(text)
            return found if isinstance(found, dict) else {}
    return {}


def _example(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text[:_MAX_EXAMPLE]
