"""SQL that reads dump files as one relation of models."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfscan.errors import ImportFileError
from hfscan.sql import file_literals, identifier, literal
from hfscan.store.database import Store
from hfscan.store.dump.columns import (
    Kinds,
    TypedColumn,
    match_typed_fields,
    read_kinds,
    sql_type,
)
from hfscan.store.dump.fields import (
    FIELDS,
    IGNORED_FIELDS,
    INSPECTED_FIELDS,
    JSON_SCHEMA,
    NESTED,
    NESTED_TYPES,
)
from hfscan.store.dump.files import EXPECTED
from hfscan.store.dump.names import IDS, match_fields, may_lack_owner
from hfscan.store.dump.shapes import LARGEST_OBJECT
from hfscan.store.literals import MISSING
from hfscan.text import sanitize

_SMALLEST_BOUND = 1 << 20  # bytes
_MARGIN = 1 << 16  # bytes that longer field names add to an object
_TYPES = f"json_type(json, {[f'$.{field}' for field in (*FIELDS, *NESTED_TYPES)]})"
_FILES = """
    CASE
        WHEN {type} = 'VARCHAR' THEN TRY_CAST(json -> '$.siblings' AS VARCHAR[])
        ELSE list_transform(model.siblings, lambda file: file.rfilename)
    END"""


@dataclass(frozen=True)
class Relation:
    """Rows that hold a model each.

    `sql` has the columns `model` (the object in the API's types), `json` (its fields that are read
    as JSON, under the API's names), `types` (of FIELDS and then of NESTED_TYPES in `json`, NULL
    where one is not there) and `unknown` (keys that the API does not have). `object` is SQL for the
    object as JSON. `typed` are the fields read in their own types: lists of files are then names,
    and dates may be timestamps (`timestamps`).
    """

    sql: str
    object: str = "json"
    typed: frozenset[str] = frozenset()
    timestamps: frozenset[str] = frozenset()

    @property
    def files(self) -> str:
        """SQL for the names of a model's files."""
        place = [*FIELDS, *NESTED_TYPES].index("siblings[0]") + 1
        return (
            "model.siblings" if "siblings" in self.typed else _FILES.format(type=f"types[{place}]")
        )


def json_relation(files: Sequence[Path]) -> Relation:
    """Return the objects of JSON files: of objects, or of a list of them each."""
    # unknown keys are rare, and listing them costs more than checking for any
    known = ", ".join(map(literal, (*FIELDS, *IGNORED_FIELDS)))
    objects = parse_objects(
        f"read_json_objects({file_literals(files)}, format='auto', "
        f"maximum_object_size={_bound(files)})"
    )
    return Relation(
        f"""
        SELECT *, CASE WHEN len(json_keys(json)) > list_count(types[:{len(FIELDS)}])
            THEN list_filter(json_keys(json), lambda key: key NOT IN ({known})
                AND json_type(json, concat('$."', key, '"')) IS DISTINCT FROM 'NULL') END AS unknown
        FROM ({objects.sql})"""
    )


def parse_objects(objects: str) -> Relation:
    """Return the objects of a relation that has the column `json`, beside its other columns."""
    return Relation(f"SELECT *, {_TYPES} AS types, {_parse(JSON_SCHEMA)} AS model FROM {objects}")


def parquet_relation(
    store: Store, files: Sequence[Path], columns: Sequence[str] | None = None
) -> Relation:
    """Return the models of Parquet files; with `columns`, by these columns only.

    A column of its field's own type is read as it is, any other as JSON. Raises ImportFileError
    when no column names the model.
    """
    table = f"read_parquet({file_literals(files)}, union_by_name=true)"
    if columns is not None:
        table = f"(SELECT {', '.join(map(identifier, columns))} FROM {table})"
    kinds = read_kinds(store, table)
    named = match_fields(tuple(kinds))
    if not any(name in named for name in IDS):
        raise ImportFileError(
            f"{', '.join(map(str, files[:3]))}: no column of repo ids (id, modelId, _id); the "
            f"columns are {sanitize(', '.join(kinds), 200)}. {EXPECTED}"
        )
    typed = match_typed_fields(kinds)
    fields: dict[str, str] = {}
    unknown = []
    for name, columns_of_field in named.items():
        if name not in FIELDS and name not in INSPECTED_FIELDS:
            key = columns_of_field[0]
            unknown.append(f"CASE WHEN {identifier(key)} IS NOT NULL THEN {literal(key)} END")
        elif name not in typed:
            fields[name], contradictions = _json_field(name, columns_of_field, kinds)
            unknown += contradictions
    return _mixed_relation(table, typed, fields, unknown)


