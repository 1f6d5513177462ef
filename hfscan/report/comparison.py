"""Compare two reports of the same specification: two years, or two snapshots."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from hfscan.errors import InvalidRequestError
from hfscan.figures import SnapshotView, list_breaks, load
from hfscan.report.caveats import INTERVALS, explain_estimates, explain_small
from hfscan.report.model import Report, Section
from hfscan.report.tables import visible_figures
from hfscan.store import Snapshot

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
    sides = _Sides(first, second)
    earlier = first.request.period
    breaks = list_breaks(
        ("tag", second.definition),
        earlier and earlier[0],
        second.period.until if second.period else second.snapshot.ends_at,
    )
    compared = {section.name: section for section in second.sections if section.figures}
    if not compared:
        raise InvalidRequestError(
            f"The report {first.name} has no figures to compare. For how its numbers change, use "
            "hfscan query NAME --per-snapshot."
        )
    return replace(
        first,
        title=first.title.replace(LABELS, " and ".join(sides.labels)),
        sections=tuple(
            _compare_section(section, compared[section.name], sides, view)
            for section in first.sections
            if section.name in compared
        ),
        titles={**first.titles, **second.titles},
        notes=(*sides.merge_texts(first.notes, second.notes), *breaks),
        flags=(*first.flags, *second.flags),
        compared_with=second,
    )


@dataclass(frozen=True)
class _Sides:
    """The two reports that are compared, the earlier first."""

    first: Report
    second: Report

    @property
    def snapshots(self) -> tuple[Snapshot, Snapshot]:
        return self.first.snapshot, self.second.snapshot

    @property
    def is_same_period(self) -> bool:
        return self.first.request.year == self.second.request.year

    @cached_property
    def labels(self) -> tuple[str, str]:
        """What distinguishes them: their years, else their days, else their ids."""
        if not self.is_same_period:
            years = [
                report.period.label if report.period else "all models"
                for report in (self.first, self.second)
            ]
            return years[0], years[1]
        days = [f"{snapshot.observed_to:%Y-%m-%d}" for snapshot in self.snapshots]
        if days[0] != days[1]:
            return days[0], days[1]
        return f"snapshot {self.snapshots[0].id}", f"snapshot {self.snapshots[1].id}"

    def merge_texts(self, first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
        """Return the texts of both; of the same period, with the snapshot that each is about."""
        if not self.is_same_period:  # the texts name their period
            return tuple(dict.fromkeys((*first, *second)))
        common = [text for text in first if text in second]
        named = (
            f"{label[:1].upper()}{label[1:]}: {text}"
            for texts, label in zip((first, second), self.labels, strict=True)
            for text in texts
            if text not in common
        )
        return (*common, *named)


def _compare_section(first: Section, second: Section, sides: _Sides, view: SnapshotView) -> Section:
    query = load("compare")
    is_sample = any(snapshot.sample is not None for snapshot in sides.snapshots)
    figures, compared_figures = (
        _to_json(section, exact=is_sample and snapshot.sample is None)
        for section, snapshot in zip((first, second), sides.snapshots, strict=True)
    )
    labels = sides.labels
    label_columns = {"class": ""} if first.by is None else {"group": "", "class": "Class"}
    columns = {"share": labels[0], "denominator": "Total", "compared_share": labels[1]}
    columns |= {"compared_denominator": "Total", "points": "Points"}
    rows = tuple(view.run(query.name, {"figures": figures, "compared_figures": compared_figures}))
    if not is_sample:
        intervals = INTERVALS.values()
        rows = tuple({key: row[key] for key in row if key not in intervals} for row in rows)
    return replace(
        first,
        query=query.name,
        finding=None,
        figures=(),
        rows=rows,
        columns=label_columns | columns,
        formats=query.columns,
        parameters={},
        chart=query.chart,
        coverage=sides.merge_texts(first.coverage, second.coverage),
        paragraphs=sides.merge_texts(first.paragraphs, second.paragraphs),
        dependence=tuple(
            f"{label}: {text}"
            for section, label in zip((first, second), labels, strict=True)
            for text in section.dependence
        ),
        small=explain_small((), rows),
        estimate=explain_estimates((), rows, sides.snapshots),
        queries=(),
    )


def _to_json(section: Section, *, exact: bool) -> str:
    """Return the figures of a section. `exact`: the interval of a share is the share itself."""
    rows = [
        figure.as_dict()
        for figure in visible_figures(section.figures, None)
        if figure.cutoff in (None, "excluded")
    ]
    if exact:
        rows = [row | {"interval": [row["share"]] * 2} for row in rows]
    return json.dumps(rows)
