"""Field names that dumps use, and the Hub API's names for them."""

from collections.abc import Mapping
from functools import lru_cache
from typing import TypeVar

import msgspec

from hfscan.store.dump.fields import FIELDS, IGNORED_FIELDS, INSPECTED_FIELDS
from hfscan.store.literals import MISSING

V = TypeVar("V")

IDS = ("_id", "id", "modelId")
_NAMES_OF_ID = ("repoid", "modelname", "model", "name")
"""Names for the repo id where none of IDS is there, most specific first."""
_WITHOUT_OWNER = frozenset(_NAMES_OF_ID) - {"repoid"}
"""Of these, names that may hold the repo's name alone, beside its owner in `author`."""

ENVELOPES = ("_source", "node")
"""Keys that hold one model beside facts about it: a hit of Elasticsearch, an edge of GraphQL."""

OBJECT_KEY = "the object's key"
"""Placeholder for a field name: the key of the model's object in the file."""


def _squash(key: str) -> str:
    prefix = "_" if key.startswith("_") else ""  # `_id` is not `id`
    return prefix + "".join(char for char in key.lower() if char.isalnum())


_KNOWN = {_squash(name): name for name in (*FIELDS, *IGNORED_FIELDS)}


@lru_cache(maxsize=10_000)
def canonical_name(key: str) -> str:
    """Return the API's name for a field, in any case and with any separators."""
    if key == OBJECT_KEY:
        return "id"
    return key if key in FIELDS else _KNOWN.get(_squash(key), key)


def is_known(key: str) -> bool:
    """Return whether the key is a field of the API, under any name."""
    return canonical_name(key) in FIELDS or canonical_name(key) in IGNORED_FIELDS


def hides_model(key: str) -> bool:
    """Return whether a model lies in an unknown field, or is spelled by it in its own way."""
    return key in ENVELOPES or is_known(key)


@lru_cache(maxsize=1_000)  # the models of a dump share few sets of keys
def match_fields(keys: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the API's name for each field -> the keys that may hold it, best first.

    The API's own spelling is better than others. Unknown fields keep their names; those that a
    snapshot has no use for are left out.
    """
    found: dict[str, list[str]] = {}
    for key in sorted(keys, key=lambda key: canonical_name(key) != key):
        found.setdefault(canonical_name(key), []).append(key)
    if not any(name in found for name in IDS):
        squashed = {_squash(key): key for key in found}
        name = next((squashed[name] for name in _NAMES_OF_ID if name in squashed), None)
        # errors have names too: a model has other known fields, or only its name
        if name is not None and (len(found) == 1 or any(map(is_known, found))):
            found["id"] = found.pop(name)
    ignored = IGNORED_FIELDS - INSPECTED_FIELDS
    return {name: holders for name, holders in found.items() if name not in ignored}


def may_lack_owner(key: str) -> bool:
    """Return whether a field that is taken for the repo id may hold the repo's name alone."""
    return _squash(key) in _WITHOUT_OWNER


def rename(fields: Mapping[str, V], null: V) -> dict[str, V]:
    """Return the fields under the API's names; `null` is the value that stands for none.

    A value that contradicts that of a better name stays under its own, as an unknown field.
    """
    row: dict[str, V] = {}
    for name, keys in match_fields(tuple(fields)).items():
        given = [key for key in keys if fields[key] != null] or keys
        row[name] = fields[given[0]]
        row |= {key: fields[key] for key in given[1:] if fields[key] != row[name]}
        if name == "id" and may_lack_owner(given[0]):
            row[name] = _with_owner(row[name], fields.get("author", null))
    return row


def _with_owner(name: V, author: V) -> V:
    """Return `author/name`, as JSON or text; `name` where it has an owner or there is none.

    Two authors may have models of the same name.
    """
    if isinstance(name, msgspec.Raw) and isinstance(author, msgspec.Raw):
        texts = [msgspec.json.decode(value) for value in (name, author)]
        return type(name)(msgspec.json.encode(_with_owner(*texts)))
    if not (isinstance(name, str) and isinstance(author, str)):
        return name
    owner = author.strip()
    return name if "/" in name or not owner or owner in MISSING else f"{owner}/{name}"  # type: ignore[return-value]
