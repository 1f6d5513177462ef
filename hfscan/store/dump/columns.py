"""Columns of Parquet files that have the types of the API's fields, or types close to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hfscan.sql import identifier
from hfscan.store.database import Store
from hfscan.store.dump.fields import FIELDS, JSON_SCHEMA, NESTED
from hfscan.store.dump.names import match_fields, may_lack_owner

Kinds = Mapping[str, Any]
"""Name -> type (DuckDBPyType) of columns."""

_IDS: dict[str, tuple[str, ...]] = {
    "VARCHAR": ("varchar",),
    "BOOLEAN": ("boolean",),
    "BIGINT": ("tinyint", "smallint", "integer", "bigint", "utinyint", "usmallint", "uinteger"),
}
"""Type of a field -> the types (DuckDBPyType.id) of columns that hold it, without loss."""

DATES = ("createdAt", "lastModified")


@dataclass(frozen=True)
class TypedColumn:
    """SQL for a field in its own type, and the paths of the Parquet columns that it reads.

    A path names the column and the part of it that is read. Dates are TIMESTAMP in UTC or text, the
    files are a list of names.
    """

    sql: str
    paths: tuple[str, ...]
    is_timestamp: bool = False


def read_kinds(store: Store, table: str) -> dict[str, Any]:
    """Return name -> type of the columns of a table in SQL."""
    cursor = store.execute(f"SELECT * FROM {table} LIMIT 0")
    return {column[0]: column[1] for column in cursor.description}


def match_typed_fields(kinds: Kinds) -> dict[str, TypedColumn]:
    """Return the fields that are read in their own types: those of one column of such a type."""
    found = {}
    for name, (column, *others) in match_fields(tuple(kinds)).items():
        lacks_owner = name == "id" and may_lack_owner(column)
        if name in FIELDS and not others and not lacks_owner:
            typed = _read_column(name, column, kinds[column])
            if typed is not None:
                found[name] = typed
    return found


def _read_column(name: str, column: str, kind: Any) -> TypedColumn | None:
    value = identifier(column)
    if name in DATES and kind.id.startswith("timestamp"):
        zone = " AT TIME ZONE 'UTC'" if kind.id == "timestamp with time zone" else ""
        return TypedColumn(f"({value}{zone})::TIMESTAMP", (column,), is_timestamp=True)
    if name == "gated" and kind.id == "boolean":
        return TypedColumn(f"{value}::VARCHAR", (column,))
    if name == "siblings":
        sql = _read(["VARCHAR"], kind, value)
        if sql is None and _has_names(kind):
            sql = f"list_transform({value}, lambda file: file.rfilename)"
    else:
        sql = _read(JSON_SCHEMA[name], kind, value)
    if sql is None:
        return None
    parts = [part for part, _ in kind.children] if kind.id == "struct" else []
    paths = [f"{column}, {part}" for part in parts if part in NESTED[name]]
    return TypedColumn(sql, tuple(paths) or (column,))


def _has_names(kind: Any) -> bool:
    """Return whether a list of files is one of objects with names, as the API's is."""
    if kind.id != "list" or kind.children[0][1].id != "struct":
        return False
    parts = kind.children[0][1].children
    return any(name == "rfilename" and part.id == "varchar" for name, part in parts)


def _read(schema: Any, kind: Any, value: str) -> str | None:
    """Return SQL for a value in the notation of `json_transform`; None where its type differs.

    Parts of objects that the column does not have are NULL.
    """
    if isinstance(schema, str):
        if kind.id not in _IDS[schema] or str(kind) == "JSON":  # JSON has the id of VARCHAR
            return None
        return value if schema != "BIGINT" or kind.id == "bigint" else f"{value}::BIGINT"
    if isinstance(schema, list):
        item = _read(schema[0], kind.children[0][1], "item") if kind.id == "list" else None
        if item is None or item == "item":
            return item and value
        return f"list_transform({value}, lambda item: {item})"
    if kind.id != "struct":
        return None
    kinds, parts = dict(kind.children), []
    for name, part in schema.items():
        sql: str | None = f"NULL::{sql_type(part)}"
        if name in kinds:
            sql = _read(part, kinds[name], f"{value}.{identifier(name)}")
        if sql is None:
            return None
        parts.append(f"{identifier(name)} := {sql}")
    return f"struct_pack({', '.join(parts)})"


def sql_type(schema: Any) -> str:
    """Return DuckDB's name for a type in the notation of `json_transform`."""
    if isinstance(schema, list):
        return f"{sql_type(schema[0])}[]"
    if isinstance(schema, dict):
        parts = (f"{identifier(name)} {sql_type(part)}" for name, part in schema.items())
        return f"STRUCT({', '.join(parts)})"
    return str(schema)
