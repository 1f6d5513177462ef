"""Write a copy of a new database instead of creating another: that takes 0.4 s of CPU time."""

import tempfile
from functools import cache
from pathlib import Path

from hfscan.store import schema


@cache
def read_new_database() -> bytes:
    """Return the file of a database without models."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "h.duckdb"
        schema.create_database(path)
        return path.read_bytes()


def write_new_database(path: Path) -> None:
    """Do what `schema._create` does."""
    unfinished = path.with_name(path.name + ".new")
    unfinished.write_bytes(read_new_database())
    unfinished.rename(path)
