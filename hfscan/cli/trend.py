"""`hfscan trend`."""

from datetime import datetime
from pathlib import Path

import click

from hfscan.cli._command import Choice, Command
from hfscan.cli._options import (
    Frameworks,
    as_of_option,
    db_option,
    end_of_day,
    format_option,
    open_store,
    select_snapshot,
    snapshot_option,
)
from hfscan.cli._streams import output
from hfscan.figures import (
    WEIGHTS,
    Definition,
    FigureRequest,
    SnapshotView,
    Weight,
    adoption,
    label_of,
    trend,
)
from hfscan.figures.trend import Per
from hfscan.frameworks import DEFINITIONS, taxonomy
from hfscan.report import ROW_FORMATS, TABLE_FORMATS
from hfscan.report.table import grid, pivoted
from hfscan.report.words import percent
from hfscan.scope import DEFAULT_FRAMEWORKS

_EXAMPLES = """
hfscan trend
hfscan trend --per month --frameworks pytorch,jax --format csv
hfscan trend --formats --per snapshot
"""


@click.command("trend", cls=Command, examples=_EXAMPLES)
@click.option(
    "--per",
    type=Choice(["year", "month", "snapshot"]),
    default="year",
    show_default=True,
    help="Year or month of creation, as one snapshot dates them; or all models of each "
    "snapshot of the whole Hub.",
)
@click.option(
    "--formats",
    is_flag=True,
    help="Models that have each framework, format or runtime (or those of --frameworks), whatever "
    "else they have.",
)
@click.option(
    "--frameworks",
    type=Frameworks(),
    help="The frameworks compared.  [default: pytorch,tensorflow; with --formats: everything]",
)
@click.option(
    "--definition",
    type=Choice(DEFINITIONS),
    default="tag",
    show_default=True,
    help="Evidence that a model supports a framework.",
)
@click.option(
    "--weight",
    type=Choice(WEIGHTS),
    default="models",
    show_default=True,
    help="Count each model once, by its 30-day downloads, or each author once.",
)
@db_option
@format_option
@as_of_option
@snapshot_option
def command(
    per: Per,
    formats: bool,
    frameworks: tuple[str, ...] | None,
    definition: Definition,
    weight: Weight,
    db: Path,
    format_: str,
    as_of: datetime | None,
    snapshot: int | None,
) -> None:
    """Show how the shares change: by creation date, or from snapshot to snapshot.

    By creation date, models older than the Hub's creation-date cutoff are left out.
    """
    if formats and weight != "models":
        raise click.UsageError("--formats cannot be combined with --weight.")
    if per == "snapshot" and snapshot is not None:
        raise click.UsageError("--per snapshot cannot be combined with --snapshot.")
    until = end_of_day(as_of)
    with open_store(db) as store:
        if per != "snapshot":
            select_snapshot(store, snapshot, as_of)  # for its note
        if formats:
            rows = list(
                adoption(
                    store,
                    per=per,
                    frameworks=frameworks,
                    definition=definition,
                    snapshot=snapshot,
                    as_of=until,
                )
            )
            few = len({row["period"] for row in rows}) <= len({row["framework"] for row in rows})
            titles = taxonomy().titles
            latest = SnapshotView.latest(store, snapshot=snapshot, as_of=until).snapshot
            keys = ("rows", "columns", "cells") if few else ("columns", "rows", "cells")
            cells = (
                (titles[row["framework"]], label_of(row["period"], latest), percent(row["share"]))
                for row in rows
            )
            table = pivoted(dict(zip(keys, cell, strict=True)) for cell in cells)
        else:
            request = FigureRequest(
                frameworks or DEFAULT_FRAMEWORKS, definition=definition, weight=weight
            )
            figures = list(trend(store, request, per=per, snapshot=snapshot, as_of=until))
            view = SnapshotView.latest(store, snapshot=snapshot, as_of=until)
            names = view.titles(request.frameworks)
            table = grid(figures, per, names)
            rows = [figure.as_dict() for figure in figures]
    if format_ in TABLE_FORMATS:
        TABLE_FORMATS[format_](table, output(format_))
    else:
        ROW_FORMATS[format_](rows, output(format_))
