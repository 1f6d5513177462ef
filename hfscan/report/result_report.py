"""Make a report of the result of one query, or of a trend, for its page and its chart."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hfscan.choices import Weight
from hfscan.figures import Figure, Query, SnapshotView, load
from hfscan.frameworks import taxonomy
from hfscan.report.caveats import explain_estimates, explain_flags, explain_small
from hfscan.report.dependence import explain_dependence, explain_dependent_rows
from hfscan.report.format import DEFINITION_LABELS, format_time, name_days
from hfscan.report.model import CustomText, QueryRef, Report, ReportRequest, Row, Section
from hfscan.report.sentences import format_totals
from hfscan.report.shares import explain_shares
from hfscan.report.snapshot_tables import measure_label, measured_rows
from hfscan.report.tables import visible_figures
from hfscan.report.titles import find_title
from hfscan.scope import DEFAULT_FRAMEWORKS
from hfscan.store import Snapshot, list_snapshots

_PERIODS = {"year": "year of creation", "month": "month of creation"}


def new_result_report(
    view: SnapshotView,
    name: str,
    title: str,
    sections: Iterable[Section],
    *,
    frameworks: tuple[str, ...] = DEFAULT_FRAMEWORKS,
    notes: Iterable[str] = (),
    compared: Iterable[Snapshot] = (),
) -> Report:
    """Return a report of sections on one snapshot, or on those `compared`.

    The first finding is its title.
    """
    titles = view.find_titles(frameworks)
    sections = tuple(_add_limits(section, titles, view.snapshot) for section in sections)
    used = {
        row["snapshot"]
        for section in sections
        if any(reference.per_snapshot for reference in section.queries)
        for row in section.rows
    }
    snapshots = [known for known in list_snapshots(view.store) if known.id in used]
    report = Report(
        name=name,
        title=title,
        sections=sections,
        request=ReportRequest(frameworks=frameworks),
        frameworks=titles,
        titles=taxonomy().titles,
        snapshots=tuple(compared) or tuple(snapshots) or (view.snapshot,),
        notes=tuple(notes),
        text=CustomText(title),
    )
    finding = find_title(report.sections[0], report)
    return replace(report, text=CustomText(f"{finding or title}.", finding=finding))


def _add_limits(section: Section, titles: Mapping[str, str], snapshot: Snapshot) -> Section:
    """Return the section with its totals, and what limits its shares, in words."""
    if section.is_own_sql:
        return section
    visible = visible_figures(section.figures, section.by)
    totals = format_totals(section) if section.pivot else None
    dependence = explain_dependence(visible, titles)
    dependence = dependence or explain_dependent_rows(section.rows, titles)
    return replace(
        section,
        paragraphs=tuple(filter(None, (*section.paragraphs, totals, explain_flags(section.rows)))),
        dependence=(dependence,) if dependence else (),
        small=explain_small(visible, section.rows, section.shown_columns),
        estimate=explain_estimates(visible, section.rows, [snapshot]),
    )


def query_section(
    query: Query,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    parameters: Mapping[str, object],
    snapshot: int | None,
    compared: Mapping[str, Snapshot],
) -> Section:
    """Return the section of a query's result.

    `snapshot` None: it ran over each snapshot. `compared`: as in `Result`.
    """
    is_named = query.name != ""
    chart, is_per_snapshot = query.chart, snapshot is None
    result = tuple(dict(zip(columns, row, strict=True)) for row in rows)
    if is_per_snapshot:
        chart = _series_chart(query, columns)
    parameters = {**parameters, **{name: one.id for name, one in compared.items()}}
    values = query.fill_defaults(parameters)
    reference = QueryRef(query.name, parameters, snapshot, per_snapshot=is_per_snapshot)
    return Section(
        name=query.name or "result",
        title=query.title or "Result of a query",
        note=query.answers if is_named else query.sql,
        query=query.name,
        rows=result,
        columns=None if result else {},
        formats=query.columns,
        parameters=values,
        chart=chart,
        paragraphs=describe_parameters(values, compared),
        queries=(reference,) if is_named else (),
        days=name_days(compared),
        is_own_sql=not is_named,
    )


def describe_parameters(
    values: Mapping[str, object], compared: Mapping[str, Snapshot]
) -> tuple[str, ...]:
    """Return with which parameters a query ran, as a paragraph; none where it has none.

    `compared`: as in `Result`; their days are said.
    """
    days = {
        name: f"{snapshot.id} ({format_time(snapshot.observed_to)})"
        for name, snapshot in compared.items()
    }
    given = [
        f"{name} = {value}"
        for name, value in (dict(values) | days).items()
        if value is not None and name != "account_groups"
    ]
    return (f"Parameters: {', '.join(given)}.",) if given else ()


def _series_chart(query: Query, columns: Sequence[str]) -> str | None:
    """Return the chart of shares over snapshots: a line for each group of the query's chart."""
    channels = dict(part.split("=") for part in (query.chart or "").split()[1:])
    group = channels.get("color", channels.get("y"))
    if "share" not in columns or group not in columns or group == "share":  # of a curve
        return None
    return f"series x=observed_at y=share color={group}"


