"""True creation dates of the models that the Hub dates at its floor."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from hfscan.errors import DumpError
from hfscan.store.transaction import transaction

_IDS = ("id", "modelId", "repo_id", "model_id")
_DATES = ("created_at", "createdAt", "creation_time", "date")
_READERS = {".parquet": "read_parquet", ".csv": "read_csv", ".json": "read_json"}
_READERS |= {".jsonl": "read_json", ".ndjson": "read_json"}


@dataclass(frozen=True)
class CreationDate:
    """When a repo was made, by another witness than its `createdAt`.

    `created_at` is UTC; None: asked for, and not to be known. `moved_to` is the repo id that the
    Hub redirects `id` to, where the model has moved.
    """

    id: str
    created_at: datetime | None
    moved_to: str | None = None


def record(
    connection: duckdb.DuckDBPyConnection, dates: Iterable[CreationDate], *, kind: str, origin: str
) -> None:
    """Keep the dates, all or none; a later one of the same id and kind replaces the earlier."""
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    last = {one.id: one for one in dates}
    if not last:
        return
    with transaction(connection):
        connection.execute(  # one statement: many would take a millisecond each
            "INSERT OR REPLACE INTO creation_dates "
            "SELECT unnest(?::VARCHAR[]), unnest(?::TIMESTAMP[]), unnest(?::VARCHAR[]), ?, ?, ?",
            [
                [*last],
                [_naive(one.created_at) for one in last.values()],
                [one.moved_to for one in last.values()],
                kind,
                origin,
                now,
            ],
        )


def to_ask_for(connection: duckdb.DuckDBPyConnection, limit: int | None = None) -> list[str]:
    """Return repo ids of floor models whose first commit was never asked for and is wanted.

    From the newest observation that has floor models; the most downloaded first.
    """
    newest = connection.execute(
        """
        SELECT sources.id FROM versions JOIN sources USING (series)
        WHERE at_floor AND valid_from <= place AND (valid_to IS NULL OR valid_to > place)
        ORDER BY observed_to DESC, sources.id DESC LIMIT 1
        """
    ).fetchone()
    if newest is None:
        return []
    rows = connection.execute(
        f"""
        SELECT id FROM observed({newest[0]}) AS models LEFT JOIN floor_dates USING (key)
        WHERE at_floor AND dated_at IS NULL
            AND id NOT IN (SELECT id FROM creation_dates WHERE kind = 'first commit')
        ORDER BY downloads DESC NULLS LAST, models.id
        LIMIT ?
        """,
        [limit],
    ).fetchall()
    return [id_ for (id_,) in rows]


def bring(connection: duckdb.DuckDBPyConnection, file: Path) -> int:
    """Keep the dates of a file (Parquet, CSV, JSON: a repo id and a time, UTC); return how many.

    Raises DumpError when it cannot be read or lacks either column.
    """
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise DumpError(f"{file} is none of {', '.join(_READERS)}; convert it first.")
    if not file.is_file():
        raise DumpError(f"{file} does not exist.")
    try:
        relation = f"{reader}(?)"
        described = connection.execute(f"DESCRIBE SELECT * FROM {relation}", [str(file)]).fetchall()
        columns = [row[0] for row in described]
        id_ = next((name for name in _IDS if name in columns), None)
        date = next((name for name in _DATES if name in columns), None)
        if id_ is None or date is None:
            raise DumpError(
                f"{file} needs a column of repo ids ({', '.join(_IDS)}) and one of times "
                f"({', '.join(_DATES)}); it has {', '.join(columns)}."
            )
        row = connection.execute(
            f"""
            INSERT OR REPLACE INTO creation_dates
            SELECT "{id_}", min("{date}"::TIMESTAMP), NULL, 'import', ?, ?
            FROM {relation} WHERE "{id_}" IS NOT NULL AND "{date}" IS NOT NULL
            GROUP BY ALL
            """,
            [file.name, datetime.now(UTC).replace(tzinfo=None, microsecond=0), str(file)],
        ).fetchone()
    except duckdb.Error as error:
        raise DumpError(f"{file} cannot be read: {str(error).splitlines()[0]}") from error
    assert row is not None
    return int(row[0])


def _naive(instant: datetime | None) -> datetime | None:
    if instant is None or instant.tzinfo is None:
        return instant
    return instant.astimezone(UTC).replace(tzinfo=None)
