"""Two reports side by side: another year, or another snapshot."""

import json
from collections.abc import Iterable
from dataclasses import replace

from hfscan.figures import Figure, SnapshotView
from hfscan.report.report import Report, Section


def compare(one: Report, other: Report, view: SnapshotView) -> Report:
    """Return a report of what `one` and `other` share, both built from the plan `compare`.

    The earlier of the two comes first. Each section holds the rows of `compare.sql`. `view` only
    runs it: figures come from the two.
    """
    one, other = sorted(
        (one, other), key=lambda side: (side.question.year or 0, side.snapshot.observed_to)
    )
    labels = _labels(one, other)
    theirs = {section.name: section for section in other.sections}
    sections = [
        _beside(section, theirs[section.name], labels, view)
        for section in one.sections
        if section.name in theirs
    ]
    return replace(
        one,
        title=one.title.replace(LABELS, " and ".join(labels)),
        sections=tuple(sections),
        headline=next(part for part in sections if part.name == one.headline.name),
        titles=one.titles | other.titles,
        notes=tuple(dict.fromkeys((*one.notes, *other.notes))),
        other=other,
    )


LABELS = "{labels}"
"""In the plan's title: what the two are called."""


def _labels(one: Report, other: Report) -> tuple[str, str]:
    """Return what tells the two apart: their years, else their days, else their snapshots."""
    if one.question.year != other.question.year:
        return _year(one), _year(other)
    days = [f"{report.snapshot.observed_to:%Y-%m-%d}" for report in (one, other)]
    if days[0] != days[1]:
        return days[0], days[1]
    return f"snapshot {one.snapshot.id}", f"snapshot {other.snapshot.id}"


def _year(report: Report) -> str:
    return report.period.label if report.period else "all models"


def _beside(one: Section, other: Section, labels: tuple[str, str], view: SnapshotView) -> Section:
    asked = {"figures": _told(one.figures), "others": _told(other.figures)}
    columns = {
        "share": labels[0],
        "denominator": "of",
        "other_share": labels[1],
        "other_denominator": "of ",
        "points": "Points",
    }
    first = {"what": ""} if one.by is None else {"group": "", "what": "Serve"}
    return replace(
        one,
        query="compare",
        figures=(),
        rows=tuple(view.run("compare", asked)),
        columns=first | columns,
        parameters={},
        chart="change x=share x2=other_share y=row",
    )


def _told(figures: Iterable[Figure]) -> str:
    return json.dumps(
        [
            figure.as_dict()
            for figure in figures
            if figure.name in ("exclusive", "shared") and figure.cutoff in (None, "excluded")
        ]
    )
