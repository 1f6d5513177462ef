"""Protect the blocks of metadata, which DuckDB overwrites, from a kill while it does so.

A checkpoint writes rows to free blocks and then a header that refers to them. But metadata go into
blocks that are partly used already, and DuckDB writes the whole of these again, 256 KB each. A kill
or a power failure in the middle leaves a block with a wrong checksum, and DuckDB then refuses it.
So these blocks are copied to a file beside the database before each transaction.
"""

import contextlib
import os
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import duckdb
import msgspec

from hfscan.fs import atomic_write, sync
from hfscan.paths import blocks_file
from hfscan.store.schema import SETTINGS
from hfscan.store.shared_file import open_shared

_HEADERS = 3 * 4096  # bytes at the start of a database; a checkpoint changes them at its end
_CHECKSUM = struct.Struct("<L")  # CRC-32, in front of everything else in the copy
_Content = tuple[bytes, dict[int, bytes]]  # of the copy: the headers, and place (byte) -> block
_BLOCKS = """
    SELECT block_id, block_size FROM pragma_metadata_info(), pragma_database_size()
    WHERE pragma_metadata_info.free_blocks > 0 AND database_name = current_database()
    ORDER BY block_id"""
_TORN = re.compile(r"Corrupt database file: .*checksum.* in block at location (\d+)")


@contextlib.contextmanager
def protect(path: Path) -> Iterator["MetadataBlocks"]:
    """Yield the blocks of a database. Enter before connecting, leave when that is closed.

    The copy is then removed, unless changes are left that the next process must write.
    """
    with open_shared(path) as file:
        try:
            yield MetadataBlocks(path, file)
        finally:
            if not path.with_name(path.name + ".wal").exists():
                with contextlib.suppress(OSError):
                    blocks_file(path).unlink(missing_ok=True)


class MetadataBlocks:
    """The blocks of one database that is open for writing."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file = path, file

    def save(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Copy the blocks that the next checkpoint can overwrite, if the disk has room."""
        file = self._file.fileno()
        blocks = {}
        for block, size in connection.execute(_BLOCKS).fetchall():
            place = _HEADERS + block * size
            blocks[place] = os.pread(file, size, place)
        content: _Content = os.pread(file, _HEADERS, 0), blocks
        copy = msgspec.msgpack.encode(content)
        with contextlib.suppress(OSError):  # a full disk must not prevent that models are deleted
            atomic_write(blocks_file(self._path), _CHECKSUM.pack(zlib.crc32(copy)) + copy)


def find_torn_block(path: Path) -> int | None:
    """Return the place of a block of metadata that DuckDB refuses, None if there is none."""
    try:
        with duckdb.connect(path.absolute(), read_only=True, config=SETTINGS) as connection:
            for (table,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
                connection.execute("SELECT count(*) FROM pragma_storage_info(?)", [table])
    except duckdb.Error as error:
        torn = _TORN.search(str(error))
        return torn and int(torn[1])
    return None


def restore_block(path: Path, place: int) -> bool:
    """Write the block at a place (byte) back from the copy; return whether that changed it.

    The copy is not used if it is damaged, or if a checkpoint was finished since. The caller holds
    the lock of the database. Raises OSError.
    """
    data = blocks_file(path).read_bytes()
    checksum, copy = data[: _CHECKSUM.size], data[_CHECKSUM.size :]
    if checksum != _CHECKSUM.pack(zlib.crc32(copy)):
        return False
    headers, blocks = msgspec.msgpack.decode(copy, type=_Content)
    with path.open("r+b") as file:
        if place not in blocks or file.read(_HEADERS) != headers:
            return False
        file.seek(place)
        if file.read(len(blocks[place])) == blocks[place]:
            return False
        file.seek(place)
        file.write(blocks[place])
        sync(file)
    return True
