"""`hfscan export`."""

from datetime import datetime
from pathlib import Path

import click

from hfscan import export
from hfscan.cli._command import Choice, Command
from hfscan.cli._options import (
    as_of_option,
    db_option,
    open_store,
    select_snapshot,
    snapshot_option,
)
from hfscan.cli._output import echo


@click.command("export", cls=Command)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@db_option
@click.option(
    "--table",
    "tables",
    type=Choice(export.TABLES),
    multiple=True,
    help="Only this table, and its snapshots; repeatable. history: each state of each model, and "
    "when it was seen so.  [default: all but history, reports, and a README]",
)
@as_of_option
@snapshot_option
def command(
    folder: Path,
    db: Path,
    tables: tuple[str, ...],
    as_of: datetime | None,
    snapshot: int | None,
) -> None:
    """Write a snapshot, its figures and reports to FOLDER, as Parquet and Markdown.

    DuckDB, Polars, pandas, Spark and `datasets` read it; `hfscan import FOLDER` brings it back with
    the same figures. README.md there says what is in it. An earlier export in FOLDER is replaced.
    """
    with open_store(db) as store:
        chosen = select_snapshot(store, snapshot, as_of).snapshot
        exported = export.export(
            store, folder, snapshot=chosen, tables=tables or export.TABLES[:-1]
        )
    if not tables:
        export.write_card(exported)
    rows = ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in exported.rows.items())
    echo(f"Wrote {rows} to {folder}")
