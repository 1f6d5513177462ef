"""Consistency checks: figures that must add up, snapshots that must not shrink suddenly."""

from collections.abc import Iterable
from dataclasses import replace

import msgspec

from hfscan.errors import InconsistentError, NotFoundError, SuspiciousDropError
from hfscan.figures.figure import Figure
from hfscan.figures.queries import load
from hfscan.figures.view import SnapshotView
from hfscan.store import Snapshot, Store, list_snapshots
from hfscan.text import format_top, sanitize

_REQUIRED_COLUMNS = {"downloads": "downloads", "tagged models": "tags"}
"""Measure of `sudden_drops` -> the column that both snapshots must have for it."""
_SCOPE = ("since", "until", "author", "task", "model_limit", "sample", "synthetic")


def check_totals(view: SnapshotView, figures: Iterable[Figure]) -> None:
    """Raise InconsistentError unless the shares of each cell, and its groups, add up."""
    plain = (replace(figure, sample_error=None).as_dict() for figure in figures)
    rows = [{"exclude_top_authors": 0} | row for row in plain]
    if errors := view.run("check_totals", {"figures": msgspec.json.encode(rows).decode()}):
        raise InconsistentError(
            f"Figures do not add up ({errors[0]}). Nothing is reported. This is a bug in hfscan or "
            "DuckDB: please report it with the versions of both."
        )


def check_not_empty(figures: Iterable[Figure], exclude_top_authors: int) -> None:
    """Raise NotFoundError where no model is left without the largest authors."""
    totals = (figure.denominator for figure in figures if figure.name != "none")
    if exclude_top_authors and not any(totals):
        raise NotFoundError(
            f"Without the {format_top(exclude_top_authors, 'largest author')} no model is left. "
            "Exclude fewer."
        )


def describe_drops(store: Store, before: Snapshot, after: Snapshot) -> str | None:
    """Return what dropped between two snapshots, as text; None where nothing did."""
    rows = load("sudden_drops").run(store, {"earlier": before.id, "later": after.id})
    missing = {*before.missing_columns, *after.missing_columns}
    drops = [
        f"{row['measure']} {row['before']:,} -> {row['after']:,}"
        for row in rows
        if _REQUIRED_COLUMNS.get(row["measure"]) not in missing
    ]
    return ", ".join(drops) or None


def check_import(store: Store, snapshot: int, complete: bool | None = None) -> None:
    """Raise SuspiciousDropError when an import has no models, or far fewer than expected.

    A complete import is compared with the newest earlier complete snapshot of the same scope; one
    of unknown completeness with the newest earlier import of its series that is unknown too; a
    partial one with none. `complete` overrides the snapshot's own, which is lost where rows were
    left out.
    """
    snapshots = list_snapshots(store)
    after = next(known for known in snapshots if known.id == snapshot)
    if not after.models:
        raise SuspiciousDropError(
            f"The files hold no models, so nothing was imported.{_describe_hidden(after)} If that "
            "is true, run again with --allow-drop."
        )
    before = _find_comparable(snapshots, after, after.complete if complete is None else complete)
    drops = before and describe_drops(store, before, after)
    if before and drops:
        raise SuspiciousDropError(
            f"The files hold much less than snapshot {before.id} ({before.observed_to:%Y-%m-%d}): "
            f"{drops}. Nothing was imported.{_describe_hidden(after)} If it is true, run again "
            "with --allow-drop; if the files do not hold every model, with --partial."
        )


def _describe_hidden(snapshot: Snapshot) -> str:
    """Return how many models were left out as it could not be read whether they are private."""
    for values in snapshot.unreadable:
        if values.field == "private":
            return (
                f" {values.models:,} were left out, as it could not be read whether they are "
                f"private (e.g. {sanitize(str(values.example))!r})."
            )
    return ""


def _find_comparable(
    snapshots: Iterable[Snapshot], after: Snapshot, complete: bool | None
) -> Snapshot | None:
    """Return the snapshot to compare an import with, None where there is none."""

    def is_comparable(before: Snapshot) -> bool:
        if complete:
            return before.complete or before.kind == "update"
        is_unknown = before.kind == "import" and before.complete is None
        return complete is None and is_unknown and before.series_id == after.series_id

    earlier = [
        before
        for before in snapshots
        if before.id != after.id
        and before.observed_to <= after.observed_to
        and all(getattr(before, name) == getattr(after, name) for name in _SCOPE)
        and is_comparable(before)
    ]
    return earlier[-1] if earlier else None
