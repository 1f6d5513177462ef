"""Says what could not be read of a snapshot."""

from hfscan.store import Unreadable
from hfscan.text import sanitize


def describe(one: Unreadable) -> str:
    """Return the column, in how many models it could not be read, and an example."""
    models = "model" if one.models == 1 else "models"
    example = "" if one.example is None else f", e.g. {sanitize(one.example)!r}"
    return f"{one.field} of {one.models:,} {models}{example}"