def exclusivity_sections(
    figures: Sequence[Figure], per: str, titles: Mapping[str, str]
) -> Iterable[Section]:
    """Yield a section for each definition of figures by year or month, best evidence first.

    `titles`: framework -> title.
    """
    for definition in sorted({figure.definition for figure in figures}):
        own = tuple(figure for figure in figures if figure.definition == definition)
        yield Section(
            name=f"by_{definition}",
            title=f"By {_PERIODS[per]}: {DEFINITION_LABELS[definition]}",
            query="exclusivity",
            note=explain_shares(
                "exclusivity",
                (definition,),
                titles,
                f"created in the {per}",
                weight=own[0].weight,
                transformers=own[0].transformers,
            ),
            by=own[0].by,
            figures=own,
            parameters={
                "frameworks": list(own[0].frameworks),
                "definition": definition,
                "transformers": own[0].transformers,
                "cutoff": own[0].cutoff,
                "weight": own[0].weight,
                "by": per,
            },
            chart="columns x=group y=share color=framework",
        )


def adoption_section(
    rows: Sequence[Row], per: str, note: str, parameters: Mapping[str, object]
) -> Section:
    """Return the section of the shares of frameworks, formats and runtimes by period.

    `note`: of what the shares are. `parameters`: those of the query.
    """
    query = load("formats")
    return Section(
        name="formats",
        title=f"Frameworks, formats and runtimes by {_PERIODS[per]}",
        note=note,
        query=query.name,
        rows=tuple(rows),
        pivot={"rows": "framework", "columns": "period", "cells": "share"},
        parameters={"per": per, **parameters},
        formats=query.columns,
        chart=query.chart,
    )


def measure_sections(
    rows: Sequence[Row],
    titles: Mapping[str, str],
    *,
    weight: Weight = "models",
    transformers: int | None = None,
) -> Iterable[Section]:
    """Yield a section for each measure and definition of `compare_snapshots`.

    `titles`: framework -> title. `weight`, `transformers`: as the rows were counted.
    """
    for measure, definition in dict.fromkeys((row["measure"], row["definition"]) for row in rows):
        query = load(measure)
        given = {"definition": definition, "frameworks": list(titles)}
        own = tuple(
            {**row, "label": measure_label(row, titles)}
            for row in measured_rows(rows, titles)
            if (row["measure"], row["definition"]) == (measure, definition)
        )
        parameters = {key: given[key] for key in given.keys() & query.defaults.keys()}
        yield Section(
            name=f"{measure}_{definition}",
            title=f"{query.title}: {DEFINITION_LABELS[definition]}",
            note=explain_shares(
                measure,
                (definition,),
                titles,
                "in the snapshot",
                weight=weight,
                transformers=transformers,
                rows=own,
            ),
            rows=own,
            pivot={"rows": "label", "columns": "observed_at", "cells": "share"},
            formats={"share": "share"},
            chart="series x=observed_at y=share color=label",
            queries=(QueryRef(measure, parameters, None, per_snapshot=True),),
        )
