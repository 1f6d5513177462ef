"""Stage the rows of files in Parquet files beside the database, until they are inserted.

Temporary tables would be held in memory; the files take a tenth of that on the disk.
"""

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import duckdb
import msgspec

from hfscan.errors import ImportFileError, StorageError
from hfscan.objectid import CUTOFF_END, CUTOFF_START
from hfscan.paths import staging_dir
from hfscan.sql import file_literal, file_literals, literal
from hfscan.store import dump
from hfscan.store.database import Store
from hfscan.store.duckdb_errors import first_line, to_storage_error, translate_errors
from hfscan.store.history import hash_state
from hfscan.store.normalise import normalise, normalise_repaired
from hfscan.store.repair import repair
from hfscan.store.snapshots import NewSnapshot
from hfscan.timestamps import to_utc_naive

_ROW_GROUP_ROWS = 20_000  # that a thread holds in memory before it writes them
_ROW_GROUPS_PER_FILE = 3  # the rows of a file are classified at once, within the memory limit
_MAX_OPEN_FILES = 200  # DuckDB keeps all files of a query open


class Staging:
    """The temporary view `staged`: the rows added, each with its number `row` and its file `part`.

    The macro `staged_parts(first, last)` has those of some files.
    `queries`: how many have added rows. The folder `scratch` is for files that are deleted with it.
    """

    def __init__(self, store: Store, folder: Path, new_snapshot: NewSnapshot) -> None:
        self._store, self._folder = store, folder
        self.queries = 0
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        # a dump may give its day only, and clocks differ
        day = new_snapshot.observed_to.astimezone(UTC).date()
        self.latest = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=2)
        self._bounds = {
            "cutoff_start": to_utc_naive(CUTOFF_START),
            "cutoff_end": to_utc_naive(CUTOFF_END),
            "since": to_utc_naive(new_snapshot.scope.since, truncate=True),
            "until": to_utc_naive(new_snapshot.scope.until, truncate=True),
        }
        store.execute("CREATE TEMP TABLE excluded_rows (row BIGINT)")

    @classmethod
    @contextlib.contextmanager
    def open(cls, store: Store, new_snapshot: NewSnapshot) -> Iterator["Staging"]:
        """Yield an empty Staging, deleted in the end. Raises StorageError where there is no room.

        Dates of models after `latest` are not credible.
        """
        folder = staging_dir(store.path)
        try:
            folder.mkdir()
        except OSError as error:
            raise StorageError(
                f"{folder} cannot be made: {error.strerror}. Free some space, or make the folder "
                "writable, and run the same command again."
            ) from error
        try:
            yield cls(store, folder, new_snapshot)
        finally:
            with contextlib.suppress(duckdb.Error):
                store.execute("DROP VIEW IF EXISTS staged; DROP TABLE IF EXISTS excluded_rows")
            shutil.rmtree(folder, ignore_errors=True)

    def add(self, sql: str, parameters: Mapping[str, object] | None = None) -> None:
        """Add the rows of a query, with columns that the first query has."""
        with_state = f"SELECT *, {hash_state(self._store)} AS state FROM ({sql})"
        target = literal(self._folder / f"{self.queries:06}")
        self._store.execute(
            f"COPY ({with_state}) TO {target} (FORMAT parquet, "
            f"ROW_GROUP_SIZE {_ROW_GROUP_ROWS}, ROW_GROUPS_PER_FILE {_ROW_GROUPS_PER_FILE})",
            parameters,
        )
        self.queries += 1
        paths = sorted(self._folder.glob("[0-9]*/*.parquet"))
        files = file_literals(paths)
        # a query opens all files that it is given, so those of a part are given few
        self._store.execute(
            "CREATE OR REPLACE TEMP MACRO staged_parts(first, last) AS TABLE SELECT * FROM ("
            "SELECT *, first + file_index AS part, (first + file_index) << 32 | file_row_number "
            f"AS row FROM read_parquet({files}[first + 1 : last + 1], union_by_name = true)"
            ") ANTI JOIN excluded_rows USING (row)"
        )
        self._store.execute(
            f"CREATE OR REPLACE TEMP VIEW staged AS FROM staged_parts(0, {len(paths) - 1})"
        )

    def add_models(self, normalised: str) -> None:
        """Add rows in typed columns, with whether they are out of the scope's period."""
        self.add(
            f"WITH normalised AS ({normalised}) SELECT *, "
            "coalesce(created_at < $since, false) OR coalesce(created_at >= $until, false) "
            "AS out_of_scope FROM normalised",
            self._bounds,
        )

    def keep(self, queries: int) -> None:
        """Remove the rows of all queries but the first ones."""
        for folder in self._folder.glob("[0-9]*"):  # also of one that failed
            if int(folder.name) >= queries:
                shutil.rmtree(folder)
        self.queries = queries

    def exclude(self, rows: str) -> int:
        """Remove the rows of `staged` whose `row` a query returns; return their number."""
        return int(self._store.fetch_one(f"INSERT INTO excluded_rows {rows}")[0])


