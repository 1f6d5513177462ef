"""Gives space back to the disk: DuckDB keeps what rows leave in the file, for rows to come."""

import contextlib
from pathlib import Path

import duckdb

from hfscan.sql import identifier, literal
from hfscan.store.create import STORAGE_VERSION
from hfscan.store.faults import explain

_WORTH = 0.2  # of the file; below, writing all of it anew gains too little


def compact(connection: duckdb.DuckDBPyConnection, path: Path) -> tuple[int, int] | None:
    """Close the connection; write the database anew where much of it is free: see `Store`."""
    part = path.with_name(path.name + ".compact")
    try:
        connection.execute("CHECKPOINT")
        before = path.stat().st_size
        sizes = connection.execute(
            "SELECT database_name, total_blocks, free_blocks FROM pragma_database_size() "
            "WHERE database_name = current_database()"
        ).fetchone()
        assert sizes is not None
        name, total, free = sizes
        if free < total * _WORTH:
            return None
        _remove(part)
        connection.execute(
            f"ATTACH {literal(part)} AS compacted (STORAGE_VERSION {literal(STORAGE_VERSION)})"
        )
        connection.execute(f"COPY FROM DATABASE {identifier(name)} TO compacted")
        connection.execute("CHECKPOINT compacted")  # detaching would do so too, but tell no failure
        connection.execute("DETACH compacted")
        connection.close()
        part.replace(path)
    except duckdb.Error as error:
        raise explain(error, path) from error
    finally:
        connection.close()
        _remove(part)
    return before, path.stat().st_size


def _remove(part: Path) -> None:
    for file in (part, part.with_name(part.name + ".wal")):
        with contextlib.suppress(OSError):
            file.unlink()
