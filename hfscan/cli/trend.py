from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

import click

from hfscan.cli._command import Command
from hfscan.cli._options import (
    SnapshotSelector,
    snapshot_options,
    transformers_option,
    weight_option,
)
from hfscan.cli._output import note
from hfscan.cli._progress import show_activity
from hfscan.cli._reports import ResultTarget, result_options, write_report_file, write_text
from hfscan.cli._types import Choice, Frameworks
from hfscan.errors import NotFoundError
from hfscan.frameworks import DEFINITIONS, taxonomy
from hfscan.scope import DEFAULT_FRAMEWORKS

if TYPE_CHECKING:
    from hfscan.figures import Definition, SnapshotView, Weight
    from hfscan.figures.trend import Per
    from hfscan.report import Section
    from hfscan.report.tables import Table

_EXAMPLES = """
hfscan trend
hfscan trend --per month --frameworks pytorch,jax --format csv
hfscan trend --formats
hfscan trend --by-snapshot
hfscan trend --out trend.png
"""


@click.command("trend", cls=Command, examples=_EXAMPLES)
@click.option(
    "--per",
    type=Choice(["year", "month"]),
    help="Group models by year or month of creation.  [default: year]",
)
@click.option(
    "--by-snapshot",
    is_flag=True,
    help="Show all models of each snapshot of the entire Hub instead: exclusivity, formats and the "
    "breakdown. Snapshots with implausible data are marked.",
)
@click.option(
    "--formats",
    is_flag=True,
    help="Show only the share of models that have each framework, format or runtime (or those of "
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
@result_options
@snapshot_options
def command(
    per: Per | None,
    by_snapshot: bool,
    formats: bool,
    frameworks: tuple[str, ...] | None,
    definition: Definition | None,
    transformers: int | None,
    weight: Weight,
    target: ResultTarget,
    selector: SnapshotSelector,
) -> None:
    """Show how framework shares change: by date of creation, or from snapshot to snapshot.

    By date of creation, models at the Hub's creation-date cutoff are left out. Each table says of
    which models its shares are (Total), by which definition, and their coverage: Total's share of
    all models. Notes on stderr say where a definition changes its meaning. Formats and the
    breakdown count models; with --weight there is only exclusivity.
    """
    from hfscan.figures.trend import choose_definitions
    from hfscan.report import TABLE_FORMATS, write_rows
    from hfscan.report.caveats import explain_small
    from hfscan.report.provenance import describe_snapshot
    from hfscan.report.result_report import new_result_report
    from hfscan.report.tables import visible_figures
    from hfscan.report.trend_notes import describe_no_rows, describe_trend, explain_trend

    if formats and weight != "models":
        raise click.UsageError("--formats cannot be combined with --weight.")
    if by_snapshot and (per or selector.snapshot is not None):
        raise click.UsageError("--by-snapshot cannot be combined with --per or --snapshot.")
    with show_activity("Counting models"), selector.open() as store:
        view = selector.select(store)
        definitions = choose_definitions(view, definition, formats=formats)
        options = _Options(frameworks, definitions, weight, transformers)
        if by_snapshot:
            rows, tables, sections = _compare_snapshots(view, options, formats, selector.end)
        elif formats:
            rows, tables, sections = _show_formats(view, options, per or "year")
        else:
            rows, tables, sections = _show_exclusivity(view, options, per or "year")
        notes = list(describe_trend(view, rows, definitions, weight, by_snapshot=by_snapshot))
        if target.is_document:
            if not rows:
                raise NotFoundError(describe_no_rows(view, by_snapshot=by_snapshot))
            report = new_result_report(
                view,
                "trend",
                "How the frameworks of the Hub's models change",
                sections,
                frameworks=options.compared,
                notes=notes,
            )
            write_report_file(report, target)
            return
        titles = view.find_titles(options.compared)
    if not by_snapshot:
        note(describe_snapshot(view.snapshot))
    for text in notes:
        note(text)
    limits = explain_trend(rows, titles, view)
    if target.format not in TABLE_FORMATS:
        write_text(lambda out: write_rows(target.format, rows, out), target.format, target.path)
    else:
        write_text(
            lambda out: _write_tables(target.format, tables, out), target.format, target.path
        )
        figures = [one for part in sections for one in visible_figures(part.figures, part.by)]
        shown = [row for part in sections for row in part.rows]
        limits += filter(None, [explain_small(figures, shown)])
    for text in limits:
        note(text)


def _write_tables(format_: str, tables: Sequence[Table], out: TextIO) -> None:
    from hfscan.report import TABLE_FORMATS

    for number, table in enumerate(tables):
        if number:
            out.write("\n")
        TABLE_FORMATS[format_](table, out)


@dataclass(frozen=True)
class _Options:
    frameworks: tuple[str, ...] | None
    definitions: tuple[Definition, ...]
    weight: Weight
    transformers: int | None

    @property
    def compared(self) -> tuple[str, ...]:
        return self.frameworks or DEFAULT_FRAMEWORKS


_Result = tuple[list[dict[str, Any]], "list[Table]", "list[Section]"]


def _show_exclusivity(view: SnapshotView, options: _Options, per: Per) -> _Result:
    from hfscan.figures.trend import compute_exclusivity_trend
    from hfscan.report import group_table
    from hfscan.report.result_report import exclusivity_sections
    from hfscan.report.shares import explain_shares

    figures = list(
        compute_exclusivity_trend(
            view,
            options.definitions,
            per=per,
            frameworks=options.frameworks,
            weight=options.weight,
            transformers=options.transformers,
        )
    )
    titles = view.find_titles(options.compared)
    table = replace(
        group_table(figures, per, titles),
        note=explain_shares(
            "exclusivity",
            options.definitions,
            titles,
            f"created in the {per}",
            weight=options.weight,
            transformers=figures[0].transformers if figures else None,
        ),
    )
    rows = [figure.as_dict() for figure in figures]
    return rows, [table], list(exclusivity_sections(figures, per, titles))


def _show_formats(view: SnapshotView, options: _Options, per: Per) -> _Result:
    from hfscan.figures import compute_adoption
    from hfscan.report.result_report import adoption_section
    from hfscan.report.shares import explain_shares

    adoption = compute_adoption(
        view,
        per=per,
        frameworks=options.frameworks,
        definition=options.definitions[0],
        transformers=options.transformers,
    )
    rows = list(adoption)
    note = explain_shares(
        "formats",
        options.definitions,
        view.find_titles(options.compared),
        f"created in the {per}",
        transformers=options.transformers or view.transformers,
        rows=rows,
    )
    table = replace(_tabulate_adoption(rows, view), note=note)
    parameters = {
        "only": options.frameworks and list(options.frameworks),
        "definition": options.definitions[0],
        "transformers": options.transformers,
    }
    return rows, [table], [adoption_section(rows, per, note, parameters)]


def _compare_snapshots(
    view: SnapshotView, options: _Options, formats: bool, as_of: datetime | None
) -> _Result:
    from hfscan.figures import compare_snapshots
    from hfscan.figures.per_snapshot import list_complete
    from hfscan.figures.trend import list_measures
    from hfscan.report.result_report import measure_sections
    from hfscan.report.shares import explain_shares
    from hfscan.report.snapshot_tables import measure_tables

    measures = list_measures(options.weight, formats=formats)
    rows = list(compare_snapshots(view, measures, **vars(options), as_of=as_of))
    titles = view.find_titles(options.compared)
    weight = options.weight
    transformers = options.transformers or list_complete(view.store, as_of)[-1].transformers
    tables = []
    for measure, table in measure_tables(rows, titles).items():
        own = [row for row in rows if row["measure"] == measure]
        text = explain_shares(
            measure,
            list(dict.fromkeys(row["definition"] for row in own)),
            titles,
            "in the snapshot",
            weight=weight,
            transformers=transformers,
            rows=own,
        )
        tables.append(replace(table, note=text))
    sections = measure_sections(rows, titles, weight=weight, transformers=transformers)
    return rows, tables, list(sections)


def _tabulate_adoption(rows: Sequence[Mapping[str, Any]], view: SnapshotView) -> Table:
    """Return a table of shares by framework and period, with the total of each period."""
    from hfscan.figures import format_period
    from hfscan.report import format_percent
    from hfscan.report.format import add_uncertainty
    from hfscan.report.snapshot_tables import narrow_pivot_table, total_cells

    titles = taxonomy().titles
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(format_period(row["period"], view.snapshot), []).append(row)
    cells = [
        (
            titles[row["framework"]],
            label,
            add_uncertainty(format_percent(row["share"]), row, "share"),
        )
        for label, group in groups.items()
        for row in group
    ]
    return narrow_pivot_table([*cells, *total_cells(groups)])
