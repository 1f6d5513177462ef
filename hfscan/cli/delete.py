from __future__ import annotations

from pathlib import Path

import click

from hfscan.cli._command import Command
from hfscan.cli._completion import complete_snapshots
from hfscan.cli._options import db_option
from hfscan.cli._output import echo, note
from hfscan.cli._types import Count
from hfscan.errors import StorageError

_EXAMPLES = """
hfscan delete 3
hfscan delete 3 4 5 --db hub.duckdb
"""


@click.command("delete", cls=Command, examples=_EXAMPLES)
@click.argument(
    "ids", nargs=-1, required=True, type=Count(), metavar="ID...", shell_complete=complete_snapshots
)
@db_option
def command(ids: tuple[int, ...], db: Path) -> None:
    """Delete snapshots from the database.

    `hfscan snapshots` lists their ids. The database file shrinks if the disk has room for a copy.
    """
    from hfscan.store import Store, delete_snapshots

    Store.open(db).close()  # fail if there is no database
    with Store.open(db, write=True) as store:
        for snapshot in delete_snapshots(store, *ids):
            echo(
                f"Deleted snapshot {snapshot.id}: {snapshot.kind} observed "
                f"{snapshot.observed_to:%F}, {snapshot.models:,} models."
            )
        try:
            sizes = store.compact()
        except StorageError as error:
            note(f"Note: the file was not compacted; the free space in it will be reused. {error}")
            return
    if sizes is not None:
        before, after = (size / (1 << 20) for size in sizes)
        note(f"Compacted {db} from {before:,.1f} MB to {after:,.1f} MB.")
