"""Read what a backend writes, within bounds of memory, in threads that nobody has to wait for."""

import contextlib
import io
import queue
import threading
from collections.abc import Callable
from typing import IO, cast

_LINE_LIMIT = 64 << 20  # bytes; the tensors of the largest checkpoints take some 30 MB
_TAIL = 8192  # bytes of stderr that are kept


def _in_background(target: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments, daemon=True)
    thread.start()
    return thread


def send(pipe: IO[bytes], line: bytes) -> None:
    """Write a line in the background: a backend that does not read must not block hfscan."""
    _in_background(_write, pipe, line)


def _write(pipe: IO[bytes], line: bytes) -> None:
    rest = memoryview(line)
    with contextlib.suppress(OSError, ValueError):  # the backend ended: its output tells so
        while rest:
            rest = rest[pipe.write(rest) :]


class ViolationError(Exception):
    """A backend broke the protocol; the message says how."""


class Replies:
    """The replies of a backend: one line for each request, and nothing else."""

    def __init__(self, pipe: IO[bytes], limit: int = _LINE_LIMIT) -> None:
        self._limit, self._awaited = limit, threading.Semaphore(0)
        self._lines: queue.SimpleQueue[bytes | ViolationError | None] = queue.SimpleQueue()
        _in_background(self._read, pipe)

    def expect(self) -> None:
        """Let the backend send one more line."""
        self._awaited.release()

    def get(self, seconds: float) -> bytes | None:
        """Return the next line, None at the end of the output.

        Raises queue.Empty when there is none within `seconds`, ViolationError.
        """
        line = self._lines.get(timeout=seconds)
        if isinstance(line, ViolationError):
            raise line
        return line

    def _read(self, pipe: IO[bytes]) -> None:
        with (
            contextlib.suppress(OSError, ValueError),
            io.BufferedReader(cast(io.RawIOBase, pipe)) as lines,
        ):
            while line := lines.readline(self._limit + 1):
                violation = self._violation(line)
                if violation:
                    self._lines.put(ViolationError(violation))
                    return
                self._lines.put(line)
        self._lines.put(None)

    def _violation(self, line: bytes) -> str | None:
        if len(line) > self._limit:
            return f"it sent more than {self._limit:,} bytes in one line"
        if not line.endswith(b"\n"):
            return "it ended amid a reply"
        if not self._awaited.acquire(blocking=False):
            return "it sent a reply to no question"
        return None


class Tail:
    """The end of what a backend writes to stderr."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._kept = bytearray()
        self._thread = _in_background(self._read, pipe)

    def _read(self, pipe: IO[bytes]) -> None:
        with contextlib.suppress(OSError, ValueError), pipe:
            while chunk := pipe.read(_TAIL):
                self._kept += chunk
                del self._kept[:-_TAIL]

    def last_line(self, seconds: float = 1.0) -> str:
        """Return the last line, of a process that ended; wait at most `seconds` for it."""
        self._thread.join(seconds)
        lines = bytes(self._kept).decode("utf-8", "replace").strip().splitlines()
        return lines[-1][-300:] if lines else "it said nothing"
