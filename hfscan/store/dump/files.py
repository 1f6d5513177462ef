"""Find the files of a dump, recognize the form of each by its content, and open them."""

import codecs
import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, cast

from hfscan.errors import ImportFileError
from hfscan.store.dump import zstd
from hfscan.store.dump.names import IDS, canonical_name, match_fields
from hfscan.text import sanitize

Kind = Literal["json", "csv", "parquet"]

EXPECTED = (
    "Expected: JSON (a list of models, or one model a line), CSV with a header, or Parquet, "
    "with the fields of the Hub's API."
)
DELIMITERS = ",;\t|"

_SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv")
_PACKED = ("", ".gz", ".zst")
_NAMES = (*(suffix + packed for suffix in _SUFFIXES for packed in _PACKED), ".parquet")
_HEAD = 1 << 16  # bytes
_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_FOREIGN = {
    b"PK\x03\x04": "a zip archive (or an Excel workbook)",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"SQLite format 3": "an SQLite database",
    b"ARROW1": "an Arrow file",
    b"\xff\xff\xff\xff": "an Arrow stream",
    b"FEA1": "a Feather file",
    b"Obj\x01": "an Avro file",
    b"\x89HDF": "an HDF5 file",
    b"%PDF": "a PDF",
    **{bytes([0x80, protocol]): "a Python pickle" for protocol in range(2, 6)},
    b"version https://git-lfs": "a Git LFS pointer, not the file itself",
}


@dataclass(frozen=True)
class DumpFile:
    """A file of a dump, its content and its compression ('' if none).

    `head` is the beginning of its text, without a byte order mark; empty for zstd and Parquet.
    """

    path: Path
    kind: Kind
    packed: Literal["", ".gz", ".zst"]
    head: bytes
    marked: bool = False  # it begins with a byte order mark


