"""All or nothing."""

import contextlib
from collections.abc import Callable, Iterator

import duckdb

from hfscan.errors import StorageError
from hfscan.store.faults import is_full


def explained(error: duckdb.Error) -> Exception:
    """Return StorageError for what a full disk makes DuckDB say, and the error itself otherwise."""
    if not is_full(error):
        return error
    text = str(error).split("\n")[0]
    return StorageError(
        f"The database could not be written: {text}. It is as it was before; free some space and "
        "run the same command again."
    )


@contextlib.contextmanager
def telling(told: Callable[[duckdb.Error], Exception] = explained) -> Iterator[None]:
    """Raise an error of DuckDB's as `told` returns it."""
    try:
        yield
    except duckdb.Error as error:
        again = told(error)
        if again is error:
            raise
        raise again from error


@contextlib.contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Do all of a block or nothing. Raises StorageError when the disk is full."""
    with telling():
        connection.execute("BEGIN")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(duckdb.Error):  # a failed COMMIT has ended it already
                connection.execute("ROLLBACK")
            raise
