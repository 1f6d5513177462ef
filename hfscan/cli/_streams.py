"""Replace stdout and stderr by streams that never cause a traceback.

Characters that the encoding lacks are escaped; an ASCII stream becomes UTF-8. A failed write to
stdout raises StorageError, or PipeClosedError if the reader closed the pipe. A failed write to
stderr is ignored: it cannot be reported.
"""

import codecs
import errno
import io
import os
import sys
from typing import TextIO

from hfscan.errors import StorageError


class PipeClosedError(Exception):
    """The reader of stdout closed its end of the pipe."""


class _Stdout(io.RawIOBase):
    """Raw stdout. Reports the first failed write and ignores the following ones."""

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
            raise PipeClosedError from error
        raise StorageError(
            f"Cannot write to standard output: {error.strerror or error}. Redirect it elsewhere or "
            "free some disk space, then run the command again."
        ) from error

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._open.fileno()

    @property
    def _open(self) -> io.RawIOBase:
        if self._raw is None:
            raise OSError(errno.EBADF, "the stream is closed")
        return self._raw

    def isatty(self) -> bool:
        return self._raw is not None and self._raw.isatty()


class _Stderr(_Stdout):
    def _report(self, error: OSError) -> None:
        pass


def install() -> None:
    """Replace `sys.stdout` and `sys.stderr`."""
    for number in range(3):  # a file opened later must not get the number of a closed stream
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = _wrap(sys.stdout, _Stdout)
    sys.stderr = _wrap(sys.stderr, _Stderr)


def _wrap(stream: TextIO | None, kind: type[_Stdout]) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):  # None: closed; other types: replaced by tests
        return stream or io.TextIOWrapper(_buffered(kind(None)), encoding="utf-8")
    stream.flush()
    raw = getattr(stream.buffer, "raw", stream.buffer)
    # ASCII means that no locale is set; use UTF-8 as click does
    is_ascii = codecs.lookup(stream.encoding).name == "ascii"
    return io.TextIOWrapper(
        _buffered(kind(raw)),
        encoding="utf-8" if is_ascii else stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=True,  # click may write to the same buffer directly
    )


def _buffered(raw: io.RawIOBase) -> io.BufferedWriter:
    return io.BufferedWriter(raw)


def output(format_: str) -> TextIO:
    """Return stdout; for data formats, switched to UTF-8 as in files."""
    if format_ not in {"terminal", "text"} and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    return sys.stdout
