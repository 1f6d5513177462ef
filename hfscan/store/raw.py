"""Recorded API objects, however they are filed, as one relation.

It has the columns `json` (the object), `types` (of FIELDS in it, NULL where one is not there) and
`unknown` (its keys that the contract does not know).
"""

import gzip
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import duckdb
import msgspec

from hfscan.errors import DumpError
from hfscan.quoting import identifier, literal

FIELDS: dict[str, tuple[str, ...]] = {
    "_id": ("VARCHAR",),
    "id": ("VARCHAR",),
    "modelId": ("VARCHAR",),
    "author": ("VARCHAR",),
    "createdAt": ("VARCHAR",),
    "lastModified": ("VARCHAR",),
    "sha": ("VARCHAR",),
    "tags": ("ARRAY",),
    "library_name": ("VARCHAR",),
    "pipeline_tag": ("VARCHAR",),
    "downloads": ("UBIGINT", "BIGINT"),
    "downloadsAllTime": ("UBIGINT", "BIGINT"),
    "likes": ("UBIGINT", "BIGINT"),
    "gated": ("BOOLEAN", "VARCHAR"),
    "disabled": ("BOOLEAN",),
    "private": ("BOOLEAN",),
    "siblings": ("ARRAY",),
    "baseModels": ("OBJECT",),
    "safetensors": ("OBJECT",),
    "gguf": ("OBJECT",),
    "config": ("OBJECT",),
}
"""Each field kept -> the JSON types it may have, in DuckDB's names (`json_type`)."""

NOT_KEPT = frozenset({"trendingScore", "cardData", "transformersInfo", "widgetData", "spaces",
    "mask_token", "model-index", "inference", "inferenceStatus", "resourceGroup", "usedStorage",
    "evalResults", "inferenceProviderMapping", "childrenModelCount", "xetEnabled", "gitalyUid",
    "securityStatus"})  # fmt: skip
"""Fields of the contract that a census has no use for."""

_NESTED: dict[str, object] = {
    "tags": ["VARCHAR"],
    "siblings": [{"rfilename": "VARCHAR"}],
    "baseModels": {"models": [{"id": "VARCHAR"}], "relation": "VARCHAR"},
    "safetensors": {"total": "BIGINT"},
    "gguf": {"total": "BIGINT"},
    "config": {"model_type": "VARCHAR", "architectures": ["VARCHAR"]},
}

SHAPE: dict[str, object] = {name: _NESTED.get(name, types[-1]) for name, types in FIELDS.items()}
"""The contract's object as `json_transform` takes it: what is kept of each field."""

_SUFFIXES = (".json", ".jsonl", ".ndjson")
_COMPRESSED = ("", ".gz", ".zst")
_SMALLEST_BOUND, _LARGEST_OBJECT = 1 << 20, 16 << 20  # bytes; 16 MiB hold 250,000 file names


