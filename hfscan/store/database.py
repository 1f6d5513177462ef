"""Opens a DuckDB file; the only place that does."""

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from hfscan._version import __version__
from hfscan.errors import DatabaseError, StorageError
from hfscan.store import masks

SCHEMA_VERSION = 8
_SCHEMAS = ("schema.sql", "parity.sql")
_MACRO = re.compile(
    r"^CREATE MACRO IF NOT EXISTS (\w+)\((.+?)\) AS(?: TABLE)?\n(.+?);$", re.M | re.S
)
_Settings = dict[str, str | bool | int | float | list[str]]
_SETTINGS: _Settings = {
    # nothing is fetched behind the user's back
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    # rows are keyed; keeping their order would only hold them in memory
    "preserve_insertion_order": False,
}
# readers of JSON take 60 to 90 MB a thread
_WRITING: _Settings = {"threads": min(os.cpu_count() or 1, 4)}
_LEAN = "180 MB"


def connect(path: Path, *, write: bool) -> duckdb.DuckDBPyConnection:
    """Open the database at `path`; with `write` create it where it is missing.

    With `write`, masks of another taxonomy than this release's are made anew.

    Raises DatabaseError when there is none to read, when another process holds it, when it is no
    hfscan database or another version's, and StorageError when its folder cannot be written.
    """
    if not write and not path.exists():
        raise DatabaseError(
            f"There is no database at {path}. Take a census with `hfscan crawl`, try "
            f"`hfscan demo`, or name another file with --db."
        )
    try:
        if not path.exists():
            _create(path)
        settings = _SETTINGS | (_WRITING if write else {})
        connection = duckdb.connect(path, read_only=not write, config=settings)
    except (duckdb.IOException, duckdb.FatalException) as error:
        raise _explained(path, error) from error
    except OSError as error:
        raise StorageError(
            f"{path} cannot be made: {error.strerror}. Name another file with --db."
        ) from error
    try:
        connection.execute("SET enable_progress_bar = false")  # stdout is for data
        _check(path, connection)
        if write and not masks.current(connection):
            masks.rebuild(connection)
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def lean(connection: duckdb.DuckDBPyConnection, limit: str = _LEAN) -> Iterator[None]:
    """Let a connection hold little in memory, and what is beyond in a file beside the database."""
    connection.execute(f"SET memory_limit = '{limit}'")
    try:
        yield
    finally:
        connection.execute("RESET memory_limit")


@dataclass(frozen=True)
class Macro:
    """A macro of the schema: its parameters, and the SQL that stands for it."""

    parameters: tuple[str, ...]
    sql: str


def macros() -> dict[str, Macro]:
    """Return the macros of the schema by name."""
    text = "".join(Path(__file__).with_name(one).read_text(encoding="utf-8") for one in _SCHEMAS)
    return {
        name: Macro(tuple(parameters.split(", ")), sql)
        for name, parameters, sql in _MACRO.findall(text)
    }


def _create(path: Path) -> None:
    """Make the database beside its place and move it there whole: a kill leaves no half of one."""
    unfinished = path.with_name(path.name + ".new")
    for left_behind in (unfinished, path.with_name(path.name + ".new.wal")):
        left_behind.unlink(missing_ok=True)
    with duckdb.connect(unfinished, config=_SETTINGS) as connection:
        connection.execute("BEGIN")
        for schema in _SCHEMAS:
            connection.execute(Path(__file__).with_name(schema).read_text(encoding="utf-8"))
        connection.execute("INSERT INTO about VALUES (?, ?, '')", [SCHEMA_VERSION, __version__])
        masks.declare(connection)
        connection.execute("COMMIT")
        connection.execute("CHECKPOINT")  # closing would do so too, but tell of no failure
    unfinished.rename(path)


def _check(path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    try:
        row = connection.execute("SELECT schema_version, hfscan FROM about").fetchone()
    except duckdb.CatalogException as error:
        raise DatabaseError(
            f"{path} is a DuckDB file, but not hfscan's. Name another file with --db."
        ) from error
    version, maker = row or (None, "unknown")
    if version != SCHEMA_VERSION:
        raise DatabaseError(
            f"{path} was made by hfscan {maker} with schema {version}; this hfscan {__version__} "
            f"reads schema {SCHEMA_VERSION}. Use that release, or another file with --db."
        )


def _explained(path: Path, error: duckdb.Error) -> DatabaseError | StorageError:
    text = str(error)
    if "lock" in text.lower() or "being used by another process" in text:
        return DatabaseError(
            f"{path} is in use by another process. Wait until it ends (or close it), then run the "
            f"same command again."
        )
    if "not a valid DuckDB" in text:
        return DatabaseError(f"{path} is not a DuckDB database. Name another file with --db.")
    if "No space left" in text or "File too large" in text:
        return StorageError(
            f"The disk that holds {path} is full. Free some space, and run the same command again."
        )
    return StorageError(
        f"{path} cannot be opened: {text.splitlines()[0]}. Make it accessible, or name a database "
        "elsewhere with --db."
    )
