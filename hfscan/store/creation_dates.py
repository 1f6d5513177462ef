"""Creation dates from other sources, for models that the Hub dates at its cutoff."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from hfscan.errors import ImportFileError
from hfscan.scope import CreationDate
from hfscan.sql import identifier, literal
from hfscan.store import values
from hfscan.store.database import Store
from hfscan.store.duckdb_errors import first_line
from hfscan.timestamps import parse_timestamp, to_utc_naive

_IDS = ("id", "modelId", "repo_id", "model_id")
_DATES = ("created_at", "createdAt", "creation_time", "date")
_READ_JSON = "read_json({}, maximum_depth=1)"  # values unchanged, without guessing their types
_READERS = {
    ".parquet": "read_parquet({})",
    ".csv": "read_csv({}, all_varchar=true)",  # otherwise 06/01/2022 is read as a date
    ".json": _READ_JSON,
    ".jsonl": _READ_JSON,
    ".ndjson": _READ_JSON,
}
_MAX_EXAMPLE = 80  # characters


@dataclass(frozen=True)
class ImportedDates:
    """What an import of creation dates stored and what it skipped, in models or rows."""

    kept: int  # models
    duplicates: int  # further rows of a model; the earliest date is kept
    unusable: int  # rows skipped: no repo id
    unreadable: int  # rows skipped: the date is invalid or ambiguous
    example: str | None  # such a date, untrusted text
    contradicting: int  # rows of which another column gives another date: the first column counts
    unmatched: int  # of the models kept: those that no snapshot has under this id


def record_dates(store: Store, dates: Iterable[CreationDate], *, kind: str, origin: str) -> None:
    """Store dates, all or none; a later one of the same id and kind replaces the earlier.

    `kind` is 'first commit' or 'import'.
    """
    if latest := list({date.id: date for date in dates}.values()):
        with store.transaction():
            _insert(store, latest, kind=kind, origin=origin)


def _insert(store: Store, dates: list[CreationDate], *, kind: str, origin: str) -> None:
    store.execute(  # one statement: each would take a millisecond
        "INSERT OR REPLACE INTO creation_dates "
        "SELECT unnest(?::VARCHAR[]), unnest(?::TIMESTAMP[]), unnest(?::VARCHAR[]), ?, ?, ?",
        [
            [date.id for date in dates],
            [to_utc_naive(date.created_at) for date in dates],
            [date.moved_to for date in dates],
            kind,
            origin,
            to_utc_naive(datetime.now(UTC), truncate=True),
        ],
    )


def list_missing_dates(store: Store, limit: int | None = None) -> list[str]:
    """Return repo ids of cutoff models without a date whose first commit was never requested.

    From the newest snapshot that has cutoff models; the most downloaded first.
    """
    newest = store.execute(
        """
        SELECT snapshots.id FROM versions JOIN snapshots USING (series_id)
        WHERE at_cutoff AND valid_from <= position AND (valid_to IS NULL OR valid_to > position)
        ORDER BY observed_to DESC, snapshots.id DESC LIMIT 1
        """
    ).fetchone()
    if newest is None:
        return []
    rows = store.execute(
        f"""
        SELECT id FROM models_in({newest[0]}) AS models LEFT JOIN cutoff_dates USING (key)
        WHERE at_cutoff AND dated_at IS NULL
            AND id NOT IN (SELECT id FROM creation_dates WHERE kind = 'first commit')
        ORDER BY downloads DESC NULLS LAST, models.id
        LIMIT ?
        """,
        [limit],
    )
    return [repo for (repo,) in rows.fetchall()]


def import_dates(store: Store, file: Path) -> ImportedDates:
    """Store the dates of a file (Parquet, CSV, JSON: a repo id and a time); report what is skipped.

    The earliest of several dates of a model counts. Raises ImportFileError when the file cannot be
    read or lacks either column.
    """
    earliest: dict[str, datetime] = {}
    rows = unusable = unreadable = contradicting = 0
    example = None
    latest = datetime.now(UTC) + timedelta(days=1)  # clocks differ
    with store.transaction():
        for id_, date, *others in _read_rows(store, file):
            rows += 1
            repo = _read_repo_id(id_)
            instant = _read_date(date, latest)
            if repo is None:
                unusable += 1
            elif instant is None:
                unreadable += 1
                example = example or str(date)[:_MAX_EXAMPLE]
            else:
                contradicting += any(_read_date(other) != instant for other in others)
                earliest[repo] = min(instant, earliest.get(repo, instant))
        dates = [CreationDate(repo, instant) for repo, instant in earliest.items()]
        _insert(store, dates, kind="import", origin=file.name)
        (matched,) = store.fetch_one(
            "SELECT count(*) FROM (SELECT unnest(?::VARCHAR[]) AS id) "
            "SEMI JOIN (SELECT id FROM versions) USING (id)",
            [[*earliest]],
        )
    return ImportedDates(
        kept=len(earliest),
        duplicates=rows - unusable - unreadable - len(earliest),
        unusable=unusable,
        unreadable=unreadable,
        example=example,
        contradicting=contradicting,
        unmatched=len(earliest) - matched,
    )


def _read_repo_id(value: Any) -> str | None:
    try:
        return values.read_repo_id(values.unwrap(value))
    except ValueError:
        return None


def _read_date(value: Any, latest: datetime | None = None) -> datetime | None:
    """Return an instant; None where it is invalid, or later than `latest`, or before the Hub."""
    try:
        instant = parse_timestamp(values.unwrap(value))
        if latest is not None:
            values.check_date(instant, latest)
    except ValueError:
        return None
    return instant


def _read_rows(store: Store, file: Path) -> Iterator[tuple[Any, ...]]:
    """Yield (repo id, date, further dates) as they are in the file. Raises ImportFileError.

    The id may be None; rows without a date are skipped.
    """
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise ImportFileError(f"Unsupported file type: {file}. Supported: {', '.join(_READERS)}.")
    if not file.is_file():
        raise ImportFileError(f"{file} does not exist.")
    if not file.stat().st_size:
        raise ImportFileError(f"{file} is empty. It needs a column of repo ids and one of times.")
    relation = reader.format(literal(file))
    try:
        columns = store.columns(f"SELECT * FROM {relation}")
        id_ = next((name for name in _IDS if name in columns), None)
        dates = [name for name in _DATES if name in columns]
        if id_ is None or not dates:
            raise ImportFileError(
                f"{file} needs a column of repo ids ({', '.join(_IDS)}) and one of times "
                f"({', '.join(_DATES)}); it has {', '.join(columns)}."
            )
        selected = ", ".join(f"to_json({identifier(name)})::VARCHAR" for name in (id_, *dates))
        rows = store.execute(f"SELECT {selected} FROM {relation}").fetchall()
    except duckdb.Error as error:
        raise ImportFileError(f"{file} cannot be read: {first_line(error)}") from error
    for row in rows:
        repo, *given = (cell and json.loads(cell) for cell in row)
        if given := [date for date in given if date is not None]:
            yield (repo, *given)
