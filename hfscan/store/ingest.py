"""Recorded API objects into `models`: one transaction, all or nothing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from hfscan.errors import DumpError, StorageError
from hfscan.frameworks import masks_sql
from hfscan.objectid import FLOOR_END, FLOOR_START
from hfscan.store import raw
from hfscan.store.sources import Observation

_NORMALISE = Path(__file__).with_name("normalise.sql")


@dataclass(frozen=True)
class Ingested:
    """What an ingest kept and what it left out, in models (rows)."""

    source: int
    models: int
    private: int
    """left out: only some may see them"""
    outside: int
    """left out: created outside the scope's period"""
    duplicates: int
    """left out: further rows of a model already there; its last row is kept"""
    nameless: int
    """left out: neither `_id` nor repo id"""
    unknown_keys: dict[str, int]
    odd_types: dict[str, int]


def ingest(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Path], observation: Observation
) -> Ingested:
    """Read `files` (gzip pages of a crawl, or dumps: see `raw.find`) in as one source.

    Raises DumpError naming file and line where they cannot be read, StorageError when the disk is
    full; the database is then as it was.
    """
    connection.execute("BEGIN")
    try:
        result = _ingest(connection, files, observation)
        connection.execute("COMMIT")
    except duckdb.Error as error:
        connection.execute("ROLLBACK")
        raise _explained(error, files) from error
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return result


def _ingest(
    connection: duckdb.DuckDBPyConnection, files: Sequence[Path], observation: Observation
) -> Ingested:
    unknown_keys = raw.unknown_keys(connection, files)
    _stage(connection, raw.relation(connection, files), observation)
    read, private, outside, nameless = _one(
        connection,
        "SELECT count(*), count(*) FILTER (private), count(*) FILTER (outside AND NOT private), "
        "count(*) FILTER (key IS NULL AND NOT private AND NOT outside) FROM staged",
    )
    odd_types = dict(
        connection.execute(
            "SELECT field, count(*) FROM (SELECT unnest(odd) AS field FROM staged) GROUP BY ALL"
        ).fetchall()
    )
    connection.execute("DELETE FROM staged WHERE private OR outside OR key IS NULL")
    (duplicates,) = _one(connection, "SELECT count(*) - count(DISTINCT key) FROM staged")
    if duplicates:
        connection.execute(
            "DELETE FROM staged WHERE rowid NOT IN (SELECT max(rowid) FROM staged GROUP BY key)"
        )
    source = _add_source(connection, observation)
    columns = [row[0] for row in connection.execute("DESCRIBE models").fetchall()]
    kept = [name for name in columns if name != "source" and not name.endswith("_mask")]
    connection.execute(
        f"INSERT INTO models BY NAME SELECT {source} AS source, {', '.join(kept)}, tag_mask, "
        f"weights_mask, usable_mask FROM staged JOIN ({masks_sql('staged')}) ON row = staged.rowid"
    )
    filled = _one(connection, f"SELECT {', '.join(f'count({name})' for name in kept)} FROM staged")
    # at_floor is our own reading of created_at
    lacks = [name for name, n in zip(kept, filled, strict=True) if not n and name != "at_floor"]
    models = read - private - outside - nameless - duplicates
    connection.execute(
        "UPDATE sources SET models = ?, lacks = ? WHERE id = ?",
        [models, lacks if models else [], source],
    )
    connection.execute("DROP TABLE staged")
    return Ingested(
        source,
        models,
        private,
        outside,
        duplicates,
        nameless,
        unknown_keys,
        dict(sorted(odd_types.items())),
    )


def _stage(connection: duckdb.DuckDBPyConnection, relation: str, observation: Observation) -> None:
    odd = ", ".join(
        f"CASE WHEN json_type({name}) NOT IN ({', '.join(map(repr, types))}) THEN '{name}' END"
        for name, types in raw.FIELDS.items()
    )
    normalised = _NORMALISE.read_text(encoding="utf-8").format(
        odd=f"list_filter([{odd}], lambda field: field IS NOT NULL)"
    )
    connection.execute(
        f"CREATE TEMP TABLE staged AS WITH raw AS ({relation}), normalised AS ({normalised}) "
        "SELECT *, coalesce(created_at < $since, false) OR coalesce(created_at >= $until, false) "
        "AS outside FROM normalised",
        {
            "floor_start": _naive(FLOOR_START),
            "floor_end": _naive(FLOOR_END),
            "since": _naive(observation.scope.since),
            "until": _naive(observation.scope.until),
        },
    )


def _add_source(connection: duckdb.DuckDBPyConnection, observation: Observation) -> int:
    scope = observation.scope
    (source,) = _one(
        connection,
        "INSERT INTO sources (kind, origin, observed_from, observed_to, complete, since, until, "
        "author, task, model_limit, sample, sample_design, models, requests, synthetic, lacks, "
        "recorded_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, [], ?) RETURNING id",
        [
            observation.kind,
            observation.origin,
            _naive(observation.observed_from),
            _naive(observation.observed_to),
            observation.complete,
            _naive(scope.since),
            _naive(scope.until),
            scope.author,
            scope.task,
            scope.limit,
            observation.sample,
            observation.sample_design,
            observation.requests,
            observation.synthetic,
            _naive(datetime.now(UTC)),
        ],
    )
    assert isinstance(source, int)
    return source


def _one(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: list[object] | None = None
) -> tuple[Any, ...]:
    row = connection.execute(sql, parameters).fetchone()
    assert row is not None
    return row


def _naive(instant: datetime | None) -> datetime | None:
    return instant and instant.astimezone(UTC).replace(tzinfo=None, microsecond=0)


def _explained(error: duckdb.Error, files: Sequence[Path]) -> Exception:
    text = str(error).split("\n")[0]
    if re.search("No space left|disk is full|write file", text, re.IGNORECASE):
        return StorageError(
            f"The database could not be written: {text}. Free some space and run the same command "
            "again; the pages already fetched are kept."
        )
    if isinstance(error, duckdb.InvalidInputException | duckdb.IOException):
        line = raw.first_bad_line(files) if "Malformed JSON" in text else None
        told = f"{line} is not valid JSON." if line else text
        return DumpError(f"{told} Nothing was imported.")
    return error
