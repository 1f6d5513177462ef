"""Read the arrays that a backend wrote, without trust in what it says of them."""

import math
import os
import stat
from pathlib import Path
from typing import BinaryIO

import numpy as np

from hfscan.parity import memory
from hfscan.parity.worker import FAILED, BackendDiedError

_MOST = 16 << 30  # bytes in the arrays of one reply
_KINDS = "fiub"  # numbers: a dtype of objects would be a pickle


def resolve(path: str, folder: Path) -> Path:
    """Return `path`, proven to lie in `folder`. Raises BackendDiedError."""
    try:
        real = Path(path).resolve()
    except (OSError, ValueError, RuntimeError):
        real = Path()
    if not real.is_relative_to(folder.resolve()):
        raise BackendDiedError(FAILED, f"it named a file outside its folder: {path[:200]}")
    return real


class Reader:
    """Reads the arrays of one reply, all from `folder`, within a limit for all of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._left = min(_MOST, (memory.total_bytes() or _MOST) // 2)

    def read(self, path: str) -> np.ndarray:
        """Return the numbers in a .npy file. Raises BackendDiedError."""
        real = resolve(path, self._folder)
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
        try:
            with os.fdopen(os.open(real, flags | getattr(os, "O_BINARY", 0)), "rb") as file:
                self._check(file)
                file.seek(0)
                return np.load(file, allow_pickle=False)  # type: ignore[no-any-return]
        except (OSError, ValueError, TypeError, MemoryError, RecursionError, EOFError) as error:
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise BackendDiedError(
                FAILED, f"its array {real.name} cannot be read: {reason}"
            ) from error

    def _check(self, file: BinaryIO) -> None:
        """Hold the header to the file's size. Raises ValueError."""
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is no regular file")
        version = np.lib.format.read_magic(file)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read is None:
            raise ValueError(f"its format {version} is unknown")
        shape, _, dtype = read(file)
        if dtype.kind not in _KINDS or dtype.itemsize > 8:
            raise ValueError(f"it holds {dtype}, no plain numbers")
        size = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or size != status.st_size - file.tell():
            raise ValueError(f"its shape {shape} is not that of its {status.st_size:,} bytes")
        if size > self._left:
            raise ValueError(f"it and those before it are larger than {_MOST:,} bytes, or memory")
        self._left -= size
