"""The DuckDB file: open it, query it, close it."""

import contextlib
import glob
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from hfscan._version import __version__
from hfscan.errors import DB, DatabaseError, StorageError
from hfscan.frameworks import is_current, reclassify
from hfscan.fs import NAME_DATABASE
from hfscan.interrupt import register
from hfscan.locks import hold_lock
from hfscan.paths import blocks_file, follow_link, staging_dir
from hfscan.sql import identifier, literal
from hfscan.store.duckdb_errors import explain, is_full, is_locked, translate_errors
from hfscan.store.metadata_blocks import MetadataBlocks, find_torn_block, protect, restore_block
from hfscan.store.schema import SCHEMA_VERSION, SETTINGS, STORAGE_VERSION, Settings, create_database
from hfscan.store.shared_file import open_shared

Result = TypeVar("Result")
Parameters = Sequence[object] | Mapping[str, object] | None

# each thread that reads JSON takes 60 to 90 MB
_WRITE_SETTINGS: Settings = {"threads": min(os.cpu_count() or 1, 4)}
INGEST_MEMORY_LIMIT = "220 MB"
_COPY_MEMORY_LIMIT = "400 MB"
_ROW_GROUP_ROWS = 20_000  # of Parquet files: a group of 120,000 models can exceed the limit
_LOCK_TIMEOUT = 3.0  # seconds; most processes are done with the database sooner
_MIN_FREE_SHARE = 0.2  # of the file; below, rewriting it saves too little
_FIRST_ROWS = 1000
_COUNT_ROWS = (
    "SELECT sum(estimated_size) FROM duckdb_tables() WHERE NOT temporary "
    "AND table_name NOT IN ('metadata', 'frameworks', 'taxonomy_names')"
)


