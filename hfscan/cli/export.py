from __future__ import annotations

from pathlib import Path

import click

from hfscan.choices import TABLES
from hfscan.cli._command import Command
from hfscan.cli._options import SnapshotSelector, snapshot_options
from hfscan.cli._output import echo
from hfscan.cli._progress import show_activity
from hfscan.cli._types import FOLDER, Choice
from hfscan.text import format_count

_EXAMPLES = """
hfscan export census
hfscan export census --as-of 2024-07-11
hfscan export census --table models --table figures
"""


@click.command("export", cls=Command, examples=_EXAMPLES)
@click.argument("folder", type=FOLDER)
@click.option(
    "--table",
    "tables",
    type=Choice(TABLES),
    multiple=True,
    help="Write only this table and `snapshots`; repeatable. history: every version of every "
    "model.  [default: all except history, plus reports and a README]",
)
@snapshot_options
def command(folder: Path, tables: tuple[str, ...], selector: SnapshotSelector) -> None:
    """Write a snapshot, its figures and reports to FOLDER as Parquet and Markdown.

    DuckDB, Polars, pandas, Spark and `datasets` can read it. `hfscan import FOLDER` restores it
    with the same figures. README.md describes the content. Replaces an earlier export in FOLDER.
    """
    from hfscan import export

    with show_activity("Exporting"), selector.open() as store:
        chosen = selector.select(store).snapshot
        exported = export.export(store, folder, snapshot=chosen, tables=tables or TABLES[:-1])
        if not tables:
            export.write_card(exported)
    rows = ", ".join(_describe_rows(name, count) for name, count in exported.rows.items())
    echo(f"Wrote {rows} to {folder}")


def _describe_rows(table: str, count: int) -> str:
    """Return the number of rows of a table: "1 snapshot", "3 rows of history"."""
    noun = table.replace("_", " ")
    singular = noun.removesuffix("s")
    return (
        f"{format_count(count, 'row')} of {noun}"
        if singular == noun
        else format_count(count, singular)
    )
