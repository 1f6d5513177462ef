"""Protect the blocks of metadata, which DuckDB overwrites, from a kill while it does so.

A checkpoint writes rows to free blocks and then a header that refers to them. But metadata go into
blocks that are partly used already, and DuckDB writes the whole of these again, 256 KB each. A kill
or a power failure in the middle leaves a block with a wrong checksum, and DuckDB then refuses the
file. So these blocks are copied to a file beside the database before each transaction.
"""

import os
import struct
import zlib
from pathlib import Path

import duckdb

from hfscan.fs import atomic_write
from hfscan.paths import blocks_file

_HEADERS = 3 * 4096  # bytes at the start of a database; a checkpoint changes them at its end
_CHECKSUM = struct.Struct("<L")  # CRC-32, in front of everything else in the copy
_PLACE = struct.Struct("<QQ")  # offset and size of a block, in front of its content
_BLOCKS = """
    SELECT block_id, block_size FROM pragma_metadata_info(), pragma_database_size()
    WHERE pragma_metadata_info.free_blocks > 0 AND database_name = current_database()
    ORDER BY block_id"""


class MetadataBlocks:
    """The blocks of one database; make it before connecting, and close it after the connection.

    It keeps the file open: closing it would end the lock that DuckDB holds (POSIX).
    """

    def __init__(self, path: Path) -> None:
        self._copy = blocks_file(path)
        self._wal = path.with_name(path.name + ".wal")
        self._file = path.open("rb", buffering=0)

    def save(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Copy the blocks that the next checkpoint can overwrite. Raises OSError."""
        parts = [self._read(0, _HEADERS)]
        for block, size in connection.execute(_BLOCKS).fetchall():
            offset = _HEADERS + block * size
            content = self._read(offset, size)
            parts += [_PLACE.pack(offset, len(content)), content]
        copy = b"".join(parts)
        atomic_write(self._copy, _CHECKSUM.pack(zlib.crc32(copy)) + copy)

    def _read(self, offset: int, size: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(size)

    def close(self) -> None:
        """Remove the copy, unless changes are left that the next process must write."""
        if not self._wal.exists():
            self._copy.unlink(missing_ok=True)
        self._file.close()


def restore(path: Path) -> None:
    """Write the blocks of a database back that a killed process may have left unfinished.

    Nothing is done where the process finished a checkpoint after it had copied them, nor with a
    damaged copy. The caller holds the lock of the database. Raises OSError.
    """
    data = blocks_file(path).read_bytes()
    checksum, copy = data[: _CHECKSUM.size], data[_CHECKSUM.size :]
    if checksum != _CHECKSUM.pack(zlib.crc32(copy)):
        return
    with path.open("r+b") as file:
        if file.read(_HEADERS) != copy[:_HEADERS]:
            return
        position = _HEADERS
        while position < len(copy):
            offset, size = _PLACE.unpack_from(copy, position)
            position += _PLACE.size
            content = copy[position : position + size]
            position += size
            file.seek(offset)
            if file.read(size) != content:
                file.seek(offset)
                file.write(content)
        file.flush()
        os.fsync(file.fileno())
