"""SQL that converts API objects to typed columns, and finds those that only Python can read."""

import json
from datetime import UTC, datetime
from pathlib import Path

from hfscan.objectid import HUB_START
from hfscan.sql import literal
from hfscan.store.dump.fields import FIELDS, JSON_SCHEMA, NESTED_TYPES
from hfscan.store.dump.relation import typed
from hfscan.store.literals import MISSING
from hfscan.store.schema import load_sql

_INDEX = {name: index for index, name in enumerate((*FIELDS, *NESTED_TYPES), 1)}

_LITERAL = r"[{<]|\[['\"\[]|\(\w+="
"""In the name of a file: it may be an object, a list or a repr that became text."""
_NUMBER = r"(^| )(-?\d[\d.eE+-]*|true|false)( |$)"
"""In texts joined by spaces: one may be a number or a boolean that became text."""
_REPO_ID = r"[\w.-]+(/[\w.-]+)?"
_HOSTS = ("huggingface.co", "hf.co", "www.huggingface.co")
_NO_OWNERS = ("datasets", "spaces", "models", *_HOSTS)

_GATES = ("false", "true", "auto", "manual")
_TEXTS = ("id", "object_id", "model.author", "model.sha", "model.library_name",
    "model.pipeline_tag", "model.config.model_type")  # fmt: skip

_COUNTS = ("downloads", "downloadsAllTime", "likes", "safetensors.total", "gguf.total")
_DATES = {"createdAt": "created_at", "lastModified": "last_modified"}
_BASES = "list_transform(model.baseModels.models, lambda base: base.id)"
_LISTS = ("model.tags", "model.config.architectures")


def normalise(raw: str, latest: datetime) -> str:
    """Return SQL for the rows of the relation `raw` (see dump/relation.py) in typed columns.

    `unread_json` is the object of a row with a value that only `repair` can read, else NULL. Dates
    after `latest` are such values.
    """
    absent = "NULL::VARCHAR[] AS unreadable, NULL::VARCHAR[] AS examples, NULL::BIGINT AS first_row"
    return _format(f"SELECT *, {absent} FROM ({raw})", _needs_repair(latest))


def normalise_repaired(file: Path, longest: int) -> str:
    """Return the same for the lines of `file`, of at most `longest` bytes: what `repair` made."""
    lines = (
        f"read_json_objects({literal(file)}, format='newline_delimited', "
        f"maximum_object_size={longest + 2})"
    )
    objects = f"""(
        SELECT
            line.json -> '$.model' AS json,
            CAST(line.json -> '$.unknown' AS VARCHAR[]) AS unknown,
            CAST(line.json -> '$.unreadable' AS VARCHAR[]) AS unreadable,
            CAST(line.json -> '$.examples' AS VARCHAR[]) AS examples,
            CAST(line.json -> '$.row' AS BIGINT) AS first_row
        FROM {lines} AS line)"""
    return _format(typed(objects), "false")


def _format(raw: str, needs_repair: str) -> str:
    text = load_sql("normalise").format(
        shape=literal(json.dumps(JSON_SCHEMA)),
        needs_repair=needs_repair,
        first_sibling=_type("siblings[0]"),
        card=_type("cardData"),
        card_sdk=_type("cardData.sdk"),
    )
    return f"WITH raw AS ({raw}) {text}"


def _needs_repair(latest: datetime) -> str:
    """Return SQL for whether a value of an object has a type that the API does not document."""
    conditions = [
        f"{_type(name)} NOT IN {(*types, 'NULL')}"
        for name, types in (FIELDS | NESTED_TYPES).items()
    ]
    conditions += [
        "id IS NULL",
        f"NOT regexp_full_match(id, {literal(_REPO_ID)})",
        *(f"starts_with(id, {literal(f'{owner}/')})" for owner in _NO_OWNERS),
        f"id IN {_HOSTS}",
        "id = object_id",
        "object_id <> lower(trim(object_id))",
        f"model.gated NOT IN {_GATES}",
        *(f"{column} IN {(*MISSING,)}" for column in _TEXTS),
    ]
    conditions += [
        f"{column} IS NULL AND {_type(name)} <> 'NULL'" for name, column in _DATES.items()
    ]
    possible = f"{_timestamp(HUB_START)} AND {_timestamp(latest)}"
    conditions += [f"{column} NOT BETWEEN {possible}" for column in _DATES.values()]
    conditions += [
        f"model.{name} < 0 OR model.{name} IS NULL AND {_type(name)} <> 'NULL'" for name in _COUNTS
    ]
    conditions += [
        f"{_lacks_some(value)} OR {_holds(value, '{')} OR {_holds(value, '[')}" for value in _LISTS
    ]
    conditions += [
        f"files IS NULL AND {_type('siblings')} <> 'NULL'",
        _lacks_some("files"),
        f"regexp_matches(array_to_string(files, ' '), {literal(f'{_LITERAL}|{_NUMBER}')})",
        _lacks_some(_BASES),
        f"regexp_matches(array_to_string({_BASES}, ' '), {literal(_NUMBER)})",
    ]
    return " OR ".join(f"({condition})" for condition in conditions)


def _timestamp(instant: datetime) -> str:
    return f"TIMESTAMP {literal(str(instant.astimezone(UTC).replace(tzinfo=None)))}"


def _type(name: str) -> str:
    return f"types[{_INDEX[name]}]"


def _lacks_some(items: str) -> str:
    return f"list_count({items}) <> len({items})"


def _holds(items: str, mark: str) -> str:
    """Return SQL for whether an item holds `mark`, as an object or a list does that became text."""
    return f"contains(array_to_string({items}, ' '), {literal(mark)})"
