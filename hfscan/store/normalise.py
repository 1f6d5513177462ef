"""SQL that converts API objects to typed columns, and finds those that only Python can read."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from hfscan.objectid import HUB_START
from hfscan.sql import literal
from hfscan.store.dump.fields import FIELDS, NESTED_TYPES
from hfscan.store.dump.relation import Relation, parse_objects
from hfscan.store.literals import MISSING
from hfscan.store.schema import load_sql
from hfscan.store.values import DATES

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
_DATE = """
    CASE  -- as the Hub writes it, which costs least; else with a zone, or in UTC
        WHEN {text} LIKE '____-__-__T__:__:__%Z' THEN TRY_CAST({text} AS TIMESTAMP)
        WHEN {text} LIKE '____-__-__ __:__:__%'
        THEN TRY_CAST({text} AS TIMESTAMPTZ) AT TIME ZONE 'UTC'
    END"""
_BASES = "list_transform(model.baseModels.models, lambda base: base.id)"
_LISTS = ("model.tags", "model.config.architectures")


def normalise(raw: Relation, latest: datetime) -> str:
    """Return SQL for the rows of a relation in typed columns.

    `unread_json` is the object of a row with a value that only `repair` can read, else NULL. Dates
    after `latest` are such values.
    """
    absent = "NULL::VARCHAR[] AS unreadable, NULL::VARCHAR[] AS examples, NULL::BIGINT AS first_row"
    rows = replace(raw, sql=f"SELECT *, {absent} FROM ({raw.sql})")
    return _format(rows, _needs_repair(raw, latest))


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
    return _format(parse_objects(objects), "false")


def _format(raw: Relation, needs_repair: str) -> str:
    dates = {
        column: f"model.{name}" if name in raw.timestamps else _DATE.format(text=f"model.{name}")
        for name, column in DATES.items()
    }
    text = load_sql("normalise").format(
        **dates,
        files=raw.files,
        object=raw.object,
        needs_repair=needs_repair,
        card=_type("cardData"),
        card_sdk=_type("cardData.sdk"),
    )
    return f"WITH raw AS ({raw.sql}) {text}"


def _needs_repair(raw: Relation, latest: datetime) -> str:
    """Return SQL for whether a value of an object has a type that the API does not document."""
    conditions = [
        f"{_type(name)} NOT IN {(*types, 'NULL')}"
        for name, types in (FIELDS | NESTED_TYPES).items()
        if re.split(r"\W", name)[0] not in raw.typed
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
        f"{column} IS NULL AND model.{name} IS NOT NULL" for name, column in DATES.items()
    ]
    possible = f"{_timestamp(HUB_START)} AND {_timestamp(latest)}"
    conditions += [f"{column} NOT BETWEEN {possible}" for column in DATES.values()]
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