def _json_field(name: str, columns: Sequence[str], kinds: Kinds) -> tuple[str, list[str]]:
    """Return SQL for a field as JSON, and for the names of columns that contradict the first."""
    best, *others = columns
    value = _value(name, best, kinds[best])
    if name == "id" and may_lack_owner(best) and "author" in kinds:
        repo, owner = identifier(best), identifier("author")
        value = f"CASE WHEN contains({repo}, '/') OR {_is_missing(owner)} THEN {value} " + (
            f"ELSE to_json(trim({owner}) || '/' || {repo}) END"
        )
    contradictions = []
    for other in others:
        further = _value(name, other, kinds[other])
        contradictions.append(f"CASE WHEN {value} <> {further} THEN {literal(other)} END")
        value = f"coalesce({value}, {further})"
    return value, contradictions


def _mixed_relation(
    table: str, typed: Mapping[str, TypedColumn], fields: Mapping[str, str], unknown: Sequence[str]
) -> Relation:
    """Return the models of a table: some fields in their own types, some as JSON (SQL by name)."""
    as_json, types, parsed = "NULL::JSON", "NULL::VARCHAR[]", "NULL"
    if fields:
        as_json = f"to_json(struct_pack({_pack(fields)}))"
        schema = {name: JSON_SCHEMA[name] for name in fields if name in FIELDS}
        types, parsed = _TYPES, _parse(schema) if schema else "NULL"
    unknown_keys = "NULL::VARCHAR[]"
    if unknown:
        unknown_keys = f"list_filter([{', '.join(unknown)}], lambda key: key IS NOT NULL)"
    model = {name: f"NULL::{sql_type(schema)}" for name, schema in JSON_SCHEMA.items()}
    model |= {name: f"parsed.{identifier(name)}" for name in fields if name in FIELDS}
    model |= {name: identifier(name) for name in typed}
    columns = "".join(f", {field.sql} AS {identifier(name)}" for name, field in typed.items())
    return Relation(
        f"""
        SELECT json, types, unknown, struct_pack({_pack(model)}) AS model
        FROM (
            SELECT *, {types} AS types, {parsed} AS parsed
            FROM (SELECT {as_json} AS json, {unknown_keys} AS unknown{columns} FROM {table})
        )""",
        object="json_merge_patch(to_json(model), json)" if fields else "to_json(model)",
        typed=frozenset(typed),
        timestamps=frozenset(name for name, field in typed.items() if field.is_timestamp),
    )


def _pack(values: Mapping[str, str]) -> str:
    return ", ".join(f"{identifier(name)} := {value}" for name, value in values.items())


def _parse(schema: Mapping[str, object]) -> str:
    return f"json_transform(json, {literal(json.dumps(schema))})"


def _value(name: str, column: str, kind: Any) -> str:
    """Return SQL for a column's value as JSON, NULL where it has none."""
    as_json = f"to_json({identifier(column)})"
    # objects and lists kept as JSON text
    if kind.id == "varchar" and name in {*NESTED, *INSPECTED_FIELDS}:
        as_json = f"coalesce(TRY_CAST({identifier(column)} AS JSON), {as_json})"
    return f"CASE WHEN {identifier(column)} IS NOT NULL THEN {as_json} END"


def _is_missing(column: str) -> str:
    return f"coalesce(trim({column}), '') IN {('', *MISSING)}"


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
        most = max(most, LARGEST_OBJECT if file.suffix == ".zst" else size)
    return min(most, LARGEST_OBJECT) + _MARGIN
