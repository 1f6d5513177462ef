"""Refuse a snapshot that holds so much less than the one before that it is rather a fault."""

from collections.abc import Iterable

from hfscan.errors import ImplausibleError
from hfscan.figures.census import Census
from hfscan.store import Snapshot, Store

_COLUMNS = {"downloads": "downloads", "tagged": "tags"}
"""What is compared -> the column that both snapshots must have for it."""


def describe_drops(store: Store, before: Snapshot, after: Snapshot) -> str | None:
    """Return what there is much less of, in words; None where nothing dropped."""
    rows = Census(store, after).ask("plausible", {"earlier": before.id, "later": after.id})
    missing_columns = {*before.missing_columns, *after.missing_columns}
    drops = [row for row in rows if _COLUMNS.get(row["what"]) not in missing_columns]
    return (
        ", ".join(f"{row['what']} {row['before']:,} -> {row['after']:,}" for row in drops) or None
    )


def check_import(store: Store, snapshot: int, complete: bool | None = None) -> None:
    """Raise ImplausibleError when an import has no models, or much fewer than it should have.

    An import said to be complete is held against the newest earlier snapshot of the same scope that
    is complete; one that does not say, against the newest earlier import of its series that does
    not say either; a partial one, against none. `complete` is what was said, where the snapshot may
    not keep it, as rows were left out.
    """
    after = next(known for known in store.snapshots() if known.id == snapshot)
    if not after.models:
        raise ImplausibleError(
            "The files hold no models, so nothing was imported. If that is true, run again with "
            "--allow-drop."
        )
    before = _before(store.snapshots(), after, after.complete if complete is None else complete)
    drops = before and describe_drops(store, before, after)
    if before and drops:
        raise ImplausibleError(
            f"The files hold much less than snapshot {before.id} ({before.observed_to:%Y-%m-%d}): "
            f"{drops}. Nothing was imported. If it is true, run again with --allow-drop; if the "
            "files do not hold every model, with --partial."
        )


def _before(
    snapshots: Iterable[Snapshot], after: Snapshot, complete: bool | None
) -> Snapshot | None:
    """Return the snapshot to hold an import against, None where there is none."""
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
            if known.kind == "import" and known.complete is None and known.series == after.series
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
