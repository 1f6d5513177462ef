"""Write files atomically, and keep logs with checksums.

Every line of such a log carries its CRC-32. A damaged line counts as missing.
"""

import contextlib
import errno
import os
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from hfscan.errors import StorageError, Wording
from hfscan.paths import follow_link

_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


def _find_target(path: Path) -> Path:
    """Return what a link leads to. Raises OSError for a link that leads back to itself."""
    target = follow_link(path)
    if target.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return target


def write_output(path: Path, content: str | bytes, *, advice: str = "choose another place") -> None:
    """Write a file for a user, text in UTF-8, atomically; make its folder where it is missing.

    What is no regular file, such as a pipe, is written to as it is. Raises StorageError, which ends
    with what else the user may do: `advice`.
    """
    data = content.encode() if isinstance(content, str) else content
    with translate_os_errors(path, advice):
        target = _find_target(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and not target.is_file():
            target.write_bytes(data)
        else:
            atomic_write(target, data)


def check_writable(path: Path) -> None:
    """Make the folder of a user's file; raise StorageError if the file cannot be written there."""
    with translate_os_errors(path, "choose another place"):
        target = _find_target(path)
        is_new = not target.exists()
        target.parent.mkdir(parents=True, exist_ok=True)
        target.open("ab").close()
        if is_new:
            target.unlink()


def append_output(path: Path, text: str) -> None:
    """Add text to the end of a user's file, as atomically as `write_output`."""
    with translate_os_errors(path, "choose another file"):
        if path.exists() and not path.is_file():
            path.write_bytes(text.encode())
            return
        target = _find_target(path)
        before = target.read_bytes() if target.exists() else b""
        atomic_write(target, before + text.encode())


def atomic_write(path: Path, data: bytes) -> None:
    """Write a file so that readers see either the old content or all of the new one."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")  # two processes may write the same
    try:
        with part.open("wb") as file:
            file.write(data)
            sync(file)
        with contextlib.suppress(OSError):
            shutil.copymode(path, part)
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise
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
    return [line for stored in data.split(b"\n") if (line := strip_checksum(stored)) is not None]


def add_checksum(line: bytes) -> bytes:
    """Return the line with its CRC-32 in front and a newline at its end."""
    return b"%08x %s\n" % (zlib.crc32(line), line)


def strip_checksum(line: bytes) -> bytes | None:
    """Return the line without its checksum; None where the two do not match."""
    checksum, _, data = line.rstrip(b"\n").partition(b" ")
    return data if checksum == b"%08x" % zlib.crc32(data) else None


def sync(file: BinaryIO) -> None:
    """Flush a file to the disk."""
    file.flush()
    os.fsync(file.fileno())


NAME_DATABASE = Wording("name a database elsewhere with --db", "name a database elsewhere")
"""Advice where the folder of a database cannot be written."""


@contextlib.contextmanager
def translate_os_errors(folder: Path, advice: str | Wording = NAME_DATABASE) -> Iterator[None]:
    """Raise StorageError, with advice, where the disk is full or the folder cannot be written."""
    try:
        yield
    except OSError as error:
        message: tuple[str | Wording, ...]
        if error.errno in _FULL:
            message = (f"The disk that holds {folder} is full. Free some space",)
        elif (file := _find_file_on_way(folder, error)) is not None:
            message = (f"{file} is a file, not a folder: ", advice)
        elif error.errno == errno.ENOENT and _has_folder(error, folder):
            message = (f"No file can be made in {Path(error.filename).parent}: ", advice)
        elif error.errno == errno.ENOENT and not folder.exists():
            message = (f"{folder} is not there. Make the folder, or ", advice)
        else:
            reason = error.strerror or error
            message = (f"{folder} cannot be written: {reason}. Make it writable, or ", advice)
        raise StorageError(
            *message, ", and run the same command again. Stored data is not affected."
        ) from error


def _find_file_on_way(path: Path, error: OSError) -> Path | None:
    """Return what is no folder although the path leads through it; None if there is none."""
    is_folder = error.errno in (errno.EEXIST, errno.ENOTDIR)  # as it was to be made, or held a file
    with contextlib.suppress(OSError):
        for parent in reversed([*[path][:is_folder], *path.parents]):
            if parent.exists() and not parent.is_dir():
                return parent
    return None


def _has_folder(error: OSError, folder: Path) -> bool:
    """Return whether a new file failed in a folder that is there, as in /proc."""
    if not isinstance(error.filename, str | bytes):
        return False
    missing = Path(os.fsdecode(error.filename))
    return missing != folder and missing.parent.is_dir()
