"""Stage what files hold: read it as it is where DuckDB can, convert and repair it where not."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import duckdb
import msgspec

from hfscan.errors import ImportFileError
from hfscan.objectid import CUTOFF_END, CUTOFF_START
from hfscan.sql import literal
from hfscan.store import dump
from hfscan.store.normalise import normalised, normalised_again
from hfscan.store.repair import repair
from hfscan.store.snapshots import NewSnapshot
from hfscan.store.staging import Staging
from hfscan.store.transaction import explained, telling
from hfscan.timestamps import to_utc_naive

_FILES = 200  # that are read at once: all are held open until the last is read


def stage(
    connection: duckdb.DuckDBPyConnection,
    staged: Staging,
    files: Sequence[Path],
    new_snapshot: NewSnapshot,
) -> dump.Conversion:
    """Stage the models of `files`; return what had to be left out.

    What DuckDB reads as it is, as a crawl's pages are, is not looked into; where it then turns out
    to be something else, and for all other files, the files are converted first.
    """
    latest = _latest(new_snapshot)
    if new_snapshot.kind != "import":
        found, plain = [], files
    else:
        found = dump.inspect_all(files)
        if found[0].kind == "parquet":
            with telling(partial(_explain_parquet, files)):
                _add(
                    staged,
                    normalised(dump.parquet_relation(connection, files), latest),
                    new_snapshot,
                )
            return dump.Conversion()
        plain = [file.path for file in found if dump.is_plain(file)]
    try:
        for first in range(0, len(plain), _FILES):
            relation = dump.json_relation(plain[first : first + _FILES])
            _add(staged, normalised(relation, latest), new_snapshot)
        as_is = set(plain)
        converted = [file for file in found if file.path not in as_is]
        if plain and _is_odd(connection):
            converted = found
    except (duckdb.InvalidInputException, duckdb.IOException) as error:
        if explained(error) is not error:
            raise
        converted = found or dump.inspect_all(files)
    if not converted:
        return dump.Conversion()
    if len(converted) == len(files):
        staged.clear()
    rows = staged.scratch / "rows.jsonl"
    conversion = dump.convert(converted, rows)
    _add(staged, normalised(dump.json_relation([rows]), latest), new_snapshot)
    return conversion


def stage_repaired(
    connection: duckdb.DuckDBPyConnection, staged: Staging, new_snapshot: NewSnapshot
) -> None:
    """Replace the staged rows that SQL could not read by what `repair` makes of them."""
    parts = connection.execute("SELECT DISTINCT part FROM staged WHERE odd_json IS NOT NULL")
    file, longest = staged.scratch / "repaired.jsonl", 0
    latest = _latest(new_snapshot)
    with file.open("wb") as lines:
        for (part,) in parts.fetchall():
            rows = connection.execute(
                "SELECT row, odd_json, unknown FROM staged "
                "WHERE odd_json IS NOT NULL AND part = ? ORDER BY row",
                [part],
            )
            while batch := rows.fetchmany(1_000):
                for row, text, unknown in batch:
                    line = _repaired_line(row, text, unknown, latest)
                    longest = max(longest, len(line))
                    lines.write(line + b"\n")
    if longest:
        staged.leave_out("SELECT row FROM staged WHERE odd_json IS NOT NULL")
        _add(staged, normalised_again(file, longest), new_snapshot)


def _repaired_line(row: int, text: str, unknown: list[str] | None, latest: datetime) -> bytes:
    model, unreadable = repair(text, latest)
    return msgspec.json.encode(
        {
            "model": model,
            "unknown": unknown,
            "unreadable": list(unreadable) or None,
            "examples": list(unreadable.values()) or None,
            "row": row,
        }
    )


def _latest(new_snapshot: NewSnapshot) -> datetime:
    """Return the latest date of a model that the snapshot can hold: the end of the day after it.

    A dump may be dated by its day alone, and clocks differ.
    """
    day = new_snapshot.observed_to.astimezone(UTC).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    return day + timedelta(days=2)


def _add(staged: Staging, rows: str, new_snapshot: NewSnapshot) -> None:
    """Stage rows in typed columns, with whether they are outside the scope's period."""
    bounds = {
        "cutoff_start": to_utc_naive(CUTOFF_START),
        "cutoff_end": to_utc_naive(CUTOFF_END),
        "since": to_utc_naive(new_snapshot.scope.since, truncate=True),
        "until": to_utc_naive(new_snapshot.scope.until, truncate=True),
    }
    staged.add(
        f"WITH normalised AS ({rows}) SELECT *, "
        "coalesce(created_at < $since, false) OR coalesce(created_at >= $until, false) "
        "AS outside FROM normalised",
        bounds,
    )


def _is_odd(connection: duckdb.DuckDBPyConnection) -> bool:
    """Return whether some staged rows are no models as the API tells them."""
    nameless = connection.execute("SELECT count(*) FROM staged WHERE key IS NULL").fetchone()
    return nameless != (0,) or any(map(dump.hides_model, count_unknown_keys(connection)))


def count_unknown_keys(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Count the staged models that have each unknown key. Shape: key -> models."""
    found = connection.execute(
        "SELECT key, count(*) FROM (SELECT unnest(unknown) AS key FROM staged) "
        "GROUP BY key ORDER BY key"
    )
    return dict(found.fetchall())


def _explain_parquet(files: Sequence[Path], error: duckdb.Error) -> Exception:
    """Return ImportFileError for the many errors that DuckDB raises on damaged Parquet."""
    found = explained(error)
    if found is not error or isinstance(error, duckdb.OutOfMemoryException):
        return found
    what = str(error).splitlines()[0]
    named = "" if any(str(file) in what for file in files) else f"{_find_damaged(files)}: "
    return ImportFileError(f"{named}{what}. Nothing was imported.")


def _find_damaged(files: Sequence[Path]) -> Path:
    """Return the first Parquet file that cannot be read; the last one where all can."""
    for file in files[:-1]:
        with duckdb.connect() as connection:
            try:
                connection.execute(f"SELECT count(columns(*)) FROM read_parquet({literal(file)})")
            except duckdb.Error:
                return file
    return files[-1]
