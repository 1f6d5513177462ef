"""Opens a DuckDB file; the only place that does."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb

from hfscan._version import __version__
from hfscan.errors import DatabaseError
from hfscan.interrupt import register
from hfscan.store import masks
from hfscan.store.create import SCHEMA_VERSION, SETTINGS, Settings, create
from hfscan.store.faults import explain, is_locked

# readers of JSON take 60 to 90 MB a thread
_WRITING: Settings = {"threads": min(os.cpu_count() or 1, 4)}
_LEAN = "180 MB"
_PATIENCE = 3.0  # seconds; most of what opens a database is done with it sooner


def connect(path: Path, *, write: bool) -> duckdb.DuckDBPyConnection:
    """Open the database at `path`; with `write` create it where it is missing.

    With `write`, masks of another taxonomy than this release's are made anew.

    Raises DatabaseError when there is none to read, when another process holds it, when it is
    damaged, no hfscan database or another version's, and StorageError when it cannot be written.
    """
    if not path.exists():
        if not write:
            raise DatabaseError(
                f"There is no database at {path}. Take a census with `hfscan crawl`, try "
                f"`hfscan demo`, or name another file with --db."
            )
        create(path)
    _check_header(path)
    connection = _open(path, write=write)
    try:
        connection.execute("SET enable_progress_bar = false")  # stdout is for data
        connection.execute("SET TimeZone = 'UTC'")  # else the machine's moves every date
        _check(path, connection)
        if write and not masks.current(connection):
            masks.rebuild(connection)
    except duckdb.Error as error:
        connection.close()
        raise explain(error, path) from error
    except BaseException:
        connection.close()
        raise
    return connection


def check_regular(path: Path) -> None:
    """Raise DatabaseError if `path`, with links followed, cannot be a database file.

    Opening a pipe would wait for ever. A link that is left leads back to itself, and creating a
    database would replace it.
    """
    if path.is_symlink():
        raise DatabaseError(
            f"{path} is a symbolic link that leads back to itself. Name another file with --db, or "
            "remove the link."
        )
    if os.name == "posix" and "\\" in str(path.absolute()):  # DuckDB takes it for a slash
        raise DatabaseError(
            f"{path} cannot be opened: DuckDB supports no backslash in a path. Name another file "
            "with --db."
        )
    if path.is_dir():
        raise DatabaseError(f"{path} is a folder. Name a file in it with --db.")
    if path.exists() and not path.is_file():
        raise DatabaseError(
            f"{path} is not a regular file (e.g. a pipe or a device). Name another file with --db."
        )


def _check_header(path: Path) -> None:
    """Raise DatabaseError unless the file begins as DuckDB's do.

    DuckDB would make a database of an empty file, and look for an extension to read others.
    """
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise DatabaseError(
            f"{path} cannot be read: {error.strerror}. Make it readable, or name another file with "
            "--db."
        ) from error
    if head[8:12] != b"DUCK":
        found = "empty" if not head else "a SQLite database" if head.startswith(b"SQLite") else ""
        raise DatabaseError(
            f"{path} is {found and found + ', '}not a DuckDB database. Name another file with "
            "--db, or remove this one to begin anew."
        )


def _open(path: Path, *, write: bool) -> duckdb.DuckDBPyConnection:
    """Connect; wait a little where another process has the database open."""
    settings = SETTINGS | (_WRITING if write else {})
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            connection = duckdb.connect(path.absolute(), read_only=not write, config=settings)
        except duckdb.Error as error:
            if not is_locked(error) or time.monotonic() > deadline:
                raise explain(error, path) from error
            time.sleep(_PATIENCE / 20)
        else:
            register(connection)
            return connection


def database_path(connection: duckdb.DuckDBPyConnection) -> str:
    """Return the path of the database as DuckDB's error messages quote it; "" if in memory."""
    found = connection.execute(
        "SELECT path FROM duckdb_databases() WHERE database_name = current_database()"
    )
    ((path,),) = found.fetchall()
    return str(path or "")


@contextlib.contextmanager
def lean(connection: duckdb.DuckDBPyConnection, limit: str = _LEAN) -> Iterator[None]:
    """Let a connection hold little in memory, and what is beyond in a file beside the database."""
    connection.execute(f"SET memory_limit = '{limit}'")
    try:
        yield
    finally:
        connection.execute("RESET memory_limit")


def _check(path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    try:
        row = connection.execute("SELECT schema_version, hfscan_version FROM metadata").fetchone()
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise DatabaseError(
            f"{path} is a DuckDB file, but not hfscan's. Name another file with --db."
        ) from error
    version, maker = row or (None, "unknown")
    if version != SCHEMA_VERSION:
        raise DatabaseError(
            f"{path} was made by hfscan {maker} with schema {version}; this hfscan {__version__} "
            f"reads schema {SCHEMA_VERSION}. Use that release, or another file with --db."
        )
