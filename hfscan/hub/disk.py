"""Files that are there whole or not at all, and folders that one process holds.

What is read back steers a crawl, so each line carries its CRC-32: a damaged one counts as missing.
"""

import contextlib
import errno
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import filelock

from hfscan.errors import DatabaseError, StorageError

_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


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


def append(path: Path, line: bytes, *, durable: bool = True) -> None:
    """Add a line to a file, sealed; `durable`: it is on the disk when this returns."""
    with path.open("ab") as file:
        file.write(sealed(line))
        if durable:
            sync(file)


def lines(path: Path) -> list[bytes]:
    """Return the undamaged lines of a file that `append` wrote, none where it is missing.

    The last may be torn by a crash; it is then closed, so that the next one stands alone.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    if data and not data.endswith(b"\n"):
        with path.open("ab") as file:
            file.write(b"\n")
    return [line for one in data.split(b"\n") if (line := unsealed(one)) is not None]


def sealed(line: bytes) -> bytes:
    """Return a line of a file, with what proves it undamaged."""
    return b"%08x %s\n" % (zlib.crc32(line), line)


def unsealed(line: bytes) -> bytes | None:
    """Return what was sealed, None where it is damaged."""
    seal, _, data = line.rstrip(b"\n").partition(b" ")
    return data if seal == b"%08x" % zlib.crc32(data) else None


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
