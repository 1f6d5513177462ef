"""Import an export into a database."""

import itertools
from collections.abc import Callable
from datetime import UTC
from operator import itemgetter
from pathlib import Path
from typing import Any

from hfscan.export import manifest
from hfscan.export.check import check
from hfscan.scope import Scope
from hfscan.sql import file_literal
from hfscan.store import CreationDate, Ingested, NewSnapshot, Store, ingest_files, record_dates
from hfscan.timestamps import Instant


def is_export(folder: Path) -> bool:
    """Return whether `folder` is what `export` wrote."""
    return (folder / manifest.NAME).is_file() or (
        folder / "snapshots" / "snapshots.parquet"
    ).is_file()


def load(
    store: Store, folder: Path, before_commit: Callable[[int], None] | None = None
) -> Ingested:
    """Validate an export and add it as a snapshot of equal rank; raises ImportFileError.

    `before_commit`: see `ingest_files`.
    """
    check(store, folder)
    (row,) = _read_rows(store, folder / "snapshots" / "snapshots.parquet")
    dates = _read_rows(store, folder / "creation_dates" / "creation_dates.parquet")
    ingested = ingest_files(store, [folder / "models"], _new_snapshot(row), before_commit)
    by_source = itemgetter("kind", "origin")
    for (kind, origin), group in itertools.groupby(sorted(dates, key=by_source), by_source):
        found = [
            CreationDate(date["id"], _utc(date["created_at"]), date["moved_to"]) for date in group
        ]
        record_dates(store, found, kind=kind, origin=origin)
    return ingested


def _read_rows(store: Store, file: Path) -> list[dict[str, Any]]:
    cursor = store.execute(f"FROM read_parquet({file_literal(file)})")
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _new_snapshot(row: dict[str, Any]) -> NewSnapshot:
    since, until = _utc(row["since"]), _utc(row["until"])
    same = ("origin", "complete", "synthetic", "sample", "sample_design", "sample_strata")
    return NewSnapshot(
        kind="import",
        scope=Scope(since, until, row["author"], row["task"], row["model_limit"]),
        observed_from=_utc(row["observed_from"]),
        observed_to=_utc(row["observed_to"]),
        **{name: row[name] for name in same},
    )


def _utc(instant: Instant) -> Instant:
    return instant and instant.replace(tzinfo=UTC)