class Store:
    """An open database. Use as a context manager; leaving it translates DuckDB's errors."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path, *, is_new: bool) -> None:
        self.connection = connection
        self.path = path
        self._is_new = is_new
        self._memory_limit: str | None = None
        self._blocks: MetadataBlocks | None = None
        self._resources = contextlib.ExitStack()  # released after the connection is closed

    @classmethod
    def open(cls, path: Path, *, write: bool = False) -> "Store":
        """Open the database at `path`; with `write`, create it if it is missing.

        A new database that an error leaves empty is removed. With `write`, masks of another
        release's taxonomy are recomputed. Only one process writes at a time; others wait and log a
        warning.

        Raises DatabaseError where there is no database to read, another process holds it, or the
        file is damaged, is not hfscan's, or has another schema version; StorageError where it
        cannot be written.
        """
        path = follow_link(path)
        _check_regular(path)
        with contextlib.ExitStack() as resources:
            if write:
                resources.enter_context(hold_lock(path, NAME_DATABASE))
                _remove_leftovers(path)
            is_new = not path.exists()
            if is_new and not write:
                raise DatabaseError(
                    f"There is no database at {path}. Create one with `hfscan crawl` or "
                    "`hfscan demo`, or name another file with ",
                    DB,
                    ".",
                )
            if is_new:
                create_database(path)
            _check_header(path, resources)
            _restore_blocks(path)
            blocks = None
            if write and os.name == "posix":
                blocks = resources.enter_context(protect(path))
            store = cls(_connect(path, write=write), path, is_new=is_new)
            store._blocks = blocks
            store._prepare(write)
            store._resources = resources.pop_all()
        return store

    def _prepare(self, write: bool) -> None:
        try:
            if self.fetch_one("SELECT current_setting('enable_progress_bar')")[0]:
                # stdout is for data; a notebook without ipywidgets has no bar, and refuses SET
                self.execute("SET enable_progress_bar = false")
            self.execute("SET TimeZone = 'UTC'")  # the machine's would shift dates
            self._check_schema()
            if write and not self.has_current_taxonomy:
                with self.transaction():
                    reclassify(self.connection)
        except duckdb.Error as error:
            self.connection.close()
            raise explain(error, self.path) from error
        except BaseException:
            self.connection.close()
            raise

    def _check_schema(self) -> None:
        try:
            row = self.execute("SELECT schema_version, hfscan_version FROM metadata").fetchone()
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            raise DatabaseError(
                f"{self.path} is a DuckDB file, but not hfscan's. Name another file with ", DB, "."
            ) from error
        version, release = row or (None, "unknown")
        if version != SCHEMA_VERSION:
            maker, advice = f"hfscan {release}", "Use that release, or crawl or import again into"
            if release == __version__:  # between two releases
                maker, advice = f"another state of hfscan {release}", "Crawl or import again into"
            raise DatabaseError(
                f"{self.path} was made by {maker} with schema {version}; this one ({__version__}) "
                f"reads schema {SCHEMA_VERSION}. {advice} another file with ",
                DB,
                ".",
            )

    def execute(self, sql: str, parameters: Parameters = None) -> duckdb.DuckDBPyConnection:
        return self.connection.execute(sql, parameters)

    def fetch_one(self, sql: str, parameters: Parameters = None) -> tuple[Any, ...]:
        """Return the first row of a query that has at least one."""
        row = self.execute(sql, parameters).fetchone()
        assert row is not None
        return row

    def columns(self, sql: str) -> dict[str, str]:
        """Return name -> type of the columns of a query."""
        return {row[0]: row[1] for row in self.execute(f"DESCRIBE {sql}").fetchall()}

    @property
    def model_columns(self) -> dict[str, str]:
        """Name -> type of the columns that a snapshot has for each model."""
        return self.columns("FROM models_at(1, 1)")  # only described: no snapshot need be there

    def list_filled_columns(self, relation: str, columns: Sequence[str]) -> set[str]:
        """Return those of the columns that have a value in some row."""
        # most have one in the first rows; of the others, each is read up to its first value
        counts = ", ".join(f"count({name})" for name in columns)
        rows, *values = self.fetch_one(
            f"SELECT count(*), {counts} FROM (FROM {relation} LIMIT {_FIRST_ROWS})"
        )
        filled = {name for name, count in zip(columns, values, strict=True) if count}
        if rows == _FIRST_ROWS:
            is_filled = f"SELECT 1 FROM {relation} WHERE {{}} IS NOT NULL LIMIT 1"
            filled |= {
                name
                for name in columns
                if name not in filled and self.execute(is_filled.format(name)).fetchone()
            }
        return filled

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all changes of a block, or none. Raises StorageError when the disk is full."""
        with translate_errors():
            self._save_blocks()
            self.execute("BEGIN")
            try:
                yield
                self.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(duckdb.Error):  # a failed COMMIT has ended it already
                    self.execute("ROLLBACK")
                raise

    def _save_blocks(self) -> None:
        if self._blocks is not None:
            self._blocks.save(self.connection)

    def run_limited(self, limit: str, action: Callable[[], Result]) -> Result:
        """Run `action` with limited memory, and again without a limit if that is too little.

        DuckDB spills what exceeds the limit into a folder beside the database, but not everything,
        and nothing where it cannot write. Within `action`, another limit may apply to a part.
        """
        outer = self._memory_limit
        try:
            self._limit_memory(limit)
            return action()
        except duckdb.OutOfMemoryException:
            pass
        except duckdb.IOException as error:
            if f"{self.path.name}.tmp" not in str(error) or is_full(error):
                raise
        finally:
            self._limit_memory(outer)
        return action()

    def _limit_memory(self, limit: str | None) -> None:
        self._memory_limit = limit
        self.execute("RESET memory_limit" if limit is None else f"SET memory_limit = '{limit}'")

    def write_parquet(self, sql: str, file: Path) -> int:
        """Write the rows of a query to a Parquet file (zstd) in limited memory; return how many."""
        copy = (
            f"COPY ({sql}) TO {literal(file)} "
            f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP_ROWS})"
        )
        (rows,) = self.run_limited(_COPY_MEMORY_LIMIT, partial(self.fetch_one, copy))
        return int(rows)

    def disable_external_access(self) -> None:
        """Disable file and network access for SQL, in this process until the database is closed."""
        self.execute("SET enable_external_access = false")

    def lock_settings(self) -> None:
        """Refuse every change of a setting, in this process until the database is closed."""
        self.execute("SET lock_configuration = true")

    @property
    def has_current_taxonomy(self) -> bool:
        """True if the masks were computed with this release's taxonomy; always after writing."""
        return is_current(self.connection)

    def check_integrity(self) -> None:
        """Read every row, so that leaving the `with` block reports damage."""
        tables = self.execute("SELECT table_name FROM duckdb_tables() WHERE NOT temporary")
        for (table,) in tables.fetchall():
            self.execute(f"SELECT max(hash(content)) FROM {table} AS content").fetchall()

    def compact(self) -> tuple[int, int] | None:
        """Close the database, and rewrite its file if much of it is free.

        Return the sizes (bytes) before and after, None where too little is free. Raises
        StorageError where the disk has no room for the smaller file beside the other.
        """
        part = _compacted_file(self.path)
        try:
            self._save_blocks()
            self.execute("CHECKPOINT")
            before = self.path.stat().st_size
            name, total, free = self.fetch_one(
                "SELECT database_name, total_blocks, free_blocks FROM pragma_database_size() "
                "WHERE database_name = current_database()"
            )
            if free < total * _MIN_FREE_SHARE:
                return None
            _remove(part)
            self.execute(
                f"ATTACH {literal(part)} AS compacted (STORAGE_VERSION {literal(STORAGE_VERSION)})"
            )
            self.execute(f"COPY FROM DATABASE {identifier(name)} TO compacted")
            self.execute("CHECKPOINT compacted")  # DETACH does too, but does not report a failure
            self.execute("DETACH compacted")
            self.connection.close()
            part.replace(self.path)
        except duckdb.Error as error:
            raise explain(error, self.path) from error
        finally:
            self.connection.close()
            _remove(part)
        return before, self.path.stat().st_size

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        is_unused = self._is_new and error is not None and self._is_empty()
        self.connection.close()
        if is_unused:
            self.path.unlink(missing_ok=True)
        self.close()
        if isinstance(error, duckdb.Error) and not isinstance(error, duckdb.InterruptException):
            raise explain(error, self.path) from error

    def close(self) -> None:
        """Close the connection, and let other processes write."""
        self.connection.close()
        self._resources.close()

    def _is_empty(self) -> bool:
        with contextlib.suppress(duckdb.Error):
            return self.fetch_one(_COUNT_ROWS) == (0,)
        return False


