from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from hfscan.cli._command import Command
from hfscan.cli._options import (
    SnapshotSelector,
    format_option,
    snapshot_options,
    transformers_option,
    weight_option,
)
from hfscan.cli._output import note
from hfscan.cli._streams import output
from hfscan.cli._types import Choice, Frameworks
from hfscan.figures import (
    Definition,
    FigureRequest,
    SnapshotView,
    Weight,
    compute_adoption,
    compute_trend,
    format_period,
    list_breaks,
)
from hfscan.figures.trend import Per
from hfscan.frameworks import DEFINITIONS, taxonomy
from hfscan.report import TABLE_FORMATS, format_percent, group_table, pivot_table, write_rows
from hfscan.report.caveats import explain_estimates, explain_small
from hfscan.report.format import add_uncertainty
from hfscan.report.tables import Table
from hfscan.scope import DEFAULT_FRAMEWORKS
from hfscan.store import Snapshot

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
    help="Group models by year or month of creation, or show all models of each snapshot of the "
    "entire Hub.",
)
@click.option(
    "--formats",
    is_flag=True,
    help="Show the share of models that have each framework, format or runtime (or those of "
    "--frameworks), alone or with others.",
)
@click.option(
    "--frameworks",
    type=Frameworks(),
    help="The frameworks compared.  [default: pytorch,tensorflow; with --formats: everything]",
)
@click.option(
    "--definition",
    type=Choice(DEFINITIONS),
    help="Evidence that a model supports a framework.  [default: tag beside best; with --formats: "
    "best]",
)
@transformers_option
@weight_option
@format_option
@snapshot_options
def command(
    per: Per,
    formats: bool,
    frameworks: tuple[str, ...] | None,
    definition: Definition | None,
    transformers: int | None,
    weight: Weight,
    format_: str,
    selector: SnapshotSelector,
) -> None:
    """Show how framework shares change: by date of creation, or from snapshot to snapshot.

    By date of creation, models at the Hub's creation-date cutoff are left out. Coverage is the part
    of the models that the shares describe. Notes on stderr say where a definition changes its
    meaning.
    """
    definitions: tuple[Definition, ...] = ("tag", "best")
    if definition or formats:
        definitions = (definition or "best",)
    if formats and weight != "models":
        raise click.UsageError("--formats cannot be combined with --weight.")
    if per == "snapshot" and selector.snapshot is not None:
        raise click.UsageError("--per snapshot cannot be combined with --snapshot.")
    with selector.open() as store:
        if per == "snapshot":
            view = SnapshotView.latest(store, as_of=selector.end)
            transformers = transformers or view.transformers  # the newest one's, for all
        else:
            view = selector.select(store)
        definitions = tuple(filter(view.supports_definition, definitions)) or definitions
        if formats:
            adoption = compute_adoption(
                view,
                per=per,
                frameworks=frameworks,
                definition=definitions[0],
                transformers=transformers,
                as_of=selector.end,
            )
            rows, figures = list(adoption), []
            table = _tabulate_adoption(rows, view)
        else:
            names = frameworks or DEFAULT_FRAMEWORKS
            figures = [
                figure
                for evidence in definitions
                for figure in compute_trend(
                    view,
                    FigureRequest(
                        names, definition=evidence, weight=weight, transformers=transformers
                    ),
                    per=per,
                    as_of=selector.end,
                )
            ]
            table = group_table(figures, per, view.find_titles(names), with_coverage=True)
            rows = [figure.as_dict() for figure in figures]
    for warning in _list_notes(per, definitions, weight, view.snapshot):
        note(warning)
    if format_ in TABLE_FORMATS:
        TABLE_FORMATS[format_](table, output(format_))
        shares = figures, rows if formats else ()
        for text in (explain_small(*shares), explain_estimates(*shares, [view.snapshot])):
            if text:
                note(text)
    else:
        write_rows(format_, rows, output(format_))


def _list_notes(
    per: Per, definitions: Sequence[Definition], weight: Weight, snapshot: Snapshot
) -> Iterator[str]:
    """Yield what changes the meaning of the figures from one period to the next."""
    if per != "snapshot":
        yield (
            "Models older than 2 March 2022 are left out: the Hub does not know when they were "
            "created."
        )
    if weight == "downloads":
        yield (
            "Downloads are those of the 30 days before the snapshot, for models of any age. The "
            "Hub has changed how it counts them: docs/data-quality.md has the dates."
        )
    yield from list_breaks(definitions, None, snapshot.observed_to)


def _tabulate_adoption(rows: Sequence[Mapping[str, Any]], view: SnapshotView) -> Table:
    """Return a table of shares by framework and period, with the fewer of both as columns."""
    periods, frameworks = ({row[key] for row in rows} for key in ("period", "framework"))
    few_periods = len(periods) <= len(frameworks)
    keys = ("rows", "columns", "cells") if few_periods else ("columns", "rows", "cells")
    titles = taxonomy().titles
    cells = []
    for row in rows:
        period = format_period(row["period"], view.snapshot)
        share = add_uncertainty(format_percent(row["share"]), row, "share")
        cell = (titles[row["framework"]], period, share)
        cells.append(dict(zip(keys, cell, strict=True)))
    return pivot_table(cells)
