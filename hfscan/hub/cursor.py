"""Cursors of lists: base64 of `{"_id":{"$gt":"<last _id>"}}` in order of creation.

In order of change, the same is in the first branch of an `$or`, beside the last time. Cursors are
read to notice missing models, and written for samples and to go beyond a page without a link to the
next: the responses are checked. Source: `Link` headers of 2022 to 2026; the Hub promises nothing.
"""

import base64
import binascii
import contextlib
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from hfscan.fs import add_checksum, atomic_write, strip_checksum

_MIN_SAVED = 40  # pages; shorter crawls gain nothing from more workers
_MAX_SAVED = 1_000  # enough to split a Hub evenly


class _Boundary(msgspec.Struct):
    id: dict[str, str] = msgspec.field(name="_id", default_factory=dict)


class _Cursor(_Boundary):
    branches: list[_Boundary] = msgspec.field(name="$or", default_factory=list)


_CURSOR = msgspec.json.Decoder(_Cursor)


def read_cursor(url: str) -> str | None:
    """Return the cursor in a URL, encoded, None if there is none."""
    return parse_qs(urlsplit(url).query).get("cursor", [None])[-1]


def boundary_id(url: str) -> str | None:
    """Return the `_id` beyond which the page at `url` starts, None if its cursor has none."""
    try:
        cursor = _CURSOR.decode(base64.b64decode(read_cursor(url) or ""))
    except (binascii.Error, msgspec.DecodeError, ValueError):
        return None
    bounds = (cursor.branches[0] if cursor.branches else cursor).id
    return bounds.get("$gt") or bounds.get("$lt")


def cursor_after(object_id: str, *, ascending: bool = True) -> str:
    """Return the cursor of the page that starts after an `_id`, in order of creation."""
    return _encode({"_id": {"$gt" if ascending else "$lt": object_id}})


def cursor_after_change(time: str | None, object_id: str) -> str:
    """Return the cursor of the page that starts after a model, newest change first."""
    same_time = {"lastModified": time, "_id": {"$gt": object_id}}
    if time is None:  # such models come last
        return _encode(same_time)
    return _encode({"$or": [same_time, {"lastModified": {"$lt": time}}, {"lastModified": None}]})


def _encode(boundary: object) -> str:
    return base64.b64encode(msgspec.json.encode(boundary)).decode()


def with_cursor(url: str, cursor: str) -> str:
    parts = urlsplit(url)
    query = [(key, value) for key, value in parse_qsl(parts.query) if key != "cursor"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("cursor", cursor)])))


class SavedCursor(msgspec.Struct, frozen=True):
    """Where a page of an earlier crawl ended: a page with this cursor starts beyond `id`."""

    id: str
    cursor: str
    ascending: bool


class SavedCursors(msgspec.Struct, frozen=True):
    """Cursors of one Hub in order of `_id`, so that a later crawl can start in its midst."""

    endpoint: str
    cursors: tuple[SavedCursor, ...]

    @classmethod
    def select(cls, endpoint: str, cursors: Sequence[SavedCursor]) -> "SavedCursors | None":
        """Return at most 1,000 of the cursors, evenly spaced; None if they are too few to save."""
        if len(cursors) < _MIN_SAVED:
            return None
        step = -(-len(cursors) // _MAX_SAVED)
        return cls(endpoint, tuple(sorted(cursors, key=lambda cursor: cursor.id)[::step]))

    @classmethod
    def load(cls, path: Path, endpoint: str) -> "SavedCursors | None":
        """Return the cursors in a file, None if it has none of this Hub."""
        try:
            saved = msgspec.json.decode(strip_checksum(path.read_bytes()) or b"", type=cls)
        except (OSError, msgspec.DecodeError):
            return None
        return saved if saved.endpoint == endpoint else None

    def split(self, workers: int) -> tuple[SavedCursor, ...]:
        """Return the cursors that split the Hub into this many ranges, or into fewer."""
        places = {round(n * len(self.cursors) / workers) for n in range(1, workers)}
        return tuple(self.cursors[place] for place in sorted(places) if place < len(self.cursors))

    def save(self, path: Path) -> None:
        """Write a file. Errors are ignored: only speed depends on it."""
        with contextlib.suppress(OSError):
            atomic_write(path, add_checksum(msgspec.json.encode(self)))
