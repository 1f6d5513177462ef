"""Convert files of any shape to lines of JSON, one model each, under the API's field names."""

import csv
import io
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from hfscan.errors import ImportFileError
from hfscan.fs import translate_os_errors
from hfscan.store.dump.files import EXPECTED, DumpFile, delimiter, open_text, reading
from hfscan.store.dump.names import IDS, match_fields, rename
from hfscan.store.dump.shapes import LARGEST_OBJECT, Unwrapper
from hfscan.text import sanitize

_decode_raw = msgspec.json.Decoder(msgspec.Raw).decode
_scan = json.JSONDecoder().raw_decode
_SPACE = re.compile(r"\s*")


@dataclass(frozen=True)
class Conversion:
    """Rows that were left out: larger than LARGEST_OBJECT, or damaged, so that they cannot be read.

    `partial`: by what they say themselves, the files hold a part of the rows that there are.
    """

    oversized: int = 0
    damaged: int = 0
    partial: bool = False


def convert(files: Sequence[DumpFile], to: Path) -> Conversion:
    """Write the models of `files` to the file `to`; return what was left out.

    Raises ImportFileError naming the file, and the line where one is to blame, when it cannot be
    read or holds something else than models. Raises StorageError when the disk is full.
    """
    oversized = damaged = models = announced = 0
    partial = False
    with translate_os_errors(to.parent), to.open("wb") as out:
        for file in files:
            unwrapper = Unwrapper()
            read = _csv_rows if file.kind == "csv" else _json_rows
            for row in read(file, to.parent, unwrapper):
                # between tokens a line break is a space, within text it is escaped
                out.write(msgspec.json.encode(row).replace(b"\n", b" ") + b"\n")
            if not unwrapper.models and (unwrapper.stranger or unwrapper.damaged):
                raise ImportFileError(
                    f"{file.path} holds no models, but {unwrapper.stranger or 'damaged text'}. "
                    f"{EXPECTED} Nothing was imported."
                )
            oversized += unwrapper.oversized
            damaged += unwrapper.damaged
            models += unwrapper.models
            announced = max(announced, unwrapper.announced)
            partial = partial or unwrapper.partial
    return Conversion(oversized, damaged, partial or models < announced)


def _json_rows(file: DumpFile, scratch: Path, unwrapper: Unwrapper) -> Iterator[object]:
    with reading(file.path), open_text(file, scratch) as text:
        for value in _values(text, file.path):
            yield from unwrapper.rows(value)


def _values(text: BinaryIO, path: Path) -> Iterator[bytes]:
    """Yield the JSON values of a text: one a line, or else one after another."""
    begun = False
    for number, line in enumerate(text, 1):
        value = line.strip()
        if not value:
            continue
        if not _is_json(value):
            if begun:
                raise ImportFileError(
                    f"{path}, line {number} is not valid JSON. Nothing was imported."
                )
            yield from _consecutive(line + text.read(), path, number)
            return
        begun = True
        yield value


def _consecutive(data: bytes, path: Path, first: int) -> Iterator[bytes]:
    """Yield the JSON values that stand in `data` one after another, from line `first` on."""
    data = data.strip()
    if _is_json(data):
        yield data
        return
    text = data.decode(errors="surrogateescape")
    end = 0
    while end < len(text):
        try:
            _, stop = _scan(text, end)
        except (json.JSONDecodeError, RecursionError) as error:
            place = getattr(error, "lineno", 1) + first - 1
            raise ImportFileError(
                f"{path}, line {place} is not valid JSON. Nothing was imported."
            ) from error
        yield text[end:stop].encode(errors="surrogateescape")
        end = _SPACE.match(text, stop).end()  # type: ignore[union-attr]


def _is_json(value: bytes) -> bool:
    try:
        _decode_raw(value)
    except (msgspec.DecodeError, RecursionError):
        if b"NaN" not in value and b"Infinity" not in value:  # Python writes these
            return False
        try:
            json.loads(value)
        except (ValueError, RecursionError):
            return False
    return True


def _csv_rows(file: DumpFile, scratch: Path, unwrapper: Unwrapper) -> Iterator[object]:
    csv.field_size_limit(sys.maxsize)
    with reading(file.path), open_text(file, scratch) as binary:
        lines = _Lines(binary)
        reader = csv.reader(lines, delimiter=delimiter(lines.last), strict=True)
        cells: list[str] = []
        try:
            names = next(reader)
            _check_header(names, file.path)
            for cells in reader:
                if len(cells) == len(names):
                    yield from _csv_row(names, cells, unwrapper)
                elif cells:
                    unwrapper.damaged += 1
        except csv.Error as error:
            raise ImportFileError(
                f"{file.path}, line {reader.line_num} is not valid CSV ({error}). "
                "Nothing was imported."
            ) from error
    if cells and len(cells) != len(names) and not lines.last.endswith(("\n", "\r")):
        raise ImportFileError(
            f"{file.path} ends within a row. Fetch it again. Nothing was imported."
        )


class _Lines:
    """The lines of a text; `last` is the line read last, at first the first."""

    def __init__(self, text: BinaryIO) -> None:
        self._text = io.TextIOWrapper(text, encoding="utf-8", newline="")
        self.last = self._text.readline()

    def __iter__(self) -> Iterator[str]:
        while True:
            yield self.last
            following = self._text.readline()
            if not following:
                return
            self.last = following


def _csv_row(names: list[str], cells: list[str], unwrapper: Unwrapper) -> Iterator[object]:
    if sum(map(len, cells)) > LARGEST_OBJECT // 8:  # as JSON they are up to six times as long
        unwrapper.oversized += 1
        return
    unwrapper.models += 1
    named = {name: cell or None for name, cell in zip(names, cells, strict=True) if name}
    yield rename(named, None)


def _check_header(names: list[str], path: Path) -> None:
    doubled = {name for name in names if name and names.count(name) > 1}
    if doubled:
        raise ImportFileError(
            f"{path} has two columns {sanitize(min(doubled))!r}. Rename one of them."
        )
    if not any(name in IDS for name in match_fields(tuple(names))):
        raise ImportFileError(
            f"{path} has no column of repo ids (id, modelId, _id); its columns are "
            f"{sanitize(', '.join(names), 200)}. {EXPECTED}"
        )
