"""Files that are there whole or not at all, and folders that one process holds."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import filelock

from hfscan.errors import DatabaseError, StorageError

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def hold(path: Path) -> filelock.BaseFileLock:
    """Return the lock file `path`, held; raises DatabaseError when another process has it."""
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise DatabaseError(
            f"Another crawl of the same scope is writing to {path.parent}. Wait until it ends, "
            "or name another database with --db."
        ) from None
    return lock


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all, whatever happens meanwhile."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(data)
        sync(file)
    part.replace(path)
    if os.name == "posix":  # elsewhere a folder cannot be opened, and needs not be
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def append(path: Path, line: bytes) -> None:
    """Add a line to a file; it is on the disk when this returns."""
    with path.open("ab") as file:
        file.write(line + b"\n")
        sync(file)


def lines(path: Path) -> list[bytes]:
    """Return the lines of a file that `append` wrote, none where it is missing.

    The last may be torn by a crash; it is then closed, so that the next one stands alone.
    """
    try:
        found = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    if found and not found[-1].endswith(b"\n"):
        with path.open("ab") as file:
            file.write(b"\n")
    return found


def sync(file: BinaryIO) -> None:
    """Bring what was written to the disk."""
    file.flush()
    os.fsync(file.fileno())


@contextlib.contextmanager
def storing(folder: Path) -> Iterator[None]:
    """Raise StorageError, with what to do, where the disk is full or cannot be written."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            trouble = f"The disk that holds {folder} is full. Free some space"
        else:
            trouble = (
                f"{folder} cannot be written: {error.strerror or error}. Make it writable, or name "
                "a database elsewhere with --db"
            )
        raise StorageError(
            f"{trouble}, and run the same command again: what was already kept is safe."
        ) from error
