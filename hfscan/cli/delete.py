"""`hfscan delete`."""

from pathlib import Path

import click

from hfscan.cli._command import Command
from hfscan.cli._options import db_option
from hfscan.cli._output import echo
from hfscan.cli._verbosity import note
from hfscan.errors import StorageError
from hfscan.store import Store


@click.command("delete", cls=Command)
@click.argument("ids", nargs=-1, required=True, type=int, metavar="ID...")
@db_option
def command(ids: tuple[int, ...], db: Path) -> None:
    """Delete snapshots from the database. `hfscan snapshots` lists them."""
    Store.open(db).close()  # there must be one
    with Store.open(db, write=True) as store:
        for one in store.forget(*ids):
            echo(
                f"Deleted snapshot {one.id}: {one.kind} observed {one.observed_to:%F}, "
                f"{one.models:,} models."
            )
        try:
            sizes = store.compact()
        except StorageError as error:
            note(f"Note: the file keeps its size, and uses what is free in it later. {error}")
            return
    if sizes is not None:
        before, after = (size / (1 << 20) for size in sizes)
        note(f"{db} was {before:,.1f} MB and is {after:,.1f} MB.")
