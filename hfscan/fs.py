"""Write files atomically, lock folders between processes, and keep logs with checksums.

Every line of such a log carries its CRC-32. A damaged line counts as missing.
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


def acquire_lock(path: Path) -> filelock.BaseFileLock:
    """Acquire the lock file `path`. Raises DatabaseError when another process holds it."""
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise DatabaseError(
            f"Another crawl of the same scope is writing to {path.parent}. Wait until it ends, "
            "or name another database with --db."
        ) from None
    return lock


def journal_folder(db: Path) -> Path:
    """Return the folder in which crawls into the database `db` keep their pages."""
    return db.with_name(db.name + ".journal")


def atomic_write(path: Path, data: bytes) -> None:
    """Write a file so that readers see either the old content or all of the new one."""
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


def append_line(path: Path, line: bytes, *, durable: bool = True) -> None:
    """Append a line with its checksum. With `durable` it is on the disk when this returns."""
    with path.open("ab") as file:
        file.write(add_checksum(line))
        if durable:
            sync(file)


def read_lines(path: Path) -> list[bytes]:
    """Return the undamaged lines of a file that `append_line` wrote, none where it is missing.

    A crash may leave the last line unfinished. It is then ended, so that the next line is separate.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    if data and not data.endswith(b"\n"):
        with path.open("ab") as file:
            file.write(b"\n")
    return [line for one in data.split(b"\n") if (line := strip_checksum(one)) is not None]


def add_checksum(line: bytes) -> bytes:
    """Return the line with its CRC-32 in front and a newline at its end."""
    return b"%08x %s\n" % (zlib.crc32(line), line)


def strip_checksum(line: bytes) -> bytes | None:
    """Return the line without its checksum; None where the two do not match."""
    seal, _, data = line.rstrip(b"\n").partition(b" ")
    return data if seal == b"%08x" % zlib.crc32(data) else None


def sync(file: BinaryIO) -> None:
    """Flush a file to the disk."""
    file.flush()
    os.fsync(file.fileno())


@contextlib.contextmanager
def translate_os_errors(folder: Path) -> Iterator[None]:
    """Raise StorageError, with advice, where the disk is full or the folder cannot be written."""
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
