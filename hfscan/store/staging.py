"""What was read, in Parquet files beside the database until its place there is known.

Tables would be kept in memory as they are; files take a tenth of that on the disk.
"""

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb

from hfscan.errors import StorageError
from hfscan.paths import staging_dir
from hfscan.sql import file_literal, literal
from hfscan.store.database import database_path

_ROW_GROUP = 20_000  # rows that a thread holds until they go to a file
_FILE = 5  # row groups; what a file holds is classified at once


@contextlib.contextmanager
def staging(connection: duckdb.DuckDBPyConnection) -> Iterator["Staging"]:
    """Yield a place for rows, which is gone in the end.

    Raises StorageError where there is no room beside the database.
    """
    folder = staging_dir(Path(database_path(connection)))
    shutil.rmtree(folder, ignore_errors=True)  # a killed process left it
    try:
        folder.mkdir()
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be made: {error.strerror}. Free some space, or make the folder "
            "writable, and run the same command again."
        ) from error
    try:
        yield Staging(connection, folder)
    finally:
        with contextlib.suppress(duckdb.Error):
            connection.execute("DROP VIEW IF EXISTS staged; DROP TABLE IF EXISTS left_out")
        shutil.rmtree(folder, ignore_errors=True)


class Staging:
    """The temporary view `staged`: the rows added, each with its number `row`, its file `part`.

    The folder `scratch` is for files that are gone with it.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self._connection, self._folder = connection, folder
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self._added = 0
        connection.execute("CREATE TEMP TABLE left_out (row BIGINT)")

    def add(self, sql: str, parameters: Mapping[str, object] | None = None) -> None:
        """Add the rows of a query, of columns that the first query has."""
        self._connection.execute(
            f"COPY ({sql}) TO {literal(self._folder / f'{self._added:06}')} "
            f"(FORMAT parquet, ROW_GROUP_SIZE {_ROW_GROUP}, ROW_GROUPS_PER_FILE {_FILE})",
            parameters,
        )
        self._added += 1
        files = ", ".join(map(file_literal, sorted(self._folder.glob("[0-9]*/*.parquet"))))
        self._connection.execute(
            "CREATE OR REPLACE TEMP VIEW staged AS SELECT * FROM ("
            "SELECT *, file_index AS part, file_index << 32 | file_row_number AS row "
            f"FROM read_parquet([{files}], union_by_name=true)) ANTI JOIN left_out USING (row)"
        )

    def clear(self) -> None:
        """Remove all rows that were added."""
        for folder in self._folder.glob("[0-9]*"):
            shutil.rmtree(folder)
        self._added = 0

    def leave_out(self, rows: str) -> int:
        """Take rows out of `staged`, those whose `row` a query returns; return their number."""
        found = self._connection.execute(f"INSERT INTO left_out {rows}").fetchone()
        assert found is not None
        return int(found[0])
