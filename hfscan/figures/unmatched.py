"""Say that the parameters of a query match nothing in the data."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hfscan.store import Store

_COUNTED = ("denominator", "models")  # columns whose zeros mean that nothing was found
_SELECTING = frozenset(
    {
        "architectures", "author", "device", "dtype", "every", "exclude_top_authors",
        "family", "kind", "min_downloads", "model", "name", "only", "relation", "run", "since",
        "tag", "until",
    }
)  # fmt: skip
"""Parameters that select what is counted; others say how it is counted and shown."""


class WatchedRows:
    """The rows of a result, each once. `is_empty` afterwards: they were read and count nothing."""

    def __init__(self, columns: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> None:
        self._rows = rows
        self._places = [columns.index(name) for name in _COUNTED if name in columns][:1]
        self.is_empty = False

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        is_empty = True
        for row in self._rows:
            is_empty = is_empty and any(not row[place] for place in self._places)
            yield row
        self.is_empty = is_empty


def describe_empty(parameters: Mapping[str, object]) -> str:
    """Return that nothing matches these parameters of a query, those that were given."""
    given = [f"{name} = {value}" for name, value in parameters.items() if name in _SELECTING]
    return f"Nothing in the data matches {', '.join(given) or 'this query'}."


def describe_unknown_library(store: Store, parameters: Mapping[str, object]) -> str | None:
    """Return that no model of `census` has the library that a query leaves out; None if one has."""
    library = parameters.get("exclude_library")
    if library is None:
        return None
    found = store.execute("SELECT 1 FROM census WHERE library_name = ? LIMIT 1", [library])
    return None if found.fetchone() else f"No model has the library {library}: none was left out."
