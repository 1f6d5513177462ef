"""Ingest files as one snapshot, in one transaction."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from hfscan.errors import ImportFileError
from hfscan.store import dump, history
from hfscan.store.database import INGEST_MEMORY_LIMIT, Store
from hfscan.store.duckdb_errors import concerns_file, first_line, to_storage_error, translate_errors
from hfscan.store.dump_time import check_not_too_early, find_newest_date
from hfscan.store.kinds import check_models
from hfscan.store.snapshots import NewSnapshot, Unreadable
from hfscan.store.staging import Staging, count_unknown_keys, stage, stage_repaired
from hfscan.timestamps import to_utc_naive

_COMPUTED = frozenset({"at_cutoff", "unreadable"})  # columns that no field of the API fills

_EXCLUDED = {
    "private": "private",
    "maybe_private": "maybe_private",
    "out_of_scope": "out_of_scope",
    "missing_id": "id IS NULL",
}
"""Why rows are excluded -> the condition, in this order."""

_BY_DATE = "coalesce(last_modified, '-infinity'), coalesce(first_row, row)"
_BY_OBJECT_ID = "has_id, key"  # a repo has one `_id` at a time: the one created last


@dataclass(frozen=True)
class Ingested:
    """What an ingest stored and what it excluded, in models (rows)."""

    snapshot: int
    models: int
    private: int = 0  # excluded: not public
    maybe_private: int = 0  # excluded: whether they are public could not be read
    out_of_scope: int = 0  # excluded: created outside the scope's period
    duplicates: int = 0  # excluded: further rows of a model; the last modified, or last, is kept
    missing_id: int = 0  # excluded: no valid repo id
    unknown_keys: dict[str, int] = dataclasses.field(default_factory=dict)
    unreadable: list[Unreadable] = dataclasses.field(default_factory=list)
    oversized: int = 0  # excluded: objects larger than `dump.shapes.LARGEST_OBJECT`
    damaged: int = 0  # excluded: rows that cannot be read at all
    shared_ids: int = 0  # excluded: further models of a repo id; that of the greatest `_id` is kept
    shared_id: str | None = None  # the repo id of most of these models
    carried_over: int = 0  # of the models: those that an update did not fetch
    partial: bool = False  # the files say themselves that they hold only a part
    newest_date: datetime | None = None  # of an import: when a model was created or modified last
    already_ingested: bool = False  # nothing was added: the snapshot was in the database

    @property
    def skipped(self) -> int:
        """Return how many rows were excluded."""
        counted = (*_EXCLUDED, "duplicates", "shared_ids", "oversized", "damaged")
        return sum(getattr(self, reason) for reason in counted)


def ingest_files(
    store: Store,
    paths: Sequence[Path],
    new_snapshot: NewSnapshot,
    before_commit: Callable[[int], None] | None = None,
    *,
    columns: Sequence[str] | None = None,
    digest: str | None = None,
) -> Ingested:
    """Ingest the pages of a crawl, or the files and folders of a dump, as one snapshot.

    `before_commit` is called with the id of the new snapshot before it is committed; if it raises,
    nothing is stored. `columns`: those of Parquet files to read; `digest`: that of the files, where
    they do not hold everything that they were cut from. The same dump, observed at the same time,
    is the same snapshot and adds nothing. Raises ImportFileError naming file and line where a file
    cannot be read, StorageError when the disk is full, and what `before_commit` raises; the
    database is then unchanged.
    """
    files = dump.find(paths)
    digest = digest or dump.digest(files)
    (database,) = store.fetch_one(
        "SELECT path FROM duckdb_databases() WHERE database_name = current_database()"
    )
    with translate_errors(partial(_translate, str(database or ""))):
        if existing := _find_existing(store, digest, new_snapshot):
            return existing
        return _ingest(store, files, columns, new_snapshot, digest, before_commit)


def _find_existing(store: Store, digest: str, new_snapshot: NewSnapshot) -> Ingested | None:
    if new_snapshot.kind != "import":  # two crawls within a second may have equal pages
        return None
    row = store.execute(
        "SELECT id, models FROM snapshots WHERE kind = 'import' AND digest = ? AND observed_to = ?",
        [digest, to_utc_naive(new_snapshot.observed_to, truncate=True)],
    ).fetchone()
    return None if row is None else Ingested(row[0], row[1], already_ingested=True)


def _ingest(
    store: Store,
    files: Sequence[Path],
    columns: Sequence[str] | None,
    new_snapshot: NewSnapshot,
    digest: str,
    before_commit: Callable[[int], None] | None,
) -> Ingested:
    is_import = new_snapshot.kind == "import"
    with Staging.open(store, new_snapshot) as staging:
        conversion = stage(store, staging, files, is_crawl=not is_import, columns=columns)
        stage_repaired(store, staging)
        if is_import:
            check_models(store, new_snapshot.origin)
            check_not_too_early(store, staging.latest)
        queries = staging.queries

        def insert() -> Ingested:
            staging.keep(queries)
            with store.transaction():
                newest_date = find_newest_date(store) if is_import else None
                ingested = _insert_staged(store, staging, new_snapshot, digest, conversion)
                if before_commit is not None:
                    before_commit(ingested.snapshot)
                return replace(ingested, newest_date=newest_date)

        return store.run_limited(INGEST_MEMORY_LIMIT, insert)


def _insert_staged(
    store: Store,
    staging: Staging,
    new_snapshot: NewSnapshot,
    digest: str,
    conversion: dump.Conversion,
) -> Ingested:
    """Insert a snapshot of the staged rows; count the rows that are excluded.

    The snapshot is stored as incomplete if an excluded row cannot be attributed to a model.
    """
    base = new_snapshot.base
    if base is not None:  # an update: the models of its base that it did not fetch
        store.execute(
            "CREATE OR REPLACE TEMP VIEW carried AS "
            f"SELECT {', '.join(_stored_columns(store))}, _id IS NOT NULL AS has_id "
            f"FROM models_in({base}) ANTI JOIN staged USING (key)"
        )
    unknown_keys = count_unknown_keys(store)
    excluded = _count_excluded(store)
    unreadable = []
    if excluded["maybe_private"]:
        unreadable = _count_unreadable(store, None, "maybe_private", "private")
    if any(excluded.values()):
        staging.exclude(f"SELECT row FROM staged WHERE {' OR '.join(_EXCLUDED.values())}")
    duplicates, _ = _deduplicate(store, staging, "key", _BY_DATE)
    shared_ids, shared_id = _deduplicate(store, staging, "id", _BY_OBJECT_ID)
    (models_read,) = store.fetch_one("SELECT count(*) FROM staged")
    lost = excluded["missing_id"] + excluded["maybe_private"]
    lost += conversion.oversized + conversion.damaged
    if conversion.partial or (new_snapshot.complete and lost):
        new_snapshot = replace(new_snapshot, complete=False)
    unreadable += _count_unreadable(store, base)
    carried_over = 0 if base is None else store.fetch_one("SELECT count(*) FROM carried")[0]
    models = models_read + carried_over
    snapshot = _add_snapshot(store, staging, new_snapshot, digest, models, unreadable)
    store.execute("DROP VIEW IF EXISTS carried")
    return Ingested(
        snapshot,
        models,
        **excluded,
        duplicates=duplicates,
        unknown_keys=unknown_keys,
        unreadable=unreadable,
        oversized=conversion.oversized,
        damaged=conversion.damaged,
        shared_ids=shared_ids,
        shared_id=shared_id,
        partial=conversion.partial,
        carried_over=carried_over,
    )


def _count_excluded(store: Store) -> dict[str, Any]:
    """Return how many staged rows each reason of _EXCLUDED excludes: the first one that applies."""
    cases = " ".join(f"WHEN {condition} THEN '{name}'" for name, condition in _EXCLUDED.items())
    counts = store.execute(f"SELECT CASE {cases} END, count(*) FROM staged GROUP BY 1").fetchall()
    return dict.fromkeys(_EXCLUDED, 0) | {reason: rows for reason, rows in counts if reason}


def _deduplicate(store: Store, staging: Staging, column: str, order: str) -> tuple[int, str | None]:
    """Keep one staged row for each value of a column.

    Return how many were excluded, and the value that most of them have.
    """
    if store.fetch_one(f"SELECT count(*) = count(DISTINCT {column}) FROM staged") == (True,):
        return 0, None
    (value,) = store.fetch_one(
        f"SELECT {column} FROM staged GROUP BY ALL ORDER BY count(*) DESC, {column} LIMIT 1"
    )
    excluded = staging.exclude(
        f"SELECT row FROM staged ANTI JOIN (SELECT arg_max(row, ({order})) AS row "
        f"FROM staged GROUP BY {column}) USING (row)"
    )
    return excluded, value


def _add_snapshot(
    store: Store,
    staging: Staging,
    new_snapshot: NewSnapshot,
    digest: str,
    models: int,
    unreadable: Sequence[Unreadable],
) -> int:
    """Insert a snapshot of the rows staged and carried, which are `models`; return its id."""
    base = new_snapshot.base
    columns = _stored_columns(store)
    present = _COMPUTED | store.list_filled_columns("staged", columns)
    others = [name for name in columns if name not in present]
    if others and base is not None:
        present |= store.list_filled_columns("carried", others)
    missing_columns = [name for name in columns if name not in present]
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
    position = history.allocate_position(store, scope, observed_to)
    only_touched = base is not None and history.find_touched_models(store, position, base)
    if only_touched:  # intervals of the other models go on
        keys = (
            f"(SELECT key FROM versions WHERE series_id = {position.series_id} "
            "AND model IN (FROM touched) AND key NOT IN (SELECT key FROM staged)) AS keys"
        )
        if store.fetch_one(f"SELECT count(*) FROM {keys}") != (0,):
            staging.add(f"FROM carried SEMI JOIN {keys} USING (key)")
    elif base is not None:
        staging.add("FROM carried")
    history.insert_intervals(store, position, only_touched=only_touched)
    store.execute("DROP TABLE IF EXISTS touched")
    strata = new_snapshot.sample_strata
    row = scope | {
        "kind": new_snapshot.kind,
        "sample_strata": strata and [to_utc_naive(start, truncate=True) for start in strata],
        "origin": new_snapshot.origin,
        "observed_from": to_utc_naive(new_snapshot.observed_from, truncate=True),
        "observed_to": observed_to,
        "complete": new_snapshot.complete,
        "models": models,
        "requests": new_snapshot.requests,
        "base": base,
        "recorded_at": to_utc_naive(datetime.now(UTC), truncate=True),
        "digest": digest,
        "unreadable": [dataclasses.asdict(column) for column in unreadable],
        "series_id": position.series_id,
        "position": position.number,
    }
    (snapshot,) = store.fetch_one(
        f"INSERT INTO snapshots ({', '.join(row)}) VALUES ({', '.join('?' * len(row))}) "
        "RETURNING id",
        list(row.values()),
    )
    return int(snapshot)


def _stored_columns(store: Store) -> list[str]:
    """Return the columns of a snapshot that are read from files, not derived."""
    return [name for name in store.model_columns if not name.endswith("_mask")]


def _count_unreadable(
    store: Store, base: int | None, condition: str = "true", only: str | None = None
) -> list[Unreadable]:
    """Return how many models lack a readable value, and an example, for each column.

    `only`: just for this column. For models carried over, the example is that of the snapshot
    `base`.
    """
    carried = "" if base is None else "UNION ALL SELECT unreadable, NULL FROM carried"
    counts = store.execute(
        f"""
        WITH earlier AS (
            SELECT unnest(unreadable, recursive := true) FROM snapshots WHERE id = $base
        ),
        named AS (
            SELECT unnest(unreadable) AS field, unnest(examples) AS example
            FROM (
                SELECT unreadable, examples FROM staged WHERE {condition}
                {carried}
            )
            WHERE unreadable IS NOT NULL
        )
        SELECT field, count(*), coalesce(min(named.example), any_value(earlier.example))
        FROM named LEFT JOIN earlier USING (field)
        WHERE field = $only OR $only IS NULL
        GROUP BY field ORDER BY field
        """,
        {"base": base, "only": only},
    )
    return [Unreadable(*row) for row in counts.fetchall()]


def _translate(database: str, error: duckdb.Error) -> Exception:
    translated = to_storage_error(error)
    is_bad_file = isinstance(error, duckdb.InvalidInputException | duckdb.IOException)
    is_bad_file |= type(error) is duckdb.Error  # of the decoder of Parquet's metadata
    if translated is error and is_bad_file and not concerns_file(error, database):
        return ImportFileError(f"{first_line(error)} Nothing was imported.")
    return translated
