"""Zstandard files, which Python reads itself only from 3.14 on."""

import struct
from pathlib import Path
from typing import BinaryIO

import duckdb

from hfscan.errors import ImportFileError
from hfscan.sql import file_literal, literal

MAGIC = b"\x28\xb5\x2f\xfd"

_DICTIONARY_ID = (0, 1, 2, 4)  # bytes, by the flag in a frame's header
_CONTENT_SIZE = (0, 2, 4, 8)
_SKIPPABLE = range(0x184D2A50, 0x184D2A60)
_RUN = 1  # the type of a block that is one byte, many times


def is_complete(path: Path) -> bool:
    """Return whether a file ends where its last frame does (RFC 8878, section 3)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            while file.tell() < size:
                _skip_frame(file)
        except struct.error:
            return False
        return file.tell() == size


def unpack(path: Path, to: Path) -> None:
    """Unpack a file of text with DuckDB. Raises ImportFileError when it is damaged.

    It is copied line by line: neither JSON nor CSV has the control character that would split one.
    """
    layout = "quote='', escape='', delim='\x07'"
    try:
        with duckdb.connect() as connection:
            connection.execute(
                f"COPY (FROM read_csv({file_literal(path)}, auto_detect=false, {layout}, "
                "header=false, columns={'line': 'VARCHAR'}, compression='zstd', "
                "max_line_size=64000000, "
                f"new_line='\\n', strict_mode=false)) TO {literal(to)} "
                "(FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x07')"
            )
    except duckdb.Error as error:
        raise ImportFileError(
            f"{path} cannot be unpacked: {str(error).splitlines()[0]} "
            "Unpack it with `zstd -d`, and import what comes of it."
        ) from error


def _skip_frame(file: BinaryIO) -> None:
    """Move behind a frame. Raises struct.error where the file ends within its headers."""
    (magic,) = struct.unpack("<I", file.read(4))
    if magic in _SKIPPABLE:
        (size,) = struct.unpack("<I", file.read(4))
        file.seek(size, 1)
        return
    (descriptor,) = struct.unpack("<B", file.read(1))
    is_single_segment = descriptor >> 5 & 1
    content_size = _CONTENT_SIZE[descriptor >> 6] or is_single_segment
    file.seek((1 - is_single_segment) + _DICTIONARY_ID[descriptor & 3] + content_size, 1)
    is_last = 0
    while not is_last:
        low, high = struct.unpack("<HB", file.read(3))
        header = low | high << 16
        is_last, kind, size = header & 1, header >> 1 & 3, header >> 3
        file.seek(1 if kind == _RUN else size, 1)
    file.seek(4 * (descriptor >> 2 & 1), 1)  # a checksum
