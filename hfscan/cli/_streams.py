"""Standard output and error that never end in a traceback, whatever they are connected to.

Text that an encoding missing_columns is escaped; ASCII becomes UTF-8. A failed write to stdout
raises StorageError, or ReaderLeft where the reader closed a pipe; one to stderr is dropped, for
there is nobody left to tell.
"""

import codecs
import errno
import io
import os
import sys
from typing import TextIO

from hfscan.errors import StorageError


class ReaderLeft(Exception):  # noqa: N818 - a reason to stop, not an error
    """The reader of stdout closed its end of the pipe."""


class _Stdout(io.RawIOBase):
    """Stdout's bytes. Only the first failed write is reported; what follows it is dropped."""

    def __init__(self, raw: io.RawIOBase | None) -> None:
        self._raw = raw
        self._failed = False

    def write(self, data: "bytes | memoryview[int]") -> int | None:  # type: ignore[override]
        if self._failed:
            return len(data)
        try:
            return self._open.write(data)
        except OSError as error:
            self._failed = True
            self._report(error)
            return len(data)

    def _report(self, error: OSError) -> None:
        if error.errno in {errno.EPIPE, errno.ESHUTDOWN}:
            raise ReaderLeft from error
        raise StorageError(
            f"The standard output cannot be written: {error.strerror or error}. Send it elsewhere, "
            "or free some space, and run the same command again."
        ) from error

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._open.fileno()

    @property
    def _open(self) -> io.RawIOBase:
        if self._raw is None:
            raise OSError(errno.EBADF, "it is closed")
        return self._raw

    def isatty(self) -> bool:
        return self._raw is not None and self._raw.isatty()


class _Stderr(_Stdout):
    def _report(self, error: OSError) -> None:
        pass


def guard() -> None:
    """Put guarded streams in the place of `sys.stdout` and `sys.stderr`."""
    for number in range(3):  # else a file opened later would be taken for a closed stream
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = _guarded(sys.stdout, _Stdout)
    sys.stderr = _guarded(sys.stderr, _Stderr)


def _guarded(stream: TextIO | None, kind: type[_Stdout]) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):  # None: closed; else something put in its place
        return stream or io.TextIOWrapper(_buffered(kind(None)), encoding="utf-8")
    stream.flush()
    raw = getattr(stream.buffer, "raw", stream.buffer)
    # ASCII is what a missing locale looks like: UTF-8 then, as click writes
    is_ascii = codecs.lookup(stream.encoding).name == "ascii"
    return io.TextIOWrapper(
        _buffered(kind(raw)),
        encoding="utf-8" if is_ascii else stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=True,  # click may write to the same buffer past this object
    )


def _buffered(raw: io.RawIOBase) -> io.BufferedWriter:
    return io.BufferedWriter(raw)


def output(format_: str) -> TextIO:
    """Return stdout for a format: data is UTF-8 wherever it goes, as it is in a file."""
    if format_ not in {"terminal", "text"} and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    return sys.stdout
