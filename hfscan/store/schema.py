"""Create a database: the tables, views and macros of sql/, with their comments."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb

from hfscan._version import __version__
from hfscan.frameworks import write_taxonomy
from hfscan.fs import translate_os_errors
from hfscan.sql import identifier, literal
from hfscan.store.duckdb_errors import explain

SCHEMA_VERSION = 24
STORAGE_VERSION = "v1.4.0"  # the oldest DuckDB whose clients open the file; it has all features

Settings = dict[str, str | bool | int | float | list[str]]
SETTINGS: Settings = {
    # extensions are downloaded only on request
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    # rows have keys; preserving their order would only take memory
    "preserve_insertion_order": False,
}
_SCHEMAS = ("schema", "lineage", "turnover", "parity_schema")
_NAME = re.compile(r"^-- name: (\w+)\n", re.M)
_MACRO = re.compile(
    r"^CREATE MACRO IF NOT EXISTS (\w+)\((.*?)\) AS(?: TABLE)?\n(.+?);$", re.M | re.S
)
_TABLE = re.compile(r"^CREATE TABLE IF NOT EXISTS (\w+) \( *(?:-- (.+))?\n((?:    .+\n)+)\);", re.M)
_COLUMN = re.compile(r"^    ([a-z_]\w*) .*-- (.+)$", re.M)
_VIEW_OR_MACRO = re.compile(
    r"((?:^--.*\n)+)CREATE (VIEW|MACRO) IF NOT EXISTS (\w+)(?:\([^)]*\))? AS( TABLE)?$", re.M
)


@dataclass(frozen=True)
class Macro:
    """A macro of the schema: its parameters, and the SQL that it stands for."""

    parameters: tuple[str, ...]
    sql: str


@cache
def load_sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8")


@cache
def load_statements(name: str) -> dict[str, str]:
    """Return the statements of a file of sql/ that names each by a line `-- name: NAME`."""
    _, *parts = _NAME.split(load_sql(name))
    return dict(zip(parts[::2], parts[1::2], strict=True))


def macros() -> dict[str, Macro]:
    return {
        name: Macro(tuple(re.findall(r"\w+", parameters)), sql)
        for schema in _SCHEMAS
        for name, parameters, sql in _MACRO.findall(load_sql(schema))
    }


def create_database(path: Path) -> None:
    """Create the database under another name and rename it, so that it is never incomplete.

    Raises StorageError.
    """
    try:
        with translate_os_errors(path.parent):
            _create(path)
    except duckdb.Error as error:
        raise explain(error, path) from error


def _create(path: Path) -> None:
    unfinished = path.with_name(path.name + ".new")
    for leftover in (unfinished, path.with_name(path.name + ".new.wal")):
        leftover.unlink(missing_ok=True)
    settings = SETTINGS | {"storage_compatibility_version": STORAGE_VERSION}
    with duckdb.connect(unfinished.absolute(), config=settings) as connection:
        connection.begin()
        for schema in _SCHEMAS:
            connection.execute(load_sql(schema))
            connection.execute("; ".join(_comments(load_sql(schema))))
        connection.execute("INSERT INTO metadata VALUES (?, ?, '')", [SCHEMA_VERSION, __version__])
        write_taxonomy(connection)
        connection.commit()
        connection.execute("CHECKPOINT")  # closing does this too, but does not report a failure
    unfinished.rename(path)


def _comments(schema: str) -> list[str]:
    """Return SQL that gives tables, columns, views and macros the comments beside them."""
    statements = []
    for table, text, columns in _TABLE.findall(schema):
        if text:
            statements.append(f"COMMENT ON TABLE {table} IS {literal(text)}")
        for column, comment in _COLUMN.findall(columns):
            statements.append(
                f"COMMENT ON COLUMN {table}.{identifier(column)} IS {literal(comment)}"
            )
    for text, kind, name, table_macro in _VIEW_OR_MACRO.findall(schema):
        comment = " ".join(line.removeprefix("--").strip() for line in text.splitlines())
        statements.append(f"COMMENT ON {kind}{table_macro} {name} IS {literal(comment)}")
    return statements
