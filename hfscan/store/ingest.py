"""Recorded API objects into the database: one transaction, all or nothing."""

import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from hfscan.errors import ImportFileError
from hfscan.store import dump, history, series
from hfscan.store.database import database_path, lean
from hfscan.store.faults import concerns_file
from hfscan.store.kinds import check_models
from hfscan.store.snapshots import NewSnapshot, Unreadable
from hfscan.store.stage import count_unknown_keys, stage, stage_repaired
from hfscan.store.staging import Staging, staging
from hfscan.store.transaction import explained, telling, transaction
from hfscan.timestamps import to_utc_naive

_NOT_FILLED = frozenset({"at_cutoff", "unreadable"})  # by a field: our own reading of others

_LEFT_OUT = {
    "private": "private",
    "maybe_private": "maybe_private",
    "outside": "outside",
    "nameless": "id IS NULL",
}
"""Why rows are left out -> the condition, in this order."""

_BY_DATE = "coalesce(last_modified, '-infinity'), coalesce(first_row, row)"
_BY_OBJECT_ID = "has_id, key"  # a repo has one `_id` at a time: the last made


@dataclass(frozen=True)
class Ingested:
    """What an ingest kept and what it left out, in models (rows)."""

    snapshot: int
    models: int
    private: int
    """left out: only some may see them"""
    maybe_private: int
    """left out: whether all may see them could not be read"""
    outside: int
    """left out: created outside the scope's period"""
    duplicates: int
    """left out: further rows of a model; the one last modified is kept, or else the last"""
    nameless: int
    """left out: no repo id, or what is there is none"""
    unknown_keys: dict[str, int]
    unreadable: list[Unreadable]
    oversized: int = 0
    """left out: objects too large to be a model's (`dump.shapes.LARGEST_OBJECT`)"""
    damaged: int = 0
    """left out: rows that cannot be read at all"""
    shared_ids: int = 0
    """left out: further models of a repo id; that of the greatest `_id` is kept"""
    shared_id: str | None = None
    """the repo id of most of these models"""
    carried: int = 0
    """of the models: those that an update did not ask for"""
    partial: bool = False
    """the files say themselves that they hold a part only"""
    already: bool = False
    """it was in the database before; nothing was added"""


def ingest(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[Path],
    new_snapshot: NewSnapshot,
    accept: Callable[[int], None] | None = None,
) -> Ingested:
    """Read `files` (gzip pages of a crawl, or dumps: see `dump.find`) in as one snapshot.

    The same dump, observed at the same time, is a snapshot already and adds nothing. Raises
    ImportFileError naming file and line where they cannot be read, StorageError when the disk is
    full, and what `accept` raises, which is given the id of the new snapshot; the database is then
    as it was.
    """
    digest = dump.digest(files)
    with telling(partial(_told, database_path(connection))):
        if already := _already(connection, digest, new_snapshot):
            return already
        asked = (connection, files, new_snapshot, digest, accept)
        try:
            return _ingest(*asked, lean(connection))
        except duckdb.OutOfMemoryException:  # not all that DuckDB does can wait in files
            return _ingest(*asked, contextlib.nullcontext())


def _already(
    connection: duckdb.DuckDBPyConnection, digest: str, new_snapshot: NewSnapshot
) -> Ingested | None:
    found = connection.execute(  # two crawls in one second may well bring the same
        "SELECT id, models FROM snapshots WHERE kind = 'import' AND kind = ? AND digest = ? "
        "AND observed_to = ?",
        [new_snapshot.kind, digest, to_utc_naive(new_snapshot.observed_to, truncate=True)],
    ).fetchone()
    if found is None:
        return None
    snapshot, models = found
    return Ingested(snapshot, models, 0, 0, 0, 0, 0, {}, [], already=True)


def _ingest(
    connection: duckdb.DuckDBPyConnection,
    files: Sequence[Path],
    new_snapshot: NewSnapshot,
    digest: str,
    accept: Callable[[int], None] | None,
    sparing: contextlib.AbstractContextManager[None],
) -> Ingested:
    with staging(connection) as staged:
        left_out = stage(connection, staged, files, new_snapshot)
        stage_repaired(connection, staged, new_snapshot)
        if new_snapshot.kind == "import":
            check_models(connection, new_snapshot.origin)
        with sparing, transaction(connection):
            ingested = _settle(connection, staged, new_snapshot, digest, left_out)
            if accept is not None:
                accept(ingested.snapshot)
            return ingested


def _settle(
    connection: duckdb.DuckDBPyConnection,
    staged: Staging,
    new_snapshot: NewSnapshot,
    digest: str,
    left_out: dump.Conversion,
) -> Ingested:
    """Make a snapshot of what is staged; count what of it is left out.

    It is not complete where rows are left out of which the model is not known.
    """
    unknown_keys = count_unknown_keys(connection)
    unreadable = _count_unreadable(connection, None, "maybe_private", "private")
    left = {
        reason: staged.leave_out(f"SELECT row FROM staged WHERE {condition}")
        for reason, condition in _LEFT_OUT.items()
    }
    duplicates, _ = _leave_out_duplicates(connection, staged, "key", _BY_DATE)
    shared_ids, shared_id = _leave_out_duplicates(connection, staged, "id", _BY_OBJECT_ID)
    (models_read,) = _one(connection, "SELECT count(*) FROM staged")
    if new_snapshot.base is not None:  # what an update did not ask for is as it was
        staged.add(
            f"SELECT {', '.join(_kept(connection))}, _id IS NOT NULL AS has_id "
            f"FROM models_in({new_snapshot.base}) ANTI JOIN staged USING (key)"
        )
    doubtful = left["nameless"] + left["maybe_private"] + left_out.oversized + left_out.unreadable
    if left_out.partial or (new_snapshot.complete and doubtful):
        new_snapshot = replace(new_snapshot, complete=False)
    unreadable += _count_unreadable(connection, new_snapshot.base)
    snapshot, models = _take_place(connection, new_snapshot, digest, unreadable)
    return Ingested(
        snapshot,
        models,
        left["private"],
        left["maybe_private"],
        left["outside"],
        duplicates,
        left["nameless"],
        unknown_keys,
        unreadable,
        oversized=left_out.oversized,
        damaged=left_out.unreadable,
        partial=left_out.partial,
        shared_ids=shared_ids,
        shared_id=shared_id,
        carried=models - models_read,
    )