def find(paths: Sequence[Path]) -> list[Path]:
    """Return the files that `paths` name; a folder stands for the dump files in it.

    Raises ImportFileError when a path is missing, or a folder holds none.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.glob("[!.]*") if _is_dump(file))
            if not inside:
                raise ImportFileError(f"{path} holds no {_known()} file.")
            found += inside
        elif not path.exists():
            raise ImportFileError(f"{path} does not exist.")
        elif not path.is_file():  # it is read several times
            raise ImportFileError(f"{path} is no regular file. Save what it gives as one.")
        else:
            found.append(path)
    return found


def digest(files: Sequence[Path]) -> str:
    """Return a digest of the content of files, independent of their order, names and folders.

    Raises ImportFileError when one cannot be read.
    """
    digests = []
    for file in files:
        with reading(file), file.open("rb") as opened:
            digests.append(hashlib.file_digest(opened, "sha256").hexdigest())
    return combine_digests(*digests)


def combine_digests(*digests: str) -> str:
    """Return the digest of files that have these digests (hexadecimal)."""
    return hashlib.sha256(b"".join(sorted(map(bytes.fromhex, digests)))).hexdigest()


def inspect(path: Path) -> DumpFile:
    """Return what a file holds, by its content and not by its name. Raises ImportFileError."""
    with reading(path), path.open("rb") as file:
        raw = file.read(_HEAD)
        if raw.startswith(_PARQUET):
            file.seek(-4, io.SEEK_END)
            if file.tell() < 8 or file.read(4) != _PARQUET:
                raise ImportFileError(
                    f"{path} is a Parquet file that ends too early. Fetch it again."
                )
            return DumpFile(path, "parquet", "", b"")
    if raw.startswith(zstd.MAGIC):
        if not zstd.is_complete(path):
            raise ImportFileError(f"{path} is a damaged zstd file. Fetch it again.")
        return DumpFile(path, "csv" if _is_csv_name(path) else "json", ".zst", b"")
    packed: Literal["", ".gz"] = ".gz" if raw.startswith(_GZIP) else ""
    if packed:
        with reading(path), gzip.open(path) as unpacked:
            raw = unpacked.read(_HEAD)
    marked = raw.startswith((codecs.BOM_UTF8, *_UTF16))
    if raw.startswith(_UTF16):
        raw = raw[: len(raw) & ~1].decode("utf-16", "replace").encode()
    head = raw.removeprefix(codecs.BOM_UTF8).lstrip()
    return DumpFile(path, _kind(path, head), packed, head, marked)


def inspect_all(paths: Sequence[Path]) -> list[DumpFile]:
    """Inspect each file. Raises ImportFileError, also where Parquet and text are mixed."""
    found = [inspect(path) for path in paths]
    if len({file.kind == "parquet" for file in found}) > 1:
        raise ImportFileError("JSON and Parquet files cannot be one snapshot; import them apart.")
    return found


def is_plain(file: DumpFile) -> bool:
    """Return whether DuckDB can read a file directly, judged by its beginning and end.

    That is JSON of objects or one list of objects, under the API's names; the file's name states
    its compression.
    """
    suffix = file.path.suffix if file.path.suffix in _PACKED else ""
    if file.kind != "json" or file.marked or file.packed != suffix:
        return False
    if file.packed == ".zst":
        return True  # not looked into
    is_list = file.head.startswith(b"[")
    text = file.head[is_list:].lstrip().decode(errors="ignore")
    try:
        first, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        first = None  # an object larger than the head, or an empty list
    if first is not None and not (isinstance(first, dict) and _is_canonical(first)):
        return False
    # DuckDB accepts a list that is cut off after a comma
    return not is_list or _last_byte(file) == b"]"


def _is_canonical(fields: dict[str, object]) -> bool:
    named = any(isinstance(fields.get(name), str) for name in IDS)
    return named and all(canonical_name(key) == key for key in fields)


def _last_byte(file: DumpFile) -> bytes:
    """Return the last byte of a text that is no white space."""
    last = b""
    with reading(file.path), _open(file) as text:
        if not file.packed:
            text.seek(max(0, text.seek(0, io.SEEK_END) - _HEAD))
        while chunk := text.read(1 << 20):
            last = chunk[-_HEAD:].rstrip()[-1:] or last
    return last


def _open(file: DumpFile) -> BinaryIO:
    return cast(BinaryIO, gzip.open(file.path)) if file.packed else file.path.open("rb")


def _kind(path: Path, head: bytes) -> Kind:
    """Return what the text of a file is. Raises ImportFileError where it is no dump."""
    if not head:
        raise ImportFileError(f"{path} is empty. {EXPECTED}")
    if head[:1] in b"[{":
        return "json"
    if head[:1] == b"<":
        raise ImportFileError(
            f"{path} holds HTML or XML, not models: perhaps an error page. {EXPECTED}"
        )
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise ImportFileError(f"{path} is {what}. {EXPECTED}")
    if _is_csv_name(path) or has_header(head):
        return "csv"
    start = sanitize(head[:40].decode(errors="replace"))
    raise ImportFileError(f"{path} is none of {_known()}: it begins with {start!r}. {EXPECTED}")


def has_header(head: bytes) -> bool:
    """Return whether a text begins with a CSV header that names the models' ids."""
    line = head.split(b"\n", 1)[0].decode(errors="replace")
    names = [name.strip(' "\r') for name in line.split(delimiter(line))]
    return any(name in IDS for name in match_fields(tuple(names)))


def delimiter(line: str) -> str:
    return max(DELIMITERS, key=line.count)


@contextmanager
def open_text(file: DumpFile, scratch: Path) -> Iterator[BinaryIO]:
    """Open a file's text as UTF-8 without a byte order mark. Files in `scratch` may be made."""
    if file.packed == ".zst":
        unpacked = scratch / "unpacked"
        zstd.unpack(file.path, unpacked)
        file = inspect(unpacked)
    with _open(file) as opened:
        if not file.marked:
            yield opened
            return
        mark = opened.read(2)
        if mark in _UTF16:
            yield io.BytesIO((mark + opened.read()).decode("utf-16").encode())
        else:
            opened.read(1)
            yield opened


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Raise ImportFileError where a file cannot be read, or its packing is damaged."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ImportFileError(
            f"{path} is a damaged gzip file ({error}). Fetch it again. Nothing was imported."
        ) from error
    except UnicodeError as error:
        raise ImportFileError(
            f"{path} is not UTF-8 text ({error}). Nothing was imported."
        ) from error
    except OSError as error:
        raise ImportFileError(f"{path} cannot be read: {error.strerror or error}.") from error


def _is_dump(path: Path) -> bool:
    return path.is_file() and path.name.lower().endswith(_NAMES)


def _is_csv_name(path: Path) -> bool:
    return any(suffix.lower() in {".csv", ".tsv"} for suffix in path.suffixes)


def _known() -> str:
    return f"{', '.join(_SUFFIXES)} (also .gz, .zst) or .parquet"
