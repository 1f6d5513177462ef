"""The cursors of lists: base64 of `{"_id":{"$gt":"<last _id>"}}` in order of creation.

In order of change the same stands in the first branch of an `$or`, beside the last time. Read to
notice what a page missing_columns; written for samples, and to go beyond a page that names no next
one: the answers are checked. Snapshot: the Link headers on record from 2022 to 2026; the Hub
promises nothing about them.
"""

import base64
import binascii
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec


class _Bound(msgspec.Struct):
    id: dict[str, str] = msgspec.field(name="_id", default_factory=dict)


class _Cursor(_Bound):
    branches: list[_Bound] = msgspec.field(name="$or", default_factory=list)


_CURSOR = msgspec.json.Decoder(_Cursor)


def read(url: str) -> str | None:
    """Return the cursor in an address as it is, None where there is none."""
    return parse_qs(urlsplit(url).query).get("cursor", [None])[-1]


def bound(url: str) -> str | None:
    """Return the `_id` beyond which the page at `url` begins, None where its cursor says none."""
    try:
        found = _CURSOR.decode(base64.b64decode(read(url) or ""))
    except (binascii.Error, msgspec.DecodeError, ValueError):
        return None
    bounds = (found.branches[0] if found.branches else found).id
    return bounds.get("$gt") or bounds.get("$lt")


def after(object_id: str, *, ascending: bool = True) -> str:
    """Return the cursor of the page that begins after an `_id`, in order of creation."""
    return _encode({"_id": {"$gt" if ascending else "$lt": object_id}})


def after_change(time: str | None, object_id: str) -> str:
    """Return the cursor of the page that begins after a model, newest change first."""
    here = {"lastModified": time, "_id": {"$gt": object_id}}
    if time is None:  # such models come last
        return _encode(here)
    return _encode({"$or": [here, {"lastModified": {"$lt": time}}, {"lastModified": None}]})


def _encode(bound: object) -> str:
    return base64.b64encode(msgspec.json.encode(bound)).decode()


def entered(url: str, cursor: str) -> str:
    """Return an address with this cursor instead of its own."""
    parts = urlsplit(url)
    query = [(key, value) for key, value in parse_qsl(parts.query) if key != "cursor"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("cursor", cursor)])))
