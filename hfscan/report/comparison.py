"""Compare two reports of the same specification: two years, or two snapshots."""

import json
from collections.abc import Sequence
from dataclasses import replace

from hfscan.figures import SnapshotView, list_breaks, load
from hfscan.report.caveats import SMALL_MARK, explain_small
from hfscan.report.model import Report, Section
from hfscan.report.tables import visible_figures

LABELS = "{labels}"
"""Placeholder in the title of a comparison: the labels of the two reports."""


def compare(report: Report, other: Report, view: SnapshotView) -> Report:
    """Return a report of the sections that two reports share, the earlier report first.

    Both are built from a specification such as `compare`. Each section has the rows of
    `compare.sql`, which runs in `view`.
    """
    first, second = sorted(
        (report, other), key=lambda side: (side.request.year or 0, side.snapshot.observed_to)
    )
    labels = _comparison_labels(first, second)
    earlier = first.request.period
    breaks = list_breaks(
        ("tag", second.definition),
        earlier and earlier[0],
        second.period.until if second.period else second.snapshot.observed_to,
    )
    compared = {section.name: section for section in second.sections}
    is_same_period = first.request.year == second.request.year
    return replace(
        first,
        title=first.title.replace(LABELS, " and ".join(labels)),
        sections=tuple(
            _compare_section(section, compared[section.name], labels, view, is_same_period)
            for section in first.sections
            if section.name in compared
        ),
        titles={**first.titles, **second.titles},
        notes=(*_merge_texts(first.notes, second.notes, labels, is_same_period), *breaks),
        flags=(*first.flags, *second.flags),
        compared_with=second,
    )


def _comparison_labels(first: Report, second: Report) -> tuple[str, str]:
    """Return what distinguishes two reports: their years, else their days, else their ids."""
    if first.request.year != second.request.year:
        years = [
            report.period.label if report.period else "all models" for report in (first, second)
        ]
        return years[0], years[1]
    days = [f"{report.snapshot.observed_to:%Y-%m-%d}" for report in (first, second)]
    if days[0] != days[1]:
        return days[0], days[1]
    return f"snapshot {first.snapshot.id}", f"snapshot {second.snapshot.id}"


def _merge_texts(
    first: Sequence[str], second: Sequence[str], labels: tuple[str, str], is_same_period: bool
) -> tuple[str, ...]:
    """Return the texts of both sides; of the same period, with the snapshot that each is about."""
    if not is_same_period:  # the texts name their period
        return tuple(dict.fromkeys((*first, *second)))
    common = [text for text in first if text in second]
    return (
        *common,
        *(
            f"{label[:1].upper()}{label[1:]}: {text}"
            for texts, label in zip((first, second), labels, strict=True)
            for text in texts
            if text not in common
        ),
    )


def _compare_section(
    first: Section,
    second: Section,
    labels: tuple[str, str],
    view: SnapshotView,
    is_same_period: bool,
) -> Section:
    query = load("compare")
    parameters = {"figures": _to_json(first), "compared_figures": _to_json(second)}
    label_columns = {"class": ""} if first.by is None else {"group": "", "class": "Class"}
    columns = {"share": labels[0], "denominator": "Total", "compared_share": labels[1]}
    columns |= {"compared_denominator": "Total", "points": "Points"}
    rows = tuple(view.run(query.name, parameters))
    first_texts, second_texts = (
        [text for text in side.paragraphs if not text.startswith(SMALL_MARK.strip())]
        for side in (first, second)
    )
    paragraphs = (
        *_merge_texts(first_texts, second_texts, labels, is_same_period),
        explain_small((), rows),
    )
    return replace(
        first,
        query=query.name,
        figures=(),
        rows=rows,
        columns=label_columns | columns,
        formats=query.columns,
        parameters={},
        chart=query.chart,
        paragraphs=tuple(filter(None, paragraphs)),
        queries=(),
    )


def _to_json(section: Section) -> str:
    figures = (
        figure.as_dict()
        for figure in visible_figures(section.figures, None)
        if figure.cutoff in (None, "excluded")
    )
    return json.dumps(list(figures))
