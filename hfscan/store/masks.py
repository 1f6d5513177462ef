"""Keeps the framework masks and the table `frameworks` those of this release's taxonomy."""

import duckdb

from hfscan.frameworks import fingerprint, masks_sql, taxonomy
from hfscan.store.transaction import transaction


def current(connection: duckdb.DuckDBPyConnection) -> bool:
    """Return whether the masks were made with the taxonomy of this release."""
    return connection.execute("SELECT taxonomy FROM metadata").fetchone() == (fingerprint(),)


def declare(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table `frameworks` the taxonomy of this release."""
    connection.execute("DELETE FROM frameworks")
    connection.executemany(
        "INSERT INTO frameworks VALUES (?, ?, ?, ?, ?)",
        [[one.key, one.title, one.kind, one.parent, one.bit] for one in taxonomy().frameworks],
    )
    connection.execute("UPDATE metadata SET taxonomy = ?", [fingerprint()])


def rebuild(connection: duckdb.DuckDBPyConnection) -> None:
    """Classify every model anew, all or none."""
    with transaction(connection):
        declare(connection)
        connection.execute(
            "UPDATE versions SET tag_mask = new.tag_mask, weights_mask = new.weights_mask, "
            f"loadable_mask = new.loadable_mask FROM ({masks_sql('versions')}) AS new "
            "WHERE versions.rowid = new.row"
        )
