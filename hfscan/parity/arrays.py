"""Read the arrays that a backend wrote, without trusting their headers."""

import math
import os
import stat
from pathlib import Path
from typing import BinaryIO

import numpy as np

from hfscan.parity.backends._tensors import total_memory_bytes
from hfscan.parity.replies import backend_failed

_MAX_BYTES = 16 << 30  # of the arrays of one reply
_NUMBER_KINDS = "fiub"  # not objects: loading those runs a pickle


class ArrayReader:
    """Reads the arrays of one reply, all from `folder`, within a limit for all of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._bytes_left = min(_MAX_BYTES, (total_memory_bytes() or _MAX_BYTES) // 2)

    def read(self, path: str) -> np.ndarray:
        """Return the numbers in a .npy file. Raises BackendDiedError."""
        file_path = self._resolve(path)
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
        try:
            with os.fdopen(os.open(file_path, flags | getattr(os, "O_BINARY", 0)), "rb") as file:
                self._check(file)
                file.seek(0)
                return np.load(file, allow_pickle=False)  # type: ignore[no-any-return]
        except (OSError, ValueError, TypeError, MemoryError, RecursionError, EOFError) as error:
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise backend_failed(f"its array {file_path.name} cannot be read: {reason}") from error

    def _resolve(self, path: str) -> Path:
        """Return `path`, checked to lie in the folder. Raises BackendDiedError."""
        try:
            resolved = Path(path).resolve()
        except (OSError, ValueError, RuntimeError):
            resolved = Path()
        if not resolved.is_relative_to(self._folder.resolve()):
            raise backend_failed(f"it named a file outside its folder: {path[:200]}")
        return resolved

    def _check(self, file: BinaryIO) -> None:
        """Check the header against the file's size. Raises ValueError."""
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is not a regular file")
        version = np.lib.format.read_magic(file)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read_header is None:
            raise ValueError(f"its format {version} is unknown")
        shape, _, dtype = read_header(file)
        if dtype.kind not in _NUMBER_KINDS or dtype.itemsize > 8:
            raise ValueError(f"it holds {dtype}, not plain numbers")
        size = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or size != status.st_size - file.tell():
            raise ValueError(f"its shape {shape} does not fit its {status.st_size:,} bytes")
        if size > self._bytes_left:
            raise ValueError(f"the arrays together are larger than {_MAX_BYTES:,} bytes or memory")
        self._bytes_left -= size
