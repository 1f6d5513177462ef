"""Recorded API objects, however they are filed, as one relation `raw` of JSON columns."""

import gzip
import hashlib
from collections.abc import Sequence
from pathlib import Path

import duckdb
import msgspec

from hfscan.errors import DumpError

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

_NESTED = {name for name, types in FIELDS.items() if types[0] in ("ARRAY", "OBJECT")}
_SUFFIXES = (".json", ".jsonl", ".ndjson")
_COMPRESSED = ("", ".gz", ".zst")
_LARGEST_OBJECT = 32 << 20  # bytes; repositories list their files without bound


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
    """Return SQL that reads `files` (all JSON or all Parquet) as the columns of `FIELDS`.

    Raises DumpError when a Parquet file cannot be opened.
    """
    if _kind(files[0]) == "json":
        return f"SELECT * FROM {_read_json('read_json', files, FIELDS)}"
    have = {
        column.lower(): (column, kind.upper())
        for column, kind, *_ in connection.execute(
            f"DESCRIBE SELECT * FROM read_parquet({_list(files)}, union_by_name=true)"
        ).fetchall()
    }
    columns = []
    for field in FIELDS:
        column, kind = have.get(field.lower(), (None, ""))
        if column is None:
            value = "NULL::JSON"
        elif kind == "VARCHAR" and field in _NESTED:  # objects kept as JSON text
            value = f"TRY_CAST({_name(column)} AS JSON)"
        else:
            value = f"to_json({_name(column)})"
        columns.append(f"{value} AS {_name(field)}")
    return f"SELECT {', '.join(columns)} FROM read_parquet({_list(files)}, union_by_name=true)"


def unknown_keys(connection: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> dict[str, int]:
    """Count the models that carry each key the contract does not know. Shape: key -> models."""
    if _kind(files[0]) == "json":
        objects = _read_json("read_json_objects", files)
        keys = f"SELECT unnest(json_keys(json)) AS key FROM {objects}"
        counts = connection.execute(f"SELECT key, count(*) FROM ({keys}) GROUP BY ALL").fetchall()
    else:
        table = f"read_parquet({_list(files)}, union_by_name=true)"
        names = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()]
        tallies = ", ".join(f"count({_name(name)})" for name in names)
        row = connection.execute(f"SELECT {tallies} FROM {table}").fetchone()
        counts = list(zip(names, row or (), strict=True))
    return {key: n for key, n in sorted(counts) if key not in FIELDS and key not in NOT_KEPT and n}


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


def _read_json(
    function: str, files: Sequence[Path], fields: dict[str, tuple[str, ...]] | None = None
) -> str:
    columns = "{" + ", ".join(f"'{name}': 'JSON'" for name in fields or ()) + "}"
    wanted = f", columns={columns}, records=true" if fields else ""
    return (
        f"{function}({_list(files)}, format='auto', maximum_object_size={_LARGEST_OBJECT}{wanted})"
    )


def _kind(path: Path) -> str | None:
    name = path.name.lower()
    if name.endswith(".parquet"):
        return "parquet"
    return "json" if name.endswith(tuple(s + c for s in _SUFFIXES for c in _COMPRESSED)) else None


def _known() -> str:
    return f"{', '.join(_SUFFIXES)} (also .gz, .zst) or .parquet"


def _list(files: Sequence[Path]) -> str:
    quoted = ("'" + str(file).replace("'", "''") + "'" for file in files)
    return f"[{', '.join(quoted)}]"


def _name(column: str) -> str:
    return '"' + column.replace('"', '""') + '"'
