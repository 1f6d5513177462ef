"""Let only one process at a time write a file or folder, across processes."""

import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import filelock

from hfscan._logging import LOGGER
from hfscan.errors import DatabaseError, Wording
from hfscan.fs import translate_os_errors
from hfscan.paths import lock_file


def acquire_lock(path: Path) -> filelock.BaseFileLock:
    """Acquire the lock file `path`. Raises DatabaseError when another process holds it."""
    lock = filelock.FileLock(path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise DatabaseError(
            f"Another crawl of the same scope ({_read_holder(path)}) is writing to {path.parent}. "
            "Wait until it ends, or name another database with --db."
        ) from None
    _write_holder(path)
    return lock


@contextlib.contextmanager
def hold_lock(target: Path, advice: str | Wording) -> Iterator[None]:
    """Let only one process at a time write a file or folder; log who does, and wait.

    The lock is a file beside it, there only while it is held. The operating system releases the
    lock of a process that dies. A thread may hold it several times. Raises StorageError, with
    `advice`, where the file cannot be made.
    """
    path = lock_file(target)
    lock = filelock.FileLock(path, is_singleton=True)
    with translate_os_errors(path.parent, advice):
        path.parent.stat()  # else the lock would make the folder
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            if not path.exists():
                path.touch()  # fails where no file can be made, as in /proc: the wait would not end
            LOGGER.warning("Waiting for %s, which is writing %s.", _read_holder(path), target)
            lock.acquire()
    try:
        _write_holder(path)
        yield
    finally:
        if lock.lock_counter == 1:
            remove_lock(lock)
        else:
            lock.release()


def remove_lock(lock: filelock.BaseFileLock) -> None:
    """Release a lock and remove its file."""
    with contextlib.suppress(OSError):  # Windows keeps a file that is open
        # before the release: a process that waits for the file notices, and makes another
        Path(lock.lock_file).unlink()
    lock.release()


def _write_holder(path: Path) -> None:
    with contextlib.suppress(OSError):  # Windows: locked against ourselves too
        path.write_text(f"process {os.getpid()}, since {datetime.now(UTC):%F %T} UTC", "utf-8")


def _read_holder(path: Path) -> str:
    try:
        return path.read_text("utf-8") or "another process"
    except (OSError, UnicodeError):
        return "another process"
