from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hfscan.cli._command import Command
from hfscan.cli._completion import complete_snapshots
from hfscan.cli._options import db_option
from hfscan.cli._output import echo, note
from hfscan.cli._types import Count
from hfscan.errors import StorageError
from hfscan.text import format_count

if TYPE_CHECKING:
    from hfscan.store import Snapshot

_EXAMPLES = """
hfscan delete 3
hfscan delete 3 4 5 --yes --db hub.duckdb
"""


@click.command("delete", cls=Command, examples=_EXAMPLES)
@click.argument(
    "ids", nargs=-1, required=True, type=Count(), metavar="ID...", shell_complete=complete_snapshots
)
@click.option("--yes", is_flag=True, help="Do not ask. Only a terminal is asked.")
@db_option
def command(ids: tuple[int, ...], yes: bool, db: Path) -> None:
    """Delete snapshots from the database.

    `hfscan snapshots` lists their ids. The database file shrinks if the disk has room for a copy.
    """
    from hfscan.store import Store, delete_snapshots, list_snapshots

    with Store.open(db) as store:  # fails if there is no database
        known = [snapshot for snapshot in list_snapshots(store) if snapshot.id in ids]
    if known and not yes and sys.stdin.isatty():
        for snapshot in known:
            echo(f"Snapshot {_describe(snapshot)}", err=True)
        if not click.confirm("Delete for good?", err=True):
            note("Nothing was deleted.")
            return
    with Store.open(db, write=True) as store:
        for snapshot in delete_snapshots(store, *ids):
            echo(f"Deleted snapshot {_describe(snapshot)}")
        try:
            sizes = store.compact()
        except StorageError:  # the snapshots are deleted nevertheless
            note(
                f"Note: there was no room for a smaller {db}. The free space in it will be reused."
            )
            return
    if sizes is not None:
        before, after = (size / (1 << 20) for size in sizes)
        note(f"Compacted {db} from {before:,.1f} MB to {after:,.1f} MB.")


def _describe(snapshot: Snapshot) -> str:
    return (
        f"{snapshot.id}: {snapshot.kind} observed {snapshot.observed_to:%F}, "
        f"{format_count(snapshot.models, 'model')}."
    )
