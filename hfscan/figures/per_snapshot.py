"""Run a query over every snapshot of the entire Hub."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from hfscan.errors import InvalidRequestError, NotFoundError
from hfscan.figures.quality import find_flags_of_figures
from hfscan.figures.queries import Query
from hfscan.figures.view import SnapshotView
from hfscan.store import Store, require_snapshots


def list_complete(store: Store, as_of: datetime | None = None) -> list[SnapshotView]:
    """Return the snapshots of the entire Hub until `as_of`, oldest first.

    Invented data and those of the real Hub are never mixed: all are of the kind of the newest.
    """
    views = [SnapshotView(store, snapshot) for snapshot in require_snapshots(store)]
    complete = [
        view
        for view in views
        if view.is_complete and (as_of is None or view.snapshot.observed_to <= as_of)
    ]
    return [view for view in complete if view.snapshot.synthetic == complete[-1].snapshot.synthetic]


def run_per_snapshot(
    store: Store,
    query: Query,
    parameters: Mapping[str, object],
    *,
    as_of: datetime | None = None,
    most: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a query over each snapshot of the entire Hub, oldest first.

    Before its own columns, each row has `snapshot` (id), `observed_at` (its day; with the time
    where two are of one day) and `flags`: names of what is implausible in its models, or in the
    downloads where the query counts them. A release of transformers is the newest one's, for all.
    `most`: run over this many, evenly spaced. Raises NotFoundError without such a snapshot, and
    InvalidRequestError where the query is not about one snapshot; see also `Query.run`.
    """
    if not query.reads_census:
        raise InvalidRequestError(
            f"{query.name or 'Your own SQL'} does not read the models of one snapshot (census), so "
            "it cannot run over each."
        )
    views = list_complete(store, as_of)
    if not views:
        raise NotFoundError(
            "No snapshot covers the entire Hub. Crawl without a scope, or import a census."
        )
    values = views[-1].add_release(query, parameters)
    days = [f"{view.snapshot.observed_to:%Y-%m-%d}" for view in views]
    if len(set(days)) < len(days):
        days = [f"{view.snapshot.observed_to:%Y-%m-%d %H:%M}" for view in views]
    indexes = _space(len(views), most)
    snapshots = [views[index].snapshot for index in indexes]
    has_downloads = "downloads" in query.count_columns(parameters)
    weighted = {snapshot.id for snapshot in snapshots} if has_downloads else set()
    flags = find_flags_of_figures(store, snapshots, weighted)
    for index in indexes:
        view, day = views[index], days[index]
        names = [flag.name for flag in flags if flag.snapshot == view.snapshot.id]
        store = view.bind_census(with_counts=query.reads_counts(values))
        for row in query.run(store, values):
            yield {"snapshot": view.snapshot.id, "observed_at": day, "flags": names} | row


def label_snapshots(rows: Iterable[Mapping[str, Any]]) -> dict[int, str]:
    """Return snapshot -> the time of its rows, with its number where two are of one time.

    Of rows over snapshots, as `run_per_snapshot` yields them; others have no label.
    """
    times = {
        row["snapshot"]: row["observed_at"]
        for row in rows
        if row.keys() >= {"snapshot", "observed_at", "flags"}
    }
    counts = Counter(times.values())
    return {
        snapshot: time if counts[time] == 1 else f"{time}, snapshot {snapshot}"
        for snapshot, time in times.items()
    }


def add_zeros(
    rows: Sequence[Mapping[str, Any]], column: str, values: Iterable[str] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield rows over snapshots, and one of 0 for each value of a column that a snapshot lacks.

    Only for the rows of one query that returns every value that a model has. `values`: those to
    add; None: all in the rows. A snapshot of which no share is known gets none.
    """
    if values is None:
        values = dict.fromkeys(row[column] for row in rows if row["share"] is not None)
    for _, group in groupby(rows, itemgetter("snapshot")):
        present = list(group)
        yield from map(dict, present)
        known = next((row for row in present if row["share"] is not None), None)
        for value in values if known else ():
            if value not in {row[column] for row in present}:
                zeros = {"numerator": 0, "share": 0.0, "small": True}
                zeros |= {"models": 0} if "models" in present[0] else {}
                yield {**(known or {}), column: value} | zeros


def _space(count: int, most: int | None) -> list[int]:
    """Return up to `most` of the indexes below `count`, evenly spaced, with the first and last."""
    if most is None or count <= most:
        return list(range(count))
    return [round(number * (count - 1) / (most - 1)) for number in range(most)]
