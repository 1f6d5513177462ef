"""Translate DuckDB's errors into hfscan's."""

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb

from hfscan.errors import DB, DatabaseError, HfscanError, InvalidRequestError, StorageError

_FULL = re.compile(
    "No space left|disk is full|write file|out of disk|offload|File too large", re.IGNORECASE
)
_LOCKED = re.compile("could not set lock|conflicting lock|used by another process", re.IGNORECASE)
_DENIED = re.compile("permission denied|read-only file system|access is denied", re.IGNORECASE)
_INVALID_VALUE = (
    duckdb.DataError,  # conversion, out of range, type mismatch
    duckdb.InvalidInputException,
    duckdb.InvalidTypeException,
)
_HOLDER = re.compile(r"PID (\d+)")


def first_line(error: Exception) -> str:
    """Return the first line of an error's message: DuckDB adds the SQL and hints below it."""
    return str(error).split("\n", 1)[0]


def is_full(error: duckdb.Error) -> bool:
    return _FULL.search(str(error)) is not None


def is_locked(error: duckdb.Error) -> bool:
    return isinstance(error, duckdb.IOException) and _LOCKED.search(str(error)) is not None


def concerns_file(error: duckdb.Error, path: Path | str) -> bool:
    """Return whether reading or writing the database file `path` failed."""
    if "Corrupt database file" in str(error):  # without its name
        return True
    return isinstance(error, duckdb.IOException) and f'"{path}"' in str(error)


def to_storage_error(error: duckdb.Error) -> Exception:
    """Return StorageError if a disk was full, else the error itself."""
    if not is_full(error):
        return error
    reason = "File too large" if "File too large" in str(error) else "the disk is full"
    return StorageError(
        f"The database could not be written: {reason}. It was not changed. Free some space and run "
        "the same command again."
    )


@contextlib.contextmanager
def translate_errors(
    translator: Callable[[duckdb.Error], Exception] = to_storage_error,
) -> Iterator[None]:
    """Raise what `translator` returns for an error of DuckDB."""
    try:
        yield
    except duckdb.Error as error:
        translated = translator(error)
        if translated is error:
            raise
        raise translated from error


def explain(error: duckdb.Error, path: Path) -> HfscanError:
    """Return the error to show a user, for an error of DuckDB with the database at `path`."""
    text = first_line(error).rstrip(".")
    if is_locked(error):
        pid = _HOLDER.search(str(error))
        holder = f"another process ({pid[1]})" if pid else "another process"
        return DatabaseError(
            f"{path} is in use by {holder}. Wait until it ends (or close it), then run the same "
            "command again."
        )
    if "different configuration" in text:  # DuckDB allows one for each file of a process
        return DatabaseError(
            f"{path} is open in this process with other settings of DuckDB. Close that connection, "
            "or query through hfscan.open_database(...)."
        )
    if is_full(error):
        return StorageError(
            f"The disk that holds {path} is full. Free some space, and run the same command again."
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        return StorageError(
            f"Not enough memory to work on {path}: {text}. Close other programs, or request less, "
            "and run the command again."
        )
    if _DENIED.search(text):
        return StorageError(
            f"{path} cannot be opened: {text}. Make the file and its folder accessible, or name "
            "a database elsewhere with ",
            DB,
            ".",
        )
    if "version number" in text:
        return DatabaseError(
            f"{path} was written by another version of DuckDB: {text}. Update the package duckdb, "
            "or name another file with ",
            DB,
            ".",
        )
    if isinstance(error, _INVALID_VALUE):
        return InvalidRequestError(
            f"{path} cannot answer this: {text}. Check the values of the options; if they are "
            "right, check the database with `hfscan doctor`."
        )
    return DatabaseError(
        f"{path} cannot be read: {text}. It is damaged, or was changed by another program. Restore "
        "a copy of it, or begin a new database in another file with ",
        DB,
        ".",
    )