def _leave_out_duplicates(
    connection: duckdb.DuckDBPyConnection, staged: Staging, column: str, order: str
) -> tuple[int, str | None]:
    """Keep one staged row for each value of a column.

    Return how many were left out, and the value of most of them.
    """
    (duplicates,) = _one(connection, f"SELECT count(*) - count(DISTINCT {column}) FROM staged")
    if not duplicates:
        return 0, None
    (value,) = _one(
        connection,
        f"SELECT {column} FROM staged GROUP BY ALL ORDER BY count(*) DESC, {column} LIMIT 1",
    )
    left_out = staged.leave_out(
        f"SELECT row FROM staged ANTI JOIN (SELECT arg_max(row, ({order})) AS row "
        f"FROM staged GROUP BY {column}) USING (row)"
    )
    return left_out, value


def _take_place(
    connection: duckdb.DuckDBPyConnection,
    new_snapshot: NewSnapshot,
    digest: str,
    unreadable: Sequence[Unreadable],
) -> tuple[int, int]:
    """Make a snapshot of what is staged; return its id and its number of models."""
    kept = _kept(connection)
    models, *filled = _one(
        connection, f"SELECT count(*), {', '.join(f'count({name})' for name in kept)} FROM staged"
    )
    missing_columns = [
        name for name, n in zip(kept, filled, strict=True) if not n and name not in _NOT_FILLED
    ]
    scope = {
        "since": to_utc_naive(new_snapshot.scope.since, truncate=True),
        "until": to_utc_naive(new_snapshot.scope.until, truncate=True),
        "author": new_snapshot.scope.author,
        "task": new_snapshot.scope.task,
        "model_limit": new_snapshot.scope.limit,
        "sample": new_snapshot.sample,
        "sample_design": new_snapshot.sample_design,
        "synthetic": new_snapshot.synthetic,
        "missing_columns": missing_columns if models else [],
    }
    observed_to = to_utc_naive(new_snapshot.observed_to, truncate=True)
    place = series.allocate_position(connection, scope, observed_to)
    history.insert(connection, place)
    row = scope | {
        "kind": new_snapshot.kind,
        "origin": new_snapshot.origin,
        "observed_from": to_utc_naive(new_snapshot.observed_from, truncate=True),
        "observed_to": observed_to,
        "complete": new_snapshot.complete,
        "models": models,
        "requests": new_snapshot.requests,
        "base": new_snapshot.base,
        "recorded_at": to_utc_naive(datetime.now(UTC), truncate=True),
        "digest": digest,
        "unreadable": [dataclasses.asdict(one) for one in unreadable],
        "series_id": place.series_id,
        "position": place.position,
    }
    (snapshot,) = _one(
        connection,
        f"INSERT INTO snapshots ({', '.join(row)}) VALUES ({', '.join('?' * len(row))}) "
        "RETURNING id",
        list(row.values()),
    )
    return snapshot, models


def _kept(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Return the columns of a snapshot that are read, not made."""
    columns = [row[0] for row in connection.execute("DESCRIBE FROM models_in(0)").fetchall()]
    return [name for name in columns if name != "snapshot" and not name.endswith("_mask")]


def _count_unreadable(
    connection: duckdb.DuckDBPyConnection,
    base: int | None,
    condition: str = "true",
    only: str | None = None,
) -> list[Unreadable]:
    """Count the staged models of which each column (or `only` one) could not be read.

    With an example; of models that an update carries on, it is the one of the snapshot `base`.
    """
    found = connection.execute(
        f"""
        WITH earlier AS (
            SELECT unnest(unreadable, recursive := true) FROM snapshots WHERE id = $base
        ),
        named AS (
            SELECT unnest(unreadable) AS field, unnest(examples) AS example
            FROM staged WHERE unreadable IS NOT NULL AND {condition}
        )
        SELECT field, count(*), coalesce(min(named.example), any_value(earlier.example))
        FROM named LEFT JOIN earlier USING (field)
        WHERE field = $only OR $only IS NULL
        GROUP BY field ORDER BY field
        """,
        {"base": base, "only": only},
    )
    return [Unreadable(*row) for row in found.fetchall()]


def _one(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: list[object] | None = None
) -> tuple[Any, ...]:
    row = connection.execute(sql, parameters).fetchone()
    assert row is not None
    return row


def _told(database: str, error: duckdb.Error) -> Exception:
    told = explained(error)
    if concerns_file(error, database):
        return told
    if told is error and isinstance(error, duckdb.InvalidInputException | duckdb.IOException):
        return ImportFileError(f"{str(error).splitlines()[0]} Nothing was imported.")
    return told
