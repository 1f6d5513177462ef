"""Run one read-only SQL statement of the user, within limits of memory, disk and time."""

import contextlib
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import duckdb
from duckdb import StatementType
from duckdb.sqltypes import DuckDBPyType

from hfscan.errors import InvalidRequestError, NotFoundError, QueryLimitError, Wording
from hfscan.figures.queries import DECLARATION, Query, convert_decimals, is_query_name, load
from hfscan.figures.view import SnapshotView
from hfscan.interrupt import REPEAT_SECONDS
from hfscan.sql import identifier
from hfscan.store import Snapshot, Store
from hfscan.suggest import did_you_mean

GIB = 1 << 30

_STATEMENT_ERRORS = (
    duckdb.ProgrammingError,
    duckdb.DataError,
    duckdb.NotSupportedError,
    duckdb.IntegrityError,
)
"""Errors of DuckDB that are caused by the statement."""

_READ_ONLY = {StatementType.SELECT, StatementType.EXPLAIN, StatementType.MULTI}  # MULTI: PIVOT
_READ_ONLY_WORDS = frozenset({
    "SELECT", "WITH", "FROM", "VALUES", "TABLE", "PIVOT", "PIVOT_WIDER", "UNPIVOT", "PIVOT_LONGER",
    "DESCRIBE", "DESC", "SUMMARIZE", "SHOW", "EXPLAIN",
})  # fmt: skip
"""Words that such a statement starts with: MULTI is also a table created from a PIVOT."""
_SPACE = r"(?:\s|/\*.*?\*/|--[^\n]*(?:\n|$))*"
_START = re.compile(rf"(?:{_SPACE}\()*{_SPACE}(\w+)", re.DOTALL)
_EXPLAIN = re.compile(
    rf"{_SPACE}EXPLAIN\b{_SPACE}(?:ANALYZE\b{_SPACE})?(?:\({_SPACE}(?:ANALYZE|FORMAT)\b[^)]*\))?",
    re.DOTALL | re.IGNORECASE,
)
"""EXPLAIN with its options, before what it explains."""
_BATCH_ROWS = 1_000

_TEXT_TYPES = frozenset({
    "date", "time", "time_ns", "time with time zone", "interval", "timestamp", "timestamp_s",
    "timestamp_ms", "timestamp_ns", "timestamp with time zone", "blob", "bit",
})  # fmt: skip
"""Types without an exact counterpart in Python: infinite dates, months, nanoseconds, bytes."""


@dataclass(frozen=True)
class Result:
    """The result of a query: unique column names, and rows that can be read once.

    `compared`: parameter -> snapshot, `earlier` and `later`, of a query that compares two.
    """

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]
    compared: Mapping[str, Snapshot] = field(default_factory=dict)


def find_query(text: str, *, on_one_snapshot: bool = False) -> Query:
    """Return the query with a name, or that of SQL.

    Of a header in the user's SQL, title and parameters count; its columns and chart would need
    those of hfscan's queries. `on_one_snapshot`: the user selected one. Raises InvalidRequestError
    on an unknown name, and where the query does not read the one selected.
    """
    if is_query_name(text):
        query = load(text)
    else:
        query = replace(Query.from_sql(text), chart=None, columns={})
    if on_one_snapshot and query.compares_snapshots:
        raise InvalidRequestError(
            f"{query.name or 'Your own SQL'} compares two snapshots. To choose them, use ",
            Wording("--param earlier=ID and --param later=ID", "the parameters earlier and later"),
            ".",
        )
    if on_one_snapshot and not query.reads_census:
        raise InvalidRequestError(
            f"{query.name or 'Your own SQL'} does not read the models of one snapshot (census). "
            "Omit ",
            Wording("--snapshot and --as-of", "the snapshot"),
            ".",
        )
    return query


def run_query(
    store: Store, view: SnapshotView, query: Query, parameters: Mapping[str, object]
) -> Result:
    """Run a query over a snapshot.

    Decimals of a named query are numbers; those of SQL stay exact. Raises as `run_sql` does.
    """
    # all columns for the user's own SQL, which may select them by *
    view.bind_census(with_counts=not query.name or query.reads_counts(parameters))
    values, compared = query.bind_compared(store, view.add_release(query, parameters))
    result = run_sql(store, query.sql, values)
    if query.name:
        result = replace(result, rows=map(convert_decimals, result.rows))
    return replace(result, compared=compared)


