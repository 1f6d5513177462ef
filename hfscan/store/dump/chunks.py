"""Parts of Parquet files: which bytes hold the columns that a snapshot stores."""

import contextlib
import hashlib
import struct
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from hfscan.errors import ImportFileError
from hfscan.objectid import HUB_START
from hfscan.sql import file_literal, identifier
from hfscan.store.database import Store
from hfscan.store.duckdb_errors import first_line, is_full, translate_errors
from hfscan.store.dump.columns import Kinds, match_typed_fields, read_kinds
from hfscan.store.dump.fields import FIELDS
from hfscan.store.dump.files import combine_digests
from hfscan.store.dump.names import IDS, match_fields
from hfscan.store.kinds import TELLTALE_FIELDS
from hfscan.text import sanitize
from hfscan.timestamps import to_utc_naive

FOOTER_BYTES = 1 << 16
"""Bytes at the end of a file that usually contain its footer."""
_TAIL = 8  # the footer's length and the magic bytes
_MAX_FOOTER = 256 << 20
_MAX_GAP = 1 << 20  # bytes that are read in vain rather than by another request
_MAX_RANGE = 32 << 20

Range = tuple[int, int]
"""Bytes [start, stop) of a file."""


def footer_start(tail: bytes, size: int) -> int:
    """Return where the footer of a Parquet file of `size` bytes begins, by its last bytes.

    Raises ImportFileError where they are not the end of a Parquet file.
    """
    if len(tail) < _TAIL or tail[-4:] != b"PAR1":
        raise ImportFileError("It is not a Parquet file, or it ends too early.")
    (length,) = struct.unpack("<I", tail[-_TAIL:-4])
    if length > min(size - _TAIL, _MAX_FOOTER):
        raise ImportFileError("It is a damaged Parquet file.")
    return size - _TAIL - int(length)


@contextlib.contextmanager
def reading_parquet() -> Iterator[None]:
    """Raise ImportFileError where DuckDB cannot read the Parquet file of a block."""

    def translate(error: duckdb.Error) -> Exception:
        is_other = isinstance(error, duckdb.InterruptException | duckdb.OutOfMemoryException)
        if is_other or is_full(error):
            return error
        return ImportFileError(f"It is a damaged Parquet file ({first_line(error)}).")

    with translate_errors(translate):
        yield


def stored_columns(store: Store, file: Path) -> Kinds:
    """Return name -> type of the file's columns that hold fields of a snapshot.

    Also those that lists of datasets and spaces have. Raises ImportFileError where no column names
    the models.
    """
    kinds = read_kinds(store, f"read_parquet({file_literal(file)})")
    fields = match_fields(tuple(kinds))
    if not any(name in fields for name in IDS):
        raise ImportFileError(
            "It has no column of repo ids (id, modelId, _id); the columns are "
            f"{sanitize(', '.join(kinds), 200)}."
        )
    return {
        column: kinds[column]
        for field, columns in fields.items()
        if field in FIELDS or field in TELLTALE_FIELDS
        for column in columns
    }


def list_chunks(store: Store, file: Path, columns: Kinds) -> list[Range]:
    """Return the bytes that hold the stored parts of these columns, in order.

    Those close together are one range. Raises ImportFileError where they lie outside of the file.
    """
    typed = match_typed_fields(columns)
    fields = match_fields(tuple(columns))
    paths = [
        path
        for name, holders in fields.items()
        for path in (typed[name].paths if name in typed else holders)
    ]
    chunks = store.execute(
        # some writers give no dictionary the offset 0
        "SELECT coalesce(nullif(dictionary_page_offset, 0), data_page_offset) AS start, "
        "start + total_compressed_size "
        f"FROM parquet_metadata({file_literal(file)}) "
        "WHERE list_bool_or(list_transform($paths, lambda path: path_in_schema = path "
        "OR starts_with(path_in_schema, path || ', '))) ORDER BY start",
        {"paths": paths},
    )
    merged: list[Range] = []
    size = file.stat().st_size
    for start, stop in chunks.fetchall():
        if not 0 <= start <= stop <= size:
            raise ImportFileError("It is a damaged Parquet file: columns lie outside of it.")
        if merged and start - merged[-1][1] <= _MAX_GAP:
            merged[-1] = merged[-1][0], max(merged[-1][1], stop)
        else:
            merged.append((start, stop))
    return merged


def split_range(start: int, stop: int) -> Iterable[Range]:
    """Yield parts of a range that are small enough for one request."""
    for first in range(start, stop, _MAX_RANGE):
        yield first, min(first + _MAX_RANGE, stop)


def content_digest(content: str) -> str:
    """Return the digest of a file by the id that the Hub gives its content.

    For a SHA-256 it is that of the file itself. git's ids (SHA-1) have digests of their own.
    """
    is_sha256 = len(content) == 2 * hashlib.sha256().digest_size
    return combine_digests(content if is_sha256 else hashlib.sha256(content.encode()).hexdigest())


def find_newest(store: Store, file: Path, columns: Kinds, latest: datetime) -> datetime | None:
    """Return the newest date of a model up to `latest` (UTC): the content is as old as that.

    None where the file has no such date; dates before the Hub began stand for none.
    """
    found = match_fields(tuple(columns))
    names = [*found.get("lastModified", ()), *found.get("createdAt", ())]
    if not names:
        return None
    newest = ", ".join(
        f"max(date{number}) FILTER (date{number} BETWEEN $earliest AND $latest)"
        for number in range(len(names))
    )
    dates = ", ".join(
        f"TRY_CAST({_date(name, columns[name])} AS TIMESTAMPTZ) AT TIME ZONE 'UTC' AS date{number}"
        for number, name in enumerate(names)
    )
    instant: datetime | None
    (instant,) = store.fetch_one(
        f"SELECT greatest({newest}) FROM (SELECT {dates} FROM read_parquet({file_literal(file)}))",
        {"earliest": to_utc_naive(HUB_START), "latest": to_utc_naive(latest)},
    )
    return None if instant is None else instant.replace(tzinfo=UTC)


def _date(column: str, kind: Any) -> str:
    text = identifier(column)
    return text if kind.id.startswith("timestamp") else f"{text}::VARCHAR"