def _remove_leftovers(path: Path) -> None:
    """Remove what killed processes left beside a database that no other process writes."""
    _remove(_compacted_file(path))
    shutil.rmtree(staging_dir(path), ignore_errors=True)
    for file in path.parent.glob(f"{glob.escape(blocks_file(path).name)}.*.part"):
        _remove(file)


def _compacted_file(path: Path) -> Path:
    return path.with_name(path.name + ".compact")


def _restore_blocks(path: Path) -> None:
    """Repair a database that a killed process left unfinished.

    Raises DatabaseError where the file cannot be written.
    """
    copy = blocks_file(path)
    while copy.is_file() and (place := find_torn_block(path)) is not None:
        try:
            with hold_lock(path, NAME_DATABASE):
                is_changed = restore_block(path, place)
        except (OSError, StorageError) as error:
            raise DatabaseError(
                f"{path} was left unfinished by a process that was killed. To repair it, hfscan "
                f"must write to it: make the file and its folder writable, or copy {path.name} "
                f"and {copy.name} to another folder. Then run the same command again."
            ) from error
        if not is_changed:
            return


def _connect(path: Path, *, write: bool) -> duckdb.DuckDBPyConnection:
    """Connect; wait up to _LOCK_TIMEOUT while another process has the database open."""
    settings = SETTINGS | (_WRITE_SETTINGS if write else {})
    deadline = time.monotonic() + _LOCK_TIMEOUT
    while True:
        try:
            connection = duckdb.connect(path.absolute(), read_only=not write, config=settings)
        except duckdb.Error as error:
            if not is_locked(error) or time.monotonic() > deadline:
                raise explain(error, path) from error
            time.sleep(_LOCK_TIMEOUT / 20)
        else:
            register(connection)
            return connection


def _check_regular(path: Path) -> None:
    """Raise DatabaseError if `path`, with links followed, cannot be a database file.

    Opening a pipe would block forever. A link that is left points to itself, and creating a
    database would replace it.
    """
    if path.is_symlink():
        raise DatabaseError(
            f"{path} is a symbolic link that leads back to itself. Name another file with ",
            DB,
            ", or remove the link.",
        )
    if os.name == "posix" and "\\" in str(path.absolute()):  # DuckDB takes it for a slash
        raise DatabaseError(
            f"{path} cannot be opened: DuckDB does not support backslashes in paths. Name another "
            "file with ",
            DB,
            ".",
        )
    if path.is_dir():
        raise DatabaseError(f"{path} is a folder. Name a file in it with ", DB, ".")
    if path.exists() and not path.is_file():
        raise DatabaseError(
            f"{path} is not a regular file (e.g. a pipe or a device). Name another file with ",
            DB,
            ".",
        )


def _check_header(path: Path, resources: contextlib.ExitStack) -> None:
    """Raise DatabaseError unless the file begins as DuckDB's do.

    DuckDB would turn an empty file into a database, and look for an extension to read others.
    """
    try:
        if os.name == "posix":
            head = os.pread(resources.enter_context(open_shared(path)).fileno(), 16, 0)
        else:  # DuckDB for Windows opens no file that others have open
            with path.open("rb") as file:
                head = file.read(16)
    except OSError as error:
        raise DatabaseError(
            f"{path} cannot be read: {error.strerror}. Make it readable, or name another file "
            "with ",
            DB,
            ".",
        ) from error
    if head[8:12] != b"DUCK":
        found = "empty" if not head else "a SQLite database" if head.startswith(b"SQLite") else ""
        advice = "." if head else ", or delete this file to start again."
        raise DatabaseError(
            f"{path} is {found and found + ', '}not a DuckDB database. Name another file with ",
            DB,
            advice,
        )


def _remove(part: Path) -> None:
    for file in (part, part.with_name(part.name + ".wal")):
        with contextlib.suppress(OSError):
            file.unlink()