def run_sql(store: Store, sql: str, parameters: Mapping[str, object] | None = None) -> Result:
    """Run one read-only statement; return its rows as a stream.

    Values that Python cannot hold exactly are returned as DuckDB's text. Raises
    InvalidRequestError where the statement is wrong or not read-only, and QueryLimitError where it
    exceeds its limits; both may also be raised while the rows are read.
    """
    connection = store.connection
    with _translate_errors(connection):
        statement = _parse(connection, sql)
        relation = connection.sql(statement, params=dict(parameters) if parameters else None)
        columns = _make_unique(relation.columns)
        casts = list(map(_exact_type, relation.types))
        if any(casts) and not parameters:
            connection.execute(f"CREATE OR REPLACE TEMP VIEW __query AS\n{statement.query}")
            names = [row[0] for row in connection.execute("DESCRIBE __query").fetchall()]
            selected = (
                f"CAST({identifier(name)} AS {cast})" if cast else identifier(name)
                for name, cast in zip(names, casts, strict=True)
            )
            cursor = connection.execute(f"SELECT {', '.join(selected)} FROM __query")
        else:
            cursor = connection.execute(statement, parameters)
    return Result(columns, _fetch_rows(cursor))


def _fetch_rows(cursor: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    with _translate_errors(cursor):
        while batch := cursor.fetchmany(_BATCH_ROWS):
            yield from batch


def _parse(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        found = f"holds {len(statements)} statements" if statements else "is empty"
        raise InvalidRequestError(f"The SQL {found}. Give one SELECT.")
    (statement,) = statements
    start = _START.match(statement.query)
    word = start[1].upper() if start else statement.type.name
    if statement.type not in _READ_ONLY or word not in _READ_ONLY_WORDS:
        raise InvalidRequestError(
            f"{word} is not a read-only statement. Give one SELECT (or DESCRIBE, SUMMARIZE, SHOW, "
            "EXPLAIN)."
        )
    if explain := _EXPLAIN.match(statement.query):  # with ANALYZE, DuckDB runs what it explains
        _parse(connection, statement.query[explain.end() :])
    return statement


def _make_unique(names: list[str]) -> tuple[str, ...]:
    """Return the names, with _1, _2, ... added to repeated ones."""
    unique: dict[str, None] = {}
    for name in names:
        number, new = 0, name
        while new in unique:
            number += 1
            new = f"{name}_{number}"
        unique[new] = None
    return tuple(unique)


def _exact_type(type_: DuckDBPyType) -> str | None:
    """Return the type to cast to for an exact value in Python; None where none is needed."""
    if type_.id not in ("list", "array", "struct", "map", "union"):
        return "VARCHAR" if type_.id in _TEXT_TYPES else None
    # the children of an array include its size
    children = {name: child for name, child in type_.children if isinstance(child, DuckDBPyType)}
    casts = {name: _exact_type(child) for name, child in children.items()}
    if not any(casts.values()):
        return None
    if type_.id == "list":
        return f"{casts['child']}[]"
    if type_.id == "struct":
        fields = (f"{identifier(name)} {casts[name] or children[name]}" for name in children)
        return f"STRUCT({', '.join(fields)})"
    return "VARCHAR" if type_.id == "union" else "JSON"


@contextlib.contextmanager
def restrict(
    store: Store, *, memory: float | None = None, disk: float = 10.0, is_exclusive: bool = False
) -> Iterator[None]:
    """Let the SQL of the block read only the database, within limits (GiB) of memory and disk.

    `memory` None: half of the machine's, at most 4 GiB. Files and the network stay out of reach
    until the database is closed. `is_exclusive`: nothing else uses the database in this process, so
    that its settings are locked as well. On Linux the memory of the process is then limited too,
    because DuckDB does not count long strings.
    """
    store.disable_external_access()
    if memory is None:
        store.execute("SET memory_limit = '50%'")
        (half,) = store.fetch_one("SELECT parse_formatted_bytes(current_setting('memory_limit'))")
        memory = min(4.0, half / GIB)
    limits = {"memory_limit": memory, "max_temp_directory_size": disk}
    for name, size in limits.items():
        store.execute(f"SET {name} = '{int(size * GIB)} bytes'")
    if is_exclusive:
        store.lock_settings()
        with _limit_process(int(memory * GIB)):
            yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(duckdb.Error):  # of a database that is damaged
            for name in limits:
                store.execute(f"RESET {name}")


@contextlib.contextmanager
def limit_time(store: Store, seconds: float) -> Iterator[None]:
    """Interrupt the statements of the block after so long. Raises QueryLimitError then."""
    ended, is_late = Event(), Event()

    def interrupt() -> None:
        if ended.wait(seconds):
            return
        is_late.set()
        while not ended.wait(REPEAT_SECONDS):
            with contextlib.suppress(duckdb.Error):  # closed meanwhile
                store.connection.interrupt()

    thread = Thread(target=interrupt, daemon=True)
    thread.start()
    try:
        yield
    except duckdb.InterruptException as error:
        if not is_late.is_set():
            raise
        raise QueryLimitError(
            f"This takes more than {seconds / 60:g} minutes, and was stopped. Select less, or "
            "aggregate earlier."
        ) from error
    finally:
        ended.set()
        thread.join()


@contextlib.contextmanager
def _limit_process(size: int) -> Iterator[None]:
    """Limit further allocations to `size` bytes, plus 1 GiB for threads and Python."""
    if sys.platform != "linux":
        yield
        return
    import resource  # noqa: PLC0415 - not on every platform

    status = Path("/proc/self/status").read_text(encoding="ascii").split("VmData:")
    used = int(status[1].split()[0]) * 1024
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limit = used + size + GIB
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


@contextlib.contextmanager
def _translate_errors(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    try:
        yield
    except (duckdb.OutOfMemoryException, MemoryError) as error:
        is_disk = "max_temp_directory_size" in str(error)
        resource = "temporary disk space" if is_disk else "memory"
        raise QueryLimitError(
            f"The query needs more {resource} than allowed. Select less, or aggregate earlier",
            Wording(f", or raise --max-{'disk' if is_disk else 'memory'}"),
            ".",
        ) from error
    except duckdb.PermissionException as error:
        raise InvalidRequestError(
            f"Queries can read only the database, no files and no network. DuckDB: {error}"
        ) from error
    except duckdb.CatalogException as error:
        raise InvalidRequestError(f"DuckDB: {_suggest_relation(connection, str(error))}") from error
    except _STATEMENT_ERRORS as error:
        if match := _NO_VALUE.search(str(error)):
            name = "x" if match[1].isdecimal() else match[1]
            raise InvalidRequestError(
                f"No value is given for the parameter ${match[1]}." + DECLARATION.format(name=name)
            ) from error
        if match := _NO_SNAPSHOT.search(str(error)):
            raise NotFoundError(match[0], Wording(" To list all: hfscan snapshots")) from error
        raise InvalidRequestError(f"DuckDB: {error}") from error


_NO_SNAPSHOT = re.compile(r"There is no snapshot [\w -]+\.|No snapshot is named, [\w ]+\.")
"""The error of models_in(ID) and other macros that read named snapshots."""
_NO_VALUE = re.compile(r"Values were not provided for the following .*parameters: (\w+)")
_UNKNOWN_TABLE = re.compile(r"(Table with name (.+) does not exist)!(?:\n *Did you mean .*)?")


def _suggest_relation(connection: duckdb.DuckDBPyConnection, message: str) -> str:
    """Return DuckDB's message on an unknown table with similar relations of the database.

    DuckDB itself suggests its catalogs, such as pg_enum, as well.
    """
    if (match := _UNKNOWN_TABLE.search(message)) is None:
        return message
    relations = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE NOT internal "
        "UNION SELECT view_name FROM duckdb_views() WHERE NOT internal AND view_name[1] <> '_' "
        "UNION SELECT function_name FROM duckdb_functions() WHERE NOT internal "
        "AND function_type = 'table_macro' ORDER BY ALL"
    ).fetchall()
    hint = did_you_mean(match[2].strip('"'), (name for (name,) in relations))
    hint = hint or " The models are in census; docs/schema.md names the other relations."
    return message.replace(match[0], f"{match[1]}.{hint}")
