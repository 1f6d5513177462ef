"""Makes a database: tables, views and macros of schema.sql and parity.sql, with their comments."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb

from hfscan._version import __version__
from hfscan.fs import translate_os_errors
from hfscan.sql import identifier, literal
from hfscan.store import masks
from hfscan.store.faults import explain

SCHEMA_VERSION = 9
STORAGE_VERSION = "v1.4.0"
"""The oldest DuckDB whose clients open the file; it has all that the schema uses."""

Settings = dict[str, str | bool | int | float | list[str]]
SETTINGS: Settings = {
    # nothing is fetched behind the user's back
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    # rows are keyed; keeping their order would only hold them in memory
    "preserve_insertion_order": False,
}
_SCHEMAS = ("schema.sql", "parity.sql")
_MACRO = re.compile(
    r"^CREATE MACRO IF NOT EXISTS (\w+)\((.+?)\) AS(?: TABLE)?\n(.+?);$", re.M | re.S
)
_TABLE = re.compile(r"^CREATE TABLE IF NOT EXISTS (\w+) \( *(?:-- (.+))?\n((?:    .+\n)+)\);", re.M)
_COLUMN = re.compile(r"^    ([a-z_]\w*) .*-- (.+)$", re.M)
_OTHER = re.compile(
    r"((?:^--.*\n)+)CREATE (VIEW|MACRO) IF NOT EXISTS (\w+)(?:\([^)]*\))? AS( TABLE)?$", re.M
)


@dataclass(frozen=True)
class Macro:
    """A macro of the schema: its parameters, and the SQL that stands for it."""

    parameters: tuple[str, ...]
    sql: str


def macros() -> dict[str, Macro]:
    """Return the macros of the schema by name."""
    return {
        name: Macro(tuple(parameters.split(", ")), sql)
        for schema in _schemas()
        for name, parameters, sql in _MACRO.findall(schema)
    }


def create(path: Path) -> None:
    """Make the database beside its place and move it there whole: a kill leaves no half of one.

    Raises StorageError.
    """
    try:
        with translate_os_errors(path.parent):
            _create(path)
    except duckdb.Error as error:
        raise explain(error, path) from error


def _create(path: Path) -> None:
    unfinished = path.with_name(path.name + ".new")
    for left_behind in (unfinished, path.with_name(path.name + ".new.wal")):
        left_behind.unlink(missing_ok=True)
    settings = SETTINGS | {"storage_compatibility_version": STORAGE_VERSION}
    with duckdb.connect(unfinished.absolute(), config=settings) as connection:
        connection.execute("BEGIN")
        for schema in _schemas():
            connection.execute(schema)
            for comment in _comments(schema):
                connection.execute(comment)
        connection.execute("INSERT INTO metadata VALUES (?, ?, '')", [SCHEMA_VERSION, __version__])
        masks.declare(connection)
        connection.execute("COMMIT")
        connection.execute("CHECKPOINT")  # closing would do so too, but tell of no failure
    unfinished.rename(path)


def _schemas() -> Iterator[str]:
    for name in _SCHEMAS:
        yield Path(__file__).with_name(name).read_text(encoding="utf-8")


def _comments(schema: str) -> Iterator[str]:
    """Yield SQL that gives tables, columns, views and macros the comments beside them."""
    for table, text, columns in _TABLE.findall(schema):
        if text:
            yield f"COMMENT ON TABLE {table} IS {literal(text)}"
        for column, about in _COLUMN.findall(columns):
            yield f"COMMENT ON COLUMN {table}.{identifier(column)} IS {literal(about)}"
    for text, kind, name, table_macro in _OTHER.findall(schema):
        about = " ".join(line.removeprefix("--").strip() for line in text.splitlines())
        yield f"COMMENT ON {kind}{table_macro} {name} IS {literal(about)}"
