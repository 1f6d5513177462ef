"""A repository's tree in pages, and the paths that a client asks about."""

import base64
import json
from typing import Any
from urllib.parse import parse_qsl

Entry = dict[str, Any]

LARGEST = 1_000
"""Entries of one page; a tenth of it with `expand`."""

MOST_PATHS = 2_000


def page(entries: list[Entry], limit: int, cursor: str | None) -> tuple[list[Entry], str | None]:
    """Return so many entries after a cursor, and the next page's; ValueError on a bad one."""
    if cursor is not None:
        names = [entry["path"] for entry in entries]
        entries = entries[names.index(_after(cursor)) + 1 :]
    more = len(entries) > limit
    return entries[:limit], _cursor(entries[limit - 1], limit) if more else None


def paths(body: bytes) -> list[str]:
    """Return the paths in a body, a form (as the Python client sends it) or JSON.

    Raises ValueError where there are none.
    """
    text = body.decode("utf-8", "replace")
    if text.lstrip().startswith("{"):
        return [str(path) for path in json.loads(text).get("paths", ())]
    return [value for key, value in parse_qsl(text) if key == "paths"]


def _cursor(entry: Entry, place: int) -> str:
    inner = json.dumps({"file_name": entry["path"], "tree_oid": entry["oid"]})
    text = f"{base64.b64encode(inner.encode()).decode()}:{place}"
    return base64.b64encode(text.encode()).decode()


def _after(cursor: str) -> str:
    inner = base64.b64decode(cursor).decode().partition(":")[0]
    return str(json.loads(base64.b64decode(inner))["file_name"])
