"""Consistency checks: figures that must add up, snapshots that must not shrink suddenly."""

from collections.abc import Iterable
from dataclasses import replace

import msgspec

from hfscan.errors import InconsistentError, NotFoundError, SuspiciousDropError
from hfscan.figures.figure import Figure
from hfscan.figures.queries import load
from hfscan.figures.view import SnapshotView
from hfscan.store import Snapshot, Store
from hfscan.text import sanitize

_COLUMNS = {"downloads": "downloads", "tagged models": "tags"}
"""What is compared -> the column that both snapshots must have for it."""


def check_totals(view: SnapshotView, figures: Iterable[Figure]) -> None:
    """Raise InconsistentError unless the shares of each cell, and its groups, add up."""
    rows = [
        {"exclude_top_authors": 0} | replace(figure, sampled=False).as_dict() for figure in figures
    ]
    if wrong := view.run("check_totals", {"figures": msgspec.json.encode(rows).decode()}):
        raise InconsistentError(
            f"Figures do not add up ({wrong[0]}). Nothing is reported. This is a bug in hfscan or "
            "DuckDB: please report it with the versions of both."
        )


def check_not_empty(figures: Iterable[Figure], exclude_top_authors: int) -> None:
    """Raise NotFoundError where no model is left without the largest authors."""
    if exclude_top_authors and not any(one.denominator for one in figures if one.name != "none"):
        raise NotFoundError(
            f"Without the {exclude_top_authors:,} largest authors no model is left. Exclude fewer."
        )


def describe_drops(store: Store, before: Snapshot, after: Snapshot) -> str | None:
    """Return what dropped between two snapshots, as text; None where nothing did."""
    rows = load("sudden_drops").run(store.connection, {"earlier": before.id, "later": after.id})
    missing_columns = {*before.missing_columns, *after.missing_columns}
    drops = [row for row in rows if _COLUMNS.get(row["measure"]) not in missing_columns]
    return (
        ", ".join(f"{row['measure']} {row['before']:,} -> {row['after']:,}" for row in drops)
        or None
    )


def check_import(store: Store, snapshot: int, complete: bool | None = None) -> None:
    """Raise SuspiciousDropError when an import has no models, or far fewer than expected.

    A complete import is compared with the newest earlier complete snapshot of the same scope; one
    of unknown completeness with the newest earlier import of its series that is unknown too; a
    partial one with none. `complete` overrides the snapshot's own, which is lost where rows were
    left out.
    """
    after = next(known for known in store.snapshots() if known.id == snapshot)
    if not after.models:
        raise SuspiciousDropError(
            f"The files hold no models, so nothing was imported.{_describe_hidden(after)} If that "
            "is true, run again with --allow-drop."
        )
    before = _find_comparable(
        store.snapshots(), after, after.complete if complete is None else complete
    )
    drops = before and describe_drops(store, before, after)
    if before and drops:
        raise SuspiciousDropError(
            f"The files hold much less than snapshot {before.id} ({before.observed_to:%Y-%m-%d}): "
            f"{drops}. Nothing was imported.{_describe_hidden(after)} If it is true, run again "
            "with --allow-drop; if the files do not hold every model, with --partial."
        )


def _describe_hidden(snapshot: Snapshot) -> str:
    """Return how many models were left out as it could not be read whether they are private."""
    for one in snapshot.unreadable:
        if one.field == "private":
            return (
                f" {one.models:,} were left out, as it could not be read whether they are private "
                f"(e.g. {sanitize(str(one.example))!r})."
            )
    return ""


def _find_comparable(
    snapshots: Iterable[Snapshot], after: Snapshot, complete: bool | None
) -> Snapshot | None:
    """Return the snapshot to compare an import with, None where there is none."""
    earlier = [
        known
        for known in snapshots
        if known.id != after.id
        and known.observed_to <= after.observed_to
        and _scope(known) == _scope(after)
    ]
    if complete:
        comparable = [known for known in earlier if known.complete or known.kind == "update"]
    elif complete is None:
        comparable = [
            known
            for known in earlier
            if known.kind == "import"
            and known.complete is None
            and known.series_id == after.series_id
        ]
    else:
        comparable = []
    return comparable[-1] if comparable else None


def _scope(snapshot: Snapshot) -> tuple[object, ...]:
    return (
        snapshot.since,
        snapshot.until,
        snapshot.author,
        snapshot.task,
        snapshot.model_limit,
        snapshot.sample,
        snapshot.synthetic,
    )
