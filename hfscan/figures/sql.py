"""Run one read-only SQL statement of the user, within limits of memory and disk."""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from duckdb import StatementType
from duckdb.sqltypes import DuckDBPyType

from hfscan.errors import InvalidRequestError, QueryLimitError
from hfscan.sql import identifier

GIB = 1 << 30

_STATEMENT_ERRORS = (
    duckdb.ProgrammingError,
    duckdb.DataError,
    duckdb.NotSupportedError,
    duckdb.IntegrityError,
)
"""Errors of DuckDB that are caused by the statement."""

_READS = {StatementType.SELECT, StatementType.EXPLAIN, StatementType.MULTI}  # MULTI: some PIVOTs
_BATCH = 1_000  # rows fetched from DuckDB at once

_AS_TEXT = frozenset({
    "date", "time", "time_ns", "time with time zone", "interval", "timestamp", "timestamp_s",
    "timestamp_ms", "timestamp_ns", "timestamp with time zone", "blob", "bit",
})  # fmt: skip
"""Types without an exact counterpart in Python: infinite dates, months, nanoseconds, bytes."""


@dataclass(frozen=True)
class Result:
    """The result of a query: unique column names, and rows that can be read once."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


def run(
    connection: duckdb.DuckDBPyConnection, sql: str, parameters: Mapping[str, object] | None = None
) -> Result:
    """Run one read-only statement; return its rows as a stream.

    Values that Python cannot hold exactly are returned as DuckDB's text. Raises
    InvalidRequestError where the statement is wrong or not read-only, and QueryLimitError where it
    exceeds its limits; both may also be raised while the rows are read.
    """
    with _translated():
        statement = _parse(connection, sql)
        relation = connection.sql(statement, params=dict(parameters) if parameters else None)
        columns = _make_unique(relation.columns)
        casts = [_exact(one) for one in relation.types]
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
    return Result(columns, _rows(cursor))


def _rows(cursor: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    with _translated():
        while batch := cursor.fetchmany(_BATCH):
            yield from batch


def _parse(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        what = f"holds {len(statements)} statements" if statements else "is empty"
        raise InvalidRequestError(f"The SQL {what}. Give one SELECT.")
    (statement,) = statements
    if statement.type not in _READS:
        raise InvalidRequestError(
            f"{statement.type.name} is not a read-only statement. Give one SELECT (or DESCRIBE, "
            "SUMMARIZE, SHOW, EXPLAIN)."
        )
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


def _exact(kind: DuckDBPyType) -> str | None:
    """Return the type to cast to for an exact value in Python; None where none is needed."""
    if kind.id not in ("list", "array", "struct", "map", "union"):
        return "VARCHAR" if kind.id in _AS_TEXT else None
    # an array's size is among them, too
    children = {name: one for name, one in kind.children if isinstance(one, DuckDBPyType)}
    parts = {name: _exact(one) for name, one in children.items()}
    if not any(parts.values()):
        return None
    if kind.id not in ("list", "struct"):
        return "VARCHAR" if kind.id == "union" else "JSON"  # text, with keys and values apart
    if kind.id == "list":
        return f"{parts['child']}[]"
    fields = ", ".join(f"{identifier(name)} {parts[name] or one}" for name, one in children.items())
    return f"STRUCT({fields})"


@contextlib.contextmanager
def limited(
    connection: duckdb.DuckDBPyConnection, *, memory: float | None, disk: float
) -> Iterator[None]:
    """Limit the memory and temporary disk space (GiB) of the block.

    `memory` None: half of the machine's, at most 4 GiB. On Linux the limit also applies to the
    whole process, because DuckDB does not count long strings.
    """
    if memory is None:
        connection.execute("SET memory_limit = '50%'")
        memory = min(4.0, _memory_limit(connection) / GIB)
    for name, size in (("memory_limit", memory), ("max_temp_directory_size", disk)):
        connection.execute(f"SET {name} = '{int(size * GIB)} bytes'")
    with _process_limited(int(memory * GIB)):
        yield


def _memory_limit(connection: duckdb.DuckDBPyConnection) -> float:
    """Return DuckDB's memory limit in bytes."""
    found = connection.execute("SELECT current_setting('memory_limit')").fetchone()
    assert found is not None
    number, unit = str(found[0]).split()
    units = ("bytes", "KiB", "MiB", "GiB", "TiB")
    return float(number) * float(1024 ** units.index(unit))


@contextlib.contextmanager
def _process_limited(size: int) -> Iterator[None]:
    """Limit further allocations to `size` bytes, plus 1 GiB for threads and Python."""
    if sys.platform != "linux":
        yield
        return
    import resource  # noqa: PLC0415 - not on every platform

    status = Path("/proc/self/status").read_text(encoding="ascii").split("VmData:")
    used = int(status[1].split()[0]) * 1024
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = used + size + GIB
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (duckdb.OutOfMemoryException, MemoryError) as error:
        what = "temporary disk space" if "max_temp_directory_size" in str(error) else "memory"
        option = "--max-disk" if what != "memory" else "--max-memory"
        raise QueryLimitError(
            f"The query needs more {what} than allowed. Select less, aggregate earlier, or "
            f"raise {option}."
        ) from error
    except duckdb.PermissionException as error:
        raise InvalidRequestError(
            f"Queries can read only the database, no files and no network. DuckDB: {error}"
        ) from error
    except _STATEMENT_ERRORS as error:
        raise InvalidRequestError(f"DuckDB: {error}") from error
