"""Reads an export back into a database."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hfscan.export import manifest
from hfscan.export.check import check
from hfscan.scope import Scope
from hfscan.sql import file_literal
from hfscan.store import CreationDate, Ingested, NewSnapshot, Store

DERIVED = frozenset({"frameworks_by_tags", "frameworks_by_weights", "frameworks_by_use"})
"""Columns of an export's models that the database works out anew."""


def is_export(folder: Path) -> bool:
    """Return whether `folder` is what `export` wrote."""
    return (folder / manifest.NAME).is_file() or (
        folder / "snapshots" / "snapshots.parquet"
    ).is_file()


def load(store: Store, folder: Path, accept: Callable[[int], None] | None = None) -> Ingested:
    """Validate an export and add it as a snapshot of equal rank; raises ImportFileError.

    `accept` is as `Store.ingest` takes it.
    """
    check(store, folder)
    (about,) = _rows(store, folder / "snapshots" / "snapshots.parquet")
    dates = _rows(store, folder / "creation_dates" / "creation_dates.parquet")
    snapshot = _observation(about)
    ingested = store.ingest([folder / "models"], snapshot, accept)
    dates.sort(key=lambda one: (one["kind"], one["origin"]))
    for (kind, origin), group in itertools.groupby(dates, lambda one: (one["kind"], one["origin"])):
        found = [CreationDate(one["id"], _utc(one["created_at"]), one["moved_to"]) for one in group]
        store.record_dates(found, kind=kind, origin=origin)
    return ingested


def _rows(store: Store, file: Path) -> list[dict[str, Any]]:
    found = store.connection.execute(f"FROM read_parquet({file_literal(file)})")
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _observation(about: dict[str, Any]) -> NewSnapshot:
    since, until = _utc(about["since"]), _utc(about["until"])
    observed_from, observed_to = _utc(about["observed_from"]), _utc(about["observed_to"])
    assert observed_from is not None
    assert observed_to is not None
    scope = Scope(since, until, about["author"], about["task"], about["model_limit"])
    return NewSnapshot(
        kind="import",
        origin=about["origin"],
        scope=scope,
        observed_from=observed_from,
        observed_to=observed_to,
        complete=about["complete"],
        synthetic=about["synthetic"],
        sample=about["sample"],
        sample_design=about["sample_design"],
    )


def _utc(instant: datetime | None) -> datetime | None:
    return instant and instant.replace(tzinfo=UTC)
