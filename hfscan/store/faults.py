"""What DuckDB's errors mean for a user; the only place that tells."""

import re
from pathlib import Path

import duckdb

from hfscan.errors import DatabaseError, HfscanError, InvalidRequestError, StorageError

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


def is_full(error: duckdb.Error) -> bool:
    """Return whether there was no room on a disk."""
    return _FULL.search(str(error)) is not None


def is_locked(error: duckdb.Error) -> bool:
    """Return whether another process holds the database."""
    return isinstance(error, duckdb.IOException) and _LOCKED.search(str(error)) is not None


def is_of_file(error: duckdb.Error) -> bool:
    """Return whether the database file or the machine is at fault, whatever the SQL was."""
    # damage is told by a class of its own, by none of these, or by a plain Error
    return type(error) is duckdb.Error or isinstance(
        error,
        duckdb.IOException
        | duckdb.InternalException
        | duckdb.FatalException
        | duckdb.SerializationException
        | duckdb.OutOfMemoryException,
    )


def concerns_file(error: duckdb.Error, path: Path | str) -> bool:
    """Return whether reading or writing the file `path` failed."""
    return isinstance(error, duckdb.IOException) and f'"{path}"' in str(error)


def explain(error: duckdb.Error, path: Path) -> HfscanError:
    """Return what to tell a user of an error that the database at `path` met."""
    text = str(error).split("\n")[0].rstrip(".")
    if is_locked(error):
        pid = _HOLDER.search(str(error))
        who = f"another process ({pid[1]})" if pid else "another process"
        return DatabaseError(
            f"{path} is in use by {who}. Wait until it ends (or close it), then run the same "
            "command again."
        )
    if is_full(error):
        return StorageError(
            f"The disk that holds {path} is full. Free some space, and run the same command again."
        )
    if isinstance(error, duckdb.OutOfMemoryException):
        return StorageError(
            f"There is not enough memory to work on {path}: {text}. Close other programs, or ask "
            "for less, and run the command again."
        )
    if _DENIED.search(text):
        return StorageError(
            f"{path} cannot be opened: {text}. Make the file and its folder accessible, or name "
            "a database elsewhere with --db."
        )
    if "version number" in text:
        return DatabaseError(
            f"{path} was written by another version of DuckDB: {text}. Update the package duckdb, "
            "or name another file with --db."
        )
    if isinstance(error, _INVALID_VALUE):
        return InvalidRequestError(
            f"{path} cannot answer this: {text}. Check the values of the options; if they are "
            "right, check the database with `hfscan doctor`."
        )
    return DatabaseError(
        f"{path} cannot be read: {text}. It is damaged, or was changed by another program. Restore "
        "a copy of it, or begin a new database in another file with --db."
    )