def stage(
    store: Store,
    staging: Staging,
    files: Sequence[Path],
    *,
    is_crawl: bool,
    columns: Sequence[str] | None = None,
) -> dump.Conversion:
    """Stage the models of `files`; return what was excluded.

    `columns`: those of Parquet files to read.

    Files that DuckDB can read directly, such as the pages of a crawl, are not inspected. All other
    files are converted first, and so are all of them where that turns out to be wrong.
    """
    found: list[dump.DumpFile] = []
    direct = files
    if not is_crawl:
        found = dump.inspect_all(files)
        if found[0].kind == "parquet":
            with translate_errors(partial(_explain_parquet, files)):
                relation = dump.parquet_relation(store, files, columns)
                staging.add_models(normalise(relation, staging.latest))
            return dump.Conversion()
        direct = [file.path for file in found if dump.is_plain(file)]
    try:
        for first in range(0, len(direct), _MAX_OPEN_FILES):
            relation = dump.json_relation(direct[first : first + _MAX_OPEN_FILES])
            staging.add_models(normalise(relation, staging.latest))
        staged_directly = set(direct)
        to_convert = [file for file in found if file.path not in staged_directly]
        if direct and _has_unknown_shape(store):
            to_convert = found
    except (duckdb.InvalidInputException, duckdb.IOException) as error:
        if to_storage_error(error) is not error:
            raise
        to_convert = found or dump.inspect_all(files)
    if not to_convert:
        return dump.Conversion()
    if len(to_convert) == len(files):
        staging.keep(0)
    converted = staging.scratch / "rows.jsonl"
    conversion = dump.convert(to_convert, converted)
    staging.add_models(normalise(dump.json_relation([converted]), staging.latest))
    return conversion


def stage_repaired(store: Store, staging: Staging) -> None:
    """Replace the staged rows that SQL could not read by what `repair` makes of them."""
    parts = store.execute("SELECT DISTINCT part FROM staged WHERE unread_json IS NOT NULL")
    file, longest = staging.scratch / "repaired.jsonl", 0
    with file.open("wb") as lines:
        for (part,) in parts.fetchall():
            rows = store.execute(
                "SELECT row, unread_json, unknown FROM staged "
                "WHERE unread_json IS NOT NULL AND part = ? ORDER BY row",
                [part],
            )
            while batch := rows.fetchmany(1_000):
                for row, text, unknown in batch:
                    line = _repaired_line(row, text, unknown, staging.latest)
                    longest = max(longest, len(line))
                    lines.write(line + b"\n")
    if longest:
        staging.exclude("SELECT row FROM staged WHERE unread_json IS NOT NULL")
        staging.add_models(normalise_repaired(file, longest))


def _repaired_line(row: int, text: str, unknown: list[str] | None, latest: datetime) -> bytes:
    model, unreadable = repair(text, latest)
    columns, examples = list(unreadable) or None, list(unreadable.values()) or None
    line = {"model": model, "unknown": unknown, "unreadable": columns, "examples": examples}
    return msgspec.json.encode({**line, "row": row})


def _has_unknown_shape(store: Store) -> bool:
    """Return whether some staged rows are not models as the API describes them."""
    if store.fetch_one("SELECT count(*) FROM staged WHERE key IS NULL") != (0,):
        return True
    return any(map(dump.hides_model, count_unknown_keys(store)))


def count_unknown_keys(store: Store) -> dict[str, int]:
    """Count the staged models that have each unknown key. Shape: key -> models."""
    counts = store.execute(
        "SELECT key, count(*) FROM (SELECT unnest(unknown) AS key FROM staged) "
        "GROUP BY key ORDER BY key"
    )
    return dict(counts.fetchall())


def _explain_parquet(files: Sequence[Path], error: duckdb.Error) -> Exception:
    """Return ImportFileError for damaged Parquet: DuckDB raises errors of many classes."""
    translated = to_storage_error(error)
    if translated is not error or isinstance(error, duckdb.OutOfMemoryException):
        return translated
    message = first_line(error)
    name = "" if any(str(file) in message for file in files) else f"{_find_damaged(files)}: "
    return ImportFileError(f"{name}{message}. Nothing was imported.")


def _find_damaged(files: Sequence[Path]) -> Path:
    """Return the first Parquet file that cannot be read; the last one where all can."""
    for file in files[:-1]:
        with duckdb.connect() as connection:
            try:
                connection.execute(
                    f"SELECT count(columns(*)) FROM read_parquet({file_literal(file)})"
                )
            except duckdb.Error:
                return file
    return files[-1]
