"""Read and write a backend's pipes in background threads, within bounds of memory."""

import contextlib
import io
import queue
import threading
from collections.abc import Callable
from typing import IO, cast

from hfscan.parity.replies import ProtocolError

_MAX_LINE = 64 << 20  # bytes; listing the tensors of the largest checkpoints takes some 30 MB
_TAIL = 8192  # bytes of stderr


def _run_in_background(target: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments, daemon=True)
    thread.start()
    return thread


def send(pipe: IO[bytes], line: bytes) -> None:
    """Write a line in the background: a backend that does not read must not block hfscan."""

    def write() -> None:
        rest = memoryview(line)
        with contextlib.suppress(OSError, ValueError):  # it ended; reading its output shows it
            while rest:
                rest = rest[pipe.write(rest) :]

    _run_in_background(write)


class ReplyReader:
    """Read the replies of a backend: one line for each request, and nothing else."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._expected = threading.Semaphore(0)
        self._lines: queue.SimpleQueue[bytes | ProtocolError | None] = queue.SimpleQueue()
        _run_in_background(self._read, pipe)

    def expect(self) -> None:
        """Allow the backend to send one more line."""
        self._expected.release()

    def get(self, timeout: float) -> bytes | None:
        """Return the next line, None at the end. Raises queue.Empty (timeout) and ProtocolError."""
        line = self._lines.get(timeout=timeout)
        if isinstance(line, ProtocolError):
            raise line
        return line

    def _read(self, pipe: IO[bytes]) -> None:
        with (
            contextlib.suppress(OSError, ValueError),
            io.BufferedReader(cast(io.RawIOBase, pipe)) as lines,
        ):
            while line := lines.readline(_MAX_LINE + 1):
                if violation := self._find_violation(line):
                    self._lines.put(ProtocolError(violation))
                    return
                self._lines.put(line)
        self._lines.put(None)

    def _find_violation(self, line: bytes) -> str | None:
        if len(line) > _MAX_LINE:
            return f"it sent more than {_MAX_LINE:,} bytes in one line"
        if not line.endswith(b"\n"):
            return "it ended in the middle of a reply"
        if not self._expected.acquire(blocking=False):
            return "it sent a reply without a request"
        return None


class StderrTail:
    """Keep the end of what a backend writes to stderr."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._bytes = bytearray()
        self._thread = _run_in_background(self._read, pipe)

    def _read(self, pipe: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError), pipe:
            while chunk := pipe.read(_TAIL):
                self._bytes += chunk
                del self._bytes[:-_TAIL]

    def last_line(self, timeout: float = 1.0) -> str:
        """Return the last line of a process that ended; wait at most `timeout` seconds for it."""
        self._thread.join(timeout)
        lines = bytes(self._bytes).decode("utf-8", "replace").strip().splitlines()
        return lines[-1][-300:] if lines else "it wrote nothing to stderr"
