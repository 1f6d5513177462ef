"""A section as rows and columns of text: the shape that terminal and Markdown share."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hfscan.figures import By, Figure
from hfscan.report.report import Report, Section
from hfscan.report.words import (
    CUTOFFS,
    GROUPS,
    UNITS,
    WEIGHTS,
    among,
    label,
    number,
    percent,
    told,
    told_share,
)


@dataclass(frozen=True)
class Table:
    """Headings and rows of text. The first column names the row."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str | None = None

    @property
    def prose(self) -> tuple[bool, ...]:
        """For each column, whether it holds words, which are set to the left; numbers are not."""
        columns = zip(*self.rows, strict=True)
        held = [not all(map(_NUMBER.match, column)) for column in columns]
        return (True, *held[1:]) if held else (True,) * len(self.headings)


_CUTOFFS = {
    "excluded": "Dated by the Hub",
    "included": "With all older models",
    "only": "Older models alone",
}
"""`CUTOFFS` in short, for a chart on a phone."""

_NUMBER = re.compile(r"[<>+-]?\d|-?$")


def tables(section: Section, report: Report) -> list[Table]:
    """Return the section's tables: one per treatment of the cutoff, or one in all."""
    if section.split and section.columns:
        return [
            replace(_rows(rows, section.columns, report), title=_sentence(value))
            for value, rows in _split(section.rows, section.split).items()
        ]
    if section.pivot:
        return [_pivoted(section, section.pivot, report)]
    if section.columns:
        return [_rows(section.rows, section.columns, report)]
    if section.across:
        return [_across(section, report)]
    if section.by is None:
        cutoffs = dict.fromkeys(figure.cutoff for figure in section.figures)
        return [
            _listing([one for one in section.figures if one.cutoff == cutoff], report.names, cutoff)
            for cutoff in cutoffs
        ]
    return [grid(section.figures, section.by, report.names)]


def _split(rows: Iterable[Mapping[str, Any]], column: str) -> dict[str, list[Mapping[str, Any]]]:
    parts: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        parts.setdefault(str(row[column]), []).append(row)
    return parts


def shown(figures: Iterable[Figure], by: By | None) -> list[Figure]:
    """Return the figures that add up to a whole, in the order in which they are shown."""
    whole = [one for one in figures if one.name in ("exclusive", "shared")]
    if by in (None, "month", "year", "snapshot"):
        return whole
    # the largest group first; what is left over last; nothing of groups that nobody serves
    there = (one for one in whole if one.denominator)
    return sorted(there, key=lambda one: (one.group == "(other)", -one.denominator))


def row_label(section: Section, figure: Figure, report: Report) -> str:
    """Return what the figure's row is called in its section's table and chart."""
    if section.across == "weight":
        return WEIGHTS[figure.weight]
    if section.across:
        return f"{figure.definition}: {among(figure.frameworks, report)}"
    if section.by is None:
        return _CUTOFFS[figure.cutoff] if figure.cutoff else section.title
    return group_label(figure)


def group_label(figure: Figure) -> str:
    """Return the figure's group; a year or month with the covered part where that is not all."""
    dated = figure.by in ("year", "month") and figure.covered
    return figure.covered.label if dated and figure.covered else str(figure.group)


def _rows(rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str], report: Report) -> Table:
    return Table(
        tuple(columns.values()),
        tuple(tuple(told(row, column, report) for column in columns) for row in rows),
    )


def _pivoted(section: Section, pivot: Mapping[str, str], report: Report) -> Table:
    return pivoted(
        {key: told(row, column, report) for key, column in pivot.items()} for row in section.rows
    )


def pivoted(cells_told: Iterable[Mapping[str, str]]) -> Table:
    """Return a table of cells, each of which says its row and its column: rows, columns, cells."""
    cells: dict[str, dict[str, str]] = {}
    headings: dict[str, None] = {}
    for one in cells_told:
        headings[one["columns"]] = None
        cells.setdefault(one["rows"], {})[one["columns"]] = one["cells"]
    return Table(
        ("", *headings),
        tuple((name, *(line.get(one, "") for one in headings)) for name, line in cells.items()),
    )


def _across(section: Section, report: Report) -> Table:
    """Return a row for each way to ask; each adds up to all that serve one."""
    names = report.names
    cells: dict[str, list[Figure]] = {}
    for one in shown(section.figures, None):
        cells.setdefault(row_label(section, one, report), []).append(one)
    more = any(one.framework not in (*names, None) for part in cells.values() for one in part)
    rows = []
    for name, figures in cells.items():
        only = {one.framework: one for one in figures if one.name == "exclusive"}
        others = [one for name, one in only.items() if name not in names]
        shared = next(one for one in figures if one.name == "shared")
        rows.append(
            (
                name,
                *(told_share(only[name]) for name in names),
                *([_sum_of_shares(others)] * more),
                told_share(shared),
                number(shared.denominator),
            )
        )
    return Table(
        (
            "",
            *(f"{title} only" for title in names.values()),
            *(["another only"] * more),
            "several" if more else label(shared, names),
            "of",
        ),
        tuple(rows),
    )


def _sum_of_shares(figures: list[Figure]) -> str:
    if not figures:
        return ""
    of_nothing = not figures[0].denominator
    return percent(None if of_nothing else sum(one.share or 0 for one in figures))


def _listing(figures: list[Figure], names: dict[str, str], cutoff: str | None) -> Table:
    return Table(
        ("", _sentence(UNITS[figures[0].weight]), "of", "Share"),
        tuple(
            (label(one, names), number(one.numerator), number(one.denominator), told_share(one))
            for one in figures
        ),
        _sentence(CUTOFFS[cutoff]) if cutoff else None,
    )


def grid(figures: Iterable[Figure], by: By, names: dict[str, str]) -> Table:
    """Return a row for each group, with exclusive and shared models."""
    whole = shown(figures, by)
    columns = list(dict.fromkeys(label(one, names) for one in whole))
    groups: dict[str, dict[str, Figure]] = {}
    for one in whole:
        groups.setdefault(group_label(one), {})[label(one, names)] = one
    rows = tuple(
        (
            group,
            *(f"{number(row[one].numerator)} ({told_share(row[one])})" for one in columns),
            number(next(iter(row.values())).denominator),
        )
        for group, row in groups.items()
    )
    return Table((GROUPS[by], *columns, "of"), rows)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
