"""Open the file of a database without ending the locks of DuckDB on it.

A process that closes any descriptor of a file loses all its locks on that file (POSIX). So there is
one descriptor for each file, closed when nobody in the process needs it.
"""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_lock = threading.Lock()
_files: dict[tuple[int, int], tuple[BinaryIO, int]] = {}  # (device, inode) -> file, its users


@contextlib.contextmanager
def open_shared(path: Path) -> Iterator[BinaryIO]:
    """Yield a file to read at given offsets. Leave when the connections to it are closed.

    Raises OSError.
    """
    with _lock:
        status = path.stat()
        key = status.st_dev, status.st_ino
        file, users = _files.get(key) or (path.open("rb", buffering=0), 0)
        _files[key] = file, users + 1
    try:
        yield file
    finally:
        with _lock:
            file, users = _files.pop(key)
            if users > 1:
                _files[key] = file, users - 1
            else:
                file.close()
