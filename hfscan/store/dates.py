"""True creation dates of the models that the Hub dates at its cutoff."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from hfscan.errors import ImportFileError
from hfscan.sql import identifier, literal
from hfscan.store import values
from hfscan.store.transaction import transaction
from hfscan.timestamps import parse_timestamp, to_utc_naive

_IDS = ("id", "modelId", "repo_id", "model_id")
_DATES = ("created_at", "createdAt", "creation_time", "date")
_JSON = "read_json({}, maximum_depth=1)"  # values as they are, no guesses at types
_READERS = {
    ".parquet": "read_parquet({})",
    ".csv": "read_csv({}, all_varchar=true)",  # else 06/01/2022 is taken for a date
    ".json": _JSON,
    ".jsonl": _JSON,
    ".ndjson": _JSON,
}
_LONGEST_EXAMPLE = 80  # characters


@dataclass(frozen=True)
class CreationDate:
    """When a repo was made, by another witness than its `createdAt`.

    `created_at` is UTC; None: asked for, and not to be known. `moved_to` is the repo id that the
    Hub redirects `id` to, where the model has moved.
    """

    id: str
    created_at: datetime | None
    moved_to: str | None = None


@dataclass(frozen=True)
class ImportedDates:
    """What an import of creation dates kept and what it left out, in models or rows."""

    kept: int
    """models"""
    duplicates: int
    """further rows of a model; the earliest date is kept"""
    unusable: int
    """rows left out: no repo id"""
    unreadable: int
    """rows left out: the date is not understood, or could be two"""
    example: str | None
    """such a date, text from outside"""
    contradicting: int
    """rows of which another column gives another date: the first column counts"""
    unmatched: int
    """of the models kept: those that no snapshot has under this id"""


def record(
    connection: duckdb.DuckDBPyConnection, dates: Iterable[CreationDate], *, kind: str, origin: str
) -> None:
    """Keep the dates, all or none; a later one of the same id and kind replaces the earlier."""
    last = {one.id: one for one in dates}
    if not last:
        return
    with transaction(connection):
        _insert(connection, list(last.values()), kind=kind, origin=origin)


def _insert(
    connection: duckdb.DuckDBPyConnection,
    dates: Sequence[CreationDate],
    *,
    kind: str,
    origin: str,
) -> None:
    connection.execute(  # one statement: many would take a millisecond each
        "INSERT OR REPLACE INTO creation_dates "
        "SELECT unnest(?::VARCHAR[]), unnest(?::TIMESTAMP[]), unnest(?::VARCHAR[]), ?, ?, ?",
        [
            [one.id for one in dates],
            [to_utc_naive(one.created_at) for one in dates],
            [one.moved_to for one in dates],
            kind,
            origin,
            to_utc_naive(datetime.now(UTC), truncate=True),
        ],
    )


def to_ask_for(connection: duckdb.DuckDBPyConnection, limit: int | None = None) -> list[str]:
    """Return repo ids of cutoff models whose first commit was never asked for and is wanted.

    From the newest snapshot that has cutoff models; the most downloaded first.
    """
    newest = connection.execute(
        """
        SELECT snapshots.id FROM versions JOIN snapshots USING (series_id)
        WHERE at_cutoff AND valid_from <= position AND (valid_to IS NULL OR valid_to > position)
        ORDER BY observed_to DESC, snapshots.id DESC LIMIT 1
        """
    ).fetchone()
    if newest is None:
        return []
    rows = connection.execute(
        f"""
        SELECT id FROM models_in({newest[0]}) AS models LEFT JOIN cutoff_dates USING (key)
        WHERE at_cutoff AND dated_at IS NULL
            AND id NOT IN (SELECT id FROM creation_dates WHERE kind = 'first commit')
        ORDER BY downloads DESC NULLS LAST, models.id
        LIMIT ?
        """,
        [limit],
    ).fetchall()
    return [id_ for (id_,) in rows]


def bring(connection: duckdb.DuckDBPyConnection, file: Path) -> ImportedDates:
    """Keep the dates of a file (Parquet, CSV, JSON: a repo id and a time); say what was left out.

    Of several dates of a model the earliest counts. Raises ImportFileError when the file cannot be
    read or lacks either column.
    """
    earliest: dict[str, datetime] = {}
    rows = unusable = unreadable = contradicting = 0
    example = None
    latest = datetime.now(UTC) + timedelta(days=1)  # clocks differ
    with transaction(connection):
        for id_, date, *others in _rows(connection, file):
            rows += 1
            try:
                repo = values.read_repo_id(values.unwrap(id_))
            except ValueError:
                repo = None
            if repo is None:
                unusable += 1
                continue
            try:
                instant = parse_timestamp(values.unwrap(date))
                values.check_date(instant, latest)
            except ValueError:
                unreadable += 1
                example = example or str(date)[:_LONGEST_EXAMPLE]
                continue
            contradicting += any(_differs(other, instant) for other in others)
            earliest[repo] = min(instant, earliest.get(repo, instant))
        found = [CreationDate(repo, instant) for repo, instant in earliest.items()]
        _insert(connection, found, kind="import", origin=file.name)
        known = connection.execute(
            "SELECT count(*) FROM (SELECT unnest(?::VARCHAR[]) AS id) "
            "SEMI JOIN (SELECT id FROM versions) USING (id)",
            [[*earliest]],
        ).fetchone()
    assert known is not None
    return ImportedDates(
        kept=len(earliest),
        duplicates=rows - unusable - unreadable - len(earliest),
        unusable=unusable,
        unreadable=unreadable,
        example=example,
        contradicting=contradicting,
        unmatched=len(earliest) - known[0],
    )


def _differs(date: Any, instant: datetime) -> bool:
    try:
        return parse_timestamp(values.unwrap(date)) != instant
    except ValueError:
        return True


def _rows(connection: duckdb.DuckDBPyConnection, file: Path) -> Iterator[tuple[Any, ...]]:
    """Yield (repo id, date, further dates) as the file has them. Raises ImportFileError.

    The id is None where it has none; rows without a date are left out.
    """
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise ImportFileError(f"{file} is none of {', '.join(_READERS)}; convert it first.")
    if not file.is_file():
        raise ImportFileError(f"{file} does not exist.")
    if not file.stat().st_size:
        raise ImportFileError(f"{file} is empty. It needs a column of repo ids and one of times.")
    relation = reader.format(literal(file))
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
        columns = [row[0] for row in described]
        id_ = next((name for name in _IDS if name in columns), None)
        dates = [name for name in _DATES if name in columns]
        if id_ is None or not dates:
            raise ImportFileError(
                f"{file} needs a column of repo ids ({', '.join(_IDS)}) and one of times "
                f"({', '.join(_DATES)}); it has {', '.join(columns)}."
            )
        found = connection.execute(
            f"SELECT {', '.join(f'to_json({identifier(one)})::VARCHAR' for one in (id_, *dates))} "
            f"FROM {relation}"
        ).fetchall()
    except duckdb.Error as error:
        raise ImportFileError(f"{file} cannot be read: {str(error).splitlines()[0]}") from error
    for row in found:
        id_, *given = (one and json.loads(one) for one in row)
        given = [one for one in given if one is not None]
        if given:
            yield (id_, *given)
