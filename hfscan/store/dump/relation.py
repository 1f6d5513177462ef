"""SQL that reads dump files as one relation.

It has the columns `json` (the object, under the API's field names), `types` (of FIELDS and then of
NESTED_TYPES in it, NULL where one is not there) and `unknown` (its keys that the API does not
have).
"""

import os
from collections.abc import Sequence
from pathlib import Path

from hfscan.errors import ImportFileError
from hfscan.sql import file_literals, identifier, literal
from hfscan.store.database import Store
from hfscan.store.dump.fields import FIELDS, IGNORED_FIELDS, INSPECTED_FIELDS, NESTED, NESTED_TYPES
from hfscan.store.dump.files import EXPECTED
from hfscan.store.dump.names import IDS, match_fields, may_lack_owner
from hfscan.store.dump.shapes import LARGEST_OBJECT
from hfscan.store.literals import MISSING
from hfscan.text import sanitize

_SMALLEST_BOUND = 1 << 20  # bytes
_MARGIN = 1 << 16  # bytes that longer field names add to an object


def json_relation(files: Sequence[Path]) -> str:
    """Return SQL that reads JSON files: of objects, or of a list of them each."""
    # unknown keys are rare, and listing them costs more than checking for any
    known = ", ".join(map(literal, (*FIELDS, *IGNORED_FIELDS)))
    objects = (
        f"read_json_objects({file_literals(files)}, format='auto', "
        f"maximum_object_size={_bound(files)})"
    )
    return f"""
        SELECT *, CASE WHEN len(json_keys(json)) > list_count(types[:{len(FIELDS)}])
            THEN list_filter(json_keys(json), lambda key: key NOT IN ({known})
                AND json_type(json, concat('$."', key, '"')) IS DISTINCT FROM 'NULL') END AS unknown
        FROM ({typed(objects)})"""


def parquet_relation(
    store: Store, files: Sequence[Path], columns: Sequence[str] | None = None
) -> str:
    """Return SQL that reads Parquet files; with `columns`, no others of them.

    Raises ImportFileError when they have no column that names the model.
    """
    table = f"read_parquet({file_literals(files)}, union_by_name=true)"
    if columns is not None:
        table = f"(SELECT {', '.join(map(identifier, columns))} FROM {table})"
    kinds = store.columns(f"SELECT * FROM {table}")
    named = match_fields(tuple(kinds))
    if not any(name in named for name in IDS):
        raise ImportFileError(
            f"{', '.join(map(str, files[:3]))}: no column of repo ids (id, modelId, _id); the "
            f"columns are {sanitize(', '.join(kinds), 200)}. {EXPECTED}"
        )
    fields, unknown = [], []
    for name, (best, *others) in named.items():
        value = _value(name, best, kinds[best])
        if name == "id" and may_lack_owner(best) and "author" in kinds:
            repo, owner = identifier(best), identifier("author")
            value = f"CASE WHEN contains({repo}, '/') OR {_is_missing(owner)} THEN {value} " + (
                f"ELSE to_json(trim({owner}) || '/' || {repo}) END"
            )
        if name not in FIELDS and name not in INSPECTED_FIELDS:
            unknown.append(f"CASE WHEN {identifier(best)} IS NOT NULL THEN {literal(best)} END")
            continue
        for other in others:
            further = _value(name, other, kinds[other])
            unknown.append(f"CASE WHEN {value} <> {further} THEN {literal(other)} END")
            value = f"coalesce({value}, {further})"
        fields.append(f"{identifier(name)} := {value}")
    objects = f"""(
        SELECT to_json(struct_pack({", ".join(fields)})) AS json,
            list_filter([{", ".join(unknown)}]::VARCHAR[], lambda key: key IS NOT NULL) AS unknown
        FROM {table})"""
    return typed(objects)


def _value(name: str, column: str, kind: str) -> str:
    """Return SQL for a column's value as JSON, NULL where it has none."""
    as_json = f"to_json({identifier(column)})"
    # objects and lists kept as JSON text
    if kind.upper() == "VARCHAR" and name in {*NESTED, *INSPECTED_FIELDS}:
        as_json = f"coalesce(TRY_CAST({identifier(column)} AS JSON), {as_json})"
    return f"CASE WHEN {identifier(column)} IS NOT NULL THEN {as_json} END"


def _is_missing(column: str) -> str:
    return f"coalesce(trim({column}), '') IN {('', *MISSING)}"


def typed(objects: str) -> str:
    """Return SQL for a relation that has `types` beside its columns, one of which is `json`."""
    fields = ", ".join(literal(f"$.{field}") for field in (*FIELDS, *NESTED_TYPES))
    return f"SELECT *, json_type(json, [{fields}]) AS types FROM {objects}"


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
