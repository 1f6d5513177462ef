"""All or nothing."""

import contextlib
import re
from collections.abc import Callable, Iterator

import duckdb

from hfscan.errors import StorageError

_FULL = re.compile("No space left|disk is full|write file|out of disk|offload", re.IGNORECASE)


def explained(error: duckdb.Error) -> Exception:
    """Return StorageError for what a full disk makes DuckDB say, and the error itself otherwise."""
    text = str(error).split("\n")[0]
    if not _FULL.search(text):
        return error
    return StorageError(
        f"The database could not be written: {text}. It is as it was before; free some space and "
        "run the same command again."
    )


@contextlib.contextmanager
def transaction(
    connection: duckdb.DuckDBPyConnection,
    told: Callable[[duckdb.Error], Exception] = explained,
) -> Iterator[None]:
    """Do all of a block or nothing; an error of DuckDB's is raised as `told` returns it."""
    connection.execute("BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException as error:
        with contextlib.suppress(duckdb.Error):  # a failed COMMIT has ended it already
            connection.execute("ROLLBACK")
        if isinstance(error, duckdb.Error):
            again = told(error)
            if again is not error:
                raise again from error
        raise
