"""Say what limits the result of a query: a partial snapshot, or parameters that match nothing."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from hfscan.figures.quality import find_partial
from hfscan.figures.queries import Query
from hfscan.store import Snapshot, Store

_COUNTED = ("denominator", "models")
"""Columns of which the first that a result has is 0 in each row where nothing was found."""
_FOUND = "first_seen"  # unless a group had models, and has none any more
_SELECTING = frozenset(
    {
        "architectures", "author", "device", "dtype", "every", "exclude_top_authors",
        "family", "kind", "min_downloads", "model", "name", "only", "relation", "run", "since",
        "tag", "until",
    }
)  # fmt: skip
"""Parameters that select what is counted; others say how it is counted and shown."""


class WatchedRows:
    """The rows of a result, each once.

    Afterwards, if they were read to the end, `is_empty`: they count nothing; `is_similar`: they are
    models of similar names.
    """

    def __init__(self, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
        self._rows = rows
        counted = [name for name in _COUNTED if name in columns][:1]
        self._places = [columns.index(name) for name in (*counted, _FOUND) if name in columns]
        self._exact = [columns.index(name) for name in columns if name == "exact_match"]
        self.is_empty = self.is_similar = False

    @classmethod
    def read(cls, rows: Sequence[Mapping[str, Any]]) -> "WatchedRows":
        """Return rows that are at hand, as read to the end."""
        watched = cls([*rows[0]] if rows else [], (tuple(row.values()) for row in rows))
        for _ in watched:
            pass
        return watched

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        is_empty, is_similar = True, bool(self._exact)
        for row in self._rows:
            is_empty = (
                is_empty and bool(self._places) and not any(map(row.__getitem__, self._places))
            )
            is_similar = is_similar and not any(row[place] for place in self._exact)
            yield row
        self.is_empty, self.is_similar = is_empty, is_similar and not is_empty


def describe_limits(
    store: Store,
    query: Query,
    parameters: Mapping[str, object],
    rows: WatchedRows,
    snapshots: Collection[Snapshot],
) -> Iterator[str]:
    """Yield which snapshots of a query are partial, and what its parameters do not match.

    `rows`: its rows, after they were read.
    """
    if query.reads_census or query.compares_snapshots:
        yield from describe_partial(store, snapshots)
    if not query.name:
        return
    if rows.is_empty:
        yield describe_empty(parameters)
    if rows.is_similar:
        name = query.fill_defaults(parameters)["model"]
        yield f"No model of the snapshot is named {name}. These have similar names."
    if text := _describe_unknown_library(store, parameters):
        yield text


def describe_partial(store: Store, snapshots: Collection[Snapshot]) -> Iterator[str]:
    """Yield which of the snapshots lack a part of their models."""
    read = {snapshot.id for snapshot in snapshots}
    for flag in find_partial(store):
        if flag.snapshot in read:
            yield f"Snapshot {flag.snapshot} is partial: {flag.message}"


def describe_empty(parameters: Mapping[str, object]) -> str:
    """Return that nothing matches these parameters of a query, those that were given."""
    given = [f"{name} = {value}" for name, value in parameters.items() if name in _SELECTING]
    return f"Nothing in the data matches {', '.join(given) or 'this query'}."


def _describe_unknown_library(store: Store, parameters: Mapping[str, object]) -> str | None:
    """Return that no model of `census` has the library that a query leaves out; None if one has."""
    library = parameters.get("exclude_library")
    if library is None:
        return None
    found = store.execute("SELECT 1 FROM census WHERE library_name = ? LIMIT 1", [library])
    return None if found.fetchone() else f"No model has the library {library}: none was left out."
