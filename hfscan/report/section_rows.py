"""Run the query of a section: once, with several values of a parameter, or over snapshots."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from hfscan.figures import Query, SnapshotView, add_zeros, run_per_snapshot
from hfscan.report.model import QueryRef

_MOST_SNAPSHOTS = 12  # that a section over snapshots shows

_Row = dict[str, Any]


def run_section(
    view: SnapshotView, spec: Mapping[str, Any], query: Query, parameters: Mapping[str, object]
) -> tuple[tuple[_Row, ...], tuple[QueryRef, ...]]:
    """Return the rows that the section of a specification shows, and the queries that it ran.

    Over snapshots, only those that record the answer; no rows if there are fewer than two, or if
    the report is about a part of the Hub.
    """
    is_per_snapshot, each = spec.get("over") == "snapshots", spec.get("each", {})
    rows: list[_Row] = []
    queries: list[QueryRef] = []
    if is_per_snapshot and not view.is_complete:
        return (), ()
    for values in product(*each.values()):
        varied = dict(zip(each, values, strict=True))
        given = {**parameters, **varied}
        result: Iterator[_Row]
        if is_per_snapshot:
            end = view.snapshot.observed_to
            result = run_per_snapshot(view.store, query, given, as_of=end, most=_MOST_SNAPSHOTS)
            queries.append(QueryRef(query.name, given, None, per_snapshot=True))
        else:
            result = view.run_for_report(query.name, given)
            queries.append(QueryRef(query.name, given, view.snapshot.id))
        if column := spec.get("zero_if_absent"):
            result = add_zeros(list(result), column)
        rows += [varied | row for row in result]
    if is_per_snapshot:
        rows = [row for row in rows if row.get("coverage") != 0]
        if len({row["snapshot"] for row in rows}) < 2:
            rows = []
    return tuple(_select(rows, spec)), tuple(queries)


def _select(rows: Sequence[_Row], spec: Mapping[str, Any]) -> Iterator[_Row]:
    """Yield the rows with the values that `only` and `largest` name, in their order."""
    shown = {column: set(values) for column, values in spec.get("only", {}).items()}
    for column, count in spec.get("largest", {}).items():
        newest = [row[column] for row in rows if row["snapshot"] == rows[-1]["snapshot"]]
        shown[column] = set([*dict.fromkeys(newest)][:count])
    for row in rows:
        if all(row[column] in values for column, values in shown.items()):
            yield row