def find(paths: Sequence[Path]) -> list[Path]:
    """Return the dump files that `paths` name; a folder stands for the dump files in it.

    Raises DumpError when a path is missing, or a folder holds none.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.iterdir() if file.is_file() and _kind(file))
            if not inside:
                raise DumpError(f"{path} holds no {_known()} file.")
            found += inside
        elif not path.exists():
            raise DumpError(f"{path} does not exist.")
        elif not _kind(path):
            raise DumpError(f"{path} is none of {_known()}; convert it first.")
        else:
            found.append(path)
    if len({_kind(path) for path in found}) > 1:
        raise DumpError("JSON and Parquet files cannot be one observation; import them apart.")
    return found


def digest(files: Sequence[Path]) -> str:
    """Return a digest of what the files hold, whatever their order, names and places.

    Raises DumpError when one cannot be read.
    """
    digests = []
    for file in files:
        try:
            with file.open("rb") as opened:
                digests.append(hashlib.file_digest(opened, "sha256").digest())
        except OSError as error:
            raise DumpError(f"{file} cannot be read: {error.strerror}.") from error
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()


def relation(connection: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> str:
    """Return SQL that reads `files`, all JSON or all Parquet.

    Raises DumpError when a Parquet file cannot be opened.
    """
    if _kind(files[0]) == "json":
        # what `unknown` holds is rare, and costs more than to see whether there is any
        known = ", ".join(map(literal, (*FIELDS, *NOT_KEPT)))
        objects = (
            f"read_json_objects({_list(files)}, format='auto', maximum_object_size={_bound(files)})"
        )
        return f"""
            SELECT *, CASE WHEN len(json_keys(json)) > list_count(types)
                THEN list_filter(json_keys(json), lambda key: key NOT IN ({known})) END AS unknown
            FROM ({_typed(objects)})"""
    table = f"read_parquet({_list(files)}, union_by_name=true)"
    fields = {field.lower(): field for field in FIELDS}
    columns, unknown = [], []
    for column, kind, *_ in connection.execute(f"DESCRIBE SELECT * FROM {table}").fetchall():
        field = fields.get(column.lower())
        if field is not None:
            as_text = kind.upper() == "VARCHAR" and field in _NESTED  # objects kept as JSON text
            value = f"TRY_CAST({identifier(column)} AS JSON)" if as_text else identifier(column)
            columns.append(f"{identifier(field)} := {value}")
        elif column not in NOT_KEPT:
            unknown.append(f"CASE WHEN {identifier(column)} IS NOT NULL THEN {literal(column)} END")
    objects = f"""(
        SELECT to_json(struct_pack({", ".join(columns)})) AS json,
            list_filter([{", ".join(unknown)}]::VARCHAR[], lambda key: key IS NOT NULL) AS unknown
        FROM {table})"""
    return _typed(objects)


def _typed(objects: str) -> str:
    """Return SQL for a relation that has `types` beside its columns."""
    fields = ", ".join(literal(f"$.{field}") for field in FIELDS)
    return f"SELECT *, json_type(json, [{fields}]) AS types FROM {objects}"


def first_bad_line(files: Sequence[Path]) -> str | None:
    """Return "FILE, line N" of the first line that is no JSON; None where no line can be blamed.

    DuckDB names a line too, but may be one off.
    """
    for file in files:
        if ".jsonl" not in file.suffixes and ".ndjson" not in file.suffixes:
            continue
        opener = {".gz": gzip.open, ".zst": None}.get(file.suffix, open)
        if opener is None:  # no reader for it below Python 3.14
            continue
        with opener(file, "rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    msgspec.json.decode(line, type=msgspec.Raw)
                except msgspec.DecodeError:
                    if line.strip():
                        return f"{file}, line {number}"
    return None


def _bound(files: Sequence[Path]) -> int:
    """Return bytes that no object exceeds, as none is larger than its file.

    Readers hold several times as much. A gzip file ends with its unpacked size; that of its last
    member, where it has several, and then it is large.
    """
    most = _SMALLEST_BOUND
    for file in files:
        size = file.stat().st_size
        if file.suffix == ".gz" and size > 4:
            with file.open("rb") as packed:
                packed.seek(-4, os.SEEK_END)
                size = max(8 * size, int.from_bytes(packed.read(4), "little"))
        most = max(most, _LARGEST_OBJECT if file.suffix == ".zst" else size)
    return min(most, _LARGEST_OBJECT)


def _kind(path: Path) -> str | None:
    name = path.name.lower()
    if name.endswith(".parquet"):
        return "parquet"
    return "json" if name.endswith(tuple(s + c for s in _SUFFIXES for c in _COMPRESSED)) else None


def _known() -> str:
    return f"{', '.join(_SUFFIXES)} (also .gz, .zst) or .parquet"


def _list(files: Sequence[Path]) -> str:
    return f"[{', '.join(literal(file) for file in files)}]"
