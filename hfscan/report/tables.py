"""Turn a section into tables of text, for the formats that people read."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from hfscan.figures import ALL, Figure, Grouping
from hfscan.report.caveats import SMALL_MARK, is_small
from hfscan.report.format import (
    DEFINITION_LABELS,
    KNOWN_EVIDENCE,
    figure_label,
    format_cell,
    format_number,
    format_percent,
    format_share,
    frameworks_label,
    is_single,
)
from hfscan.report.model import Report, Row, Section
from hfscan.text import encode_json, format_float

OTHER_ONLY = "another framework only"
"""Label of the frameworks that only some rows of a table compare."""

_NUMBER = re.compile(r"[<>+-]?\d|-?$")

_CUTOFFS = {
    "excluded": ("Without models older than 2 March 2022", "Without older models"),
    "included": ("Including models older than 2 March 2022", "With older models"),
    "only": ("Only models older than 2 March 2022", "Older models only"),
}
"""What a figure does with the models at the cutoff: title of its table, label in its chart."""

_GROUPINGS = {
    "month": "Month of creation",
    "year": "Year of creation",
    "size": "Parameters",
    "storage_region": "Storage region",
}
"""Headings of groupings; those of others are their names."""


_PHONE = 46  # characters of a table beside each other on a phone


@dataclass(frozen=True)
class Table:
    """Headings and rows of text. The first column names the row. `note`: of what its shares are."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str | None = None
    note: str | None = None

    @property
    def is_text(self) -> tuple[bool, ...]:
        """For each column, whether it holds text (aligned left) rather than numbers."""
        columns = zip(*self.rows, strict=True)
        are_text = [not all(map(_NUMBER.match, column)) for column in columns]
        return (True, *are_text[1:]) if are_text else (True,) * len(self.headings)

    @property
    def width(self) -> int:
        """The characters of its longest cells side by side."""
        columns = zip(self.headings, *self.rows, strict=True)
        return sum(max(map(len, cells)) + 2 for cells in columns)

    @property
    def is_wide(self) -> bool:
        """Whether the columns do not fit on a phone, even where text breaks between words."""
        columns = zip(self.is_text, zip(self.headings, *self.rows, strict=True), strict=True)
        parts = (
            [word for cell in cells for word in cell.split()] if is_text else cells
            for is_text, cells in columns
        )
        return sum(max(map(len, column), default=0) + 2 for column in parts) > _PHONE


def section_tables(section: Section, report: Report) -> list[Table]:
    """Return the section's tables: one for each value of `split_by` or cutoff, else one."""
    if section.is_own_sql:
        columns = tuple(section.rows[0]) if section.rows else ()
        return [result_table(columns, (tuple(row.values()) for row in section.rows))]
    if section.split_by:
        groups: dict[str, list[Row]] = {}
        for row in section.rows:
            groups.setdefault(str(row[section.split_by]), []).append(row)
        return [
            replace(_row_table(rows, section, report), title=value[:1].upper() + value[1:])
            for value, rows in groups.items()
        ]
    if section.only_total:
        rows = [row for row in section.rows if row["group"] is None]
        return [_row_table(rows, section, report)]
    if section.sparklines:
        return [_sparkline_table(section)]
    if section.pivot:
        places = section.pivot.items()
        cells = (
            {place: format_cell(row, column, section, report) for place, column in places}
            for row in section.rows
        )
        return [pivot_table(cells)]
    if section.rows:
        return [_row_table(section.rows, section, report)]
    if section.vary_by:
        return [_variant_table(section, report)]
    if section.by is None:
        cutoffs = dict.fromkeys(figure.cutoff for figure in section.figures)
        return [_figure_table(section.figures, cutoff, report.frameworks) for cutoff in cutoffs]
    return [group_table(section.figures, section.by, report.frameworks)]


def visible_figures(figures: Iterable[Figure], by: Grouping | None) -> list[Figure]:
    """Return the figures of exclusive and shared models, in the order of tables and charts.

    Of one framework that is compared with no other, those of models with and without it. Groups
    come by size, with "(other)" last and without those that support no framework compared; periods
    stay in order.
    """
    visible = []
    for figure in figures:
        if not is_single(figure) and figure.name in ("exclusive", "shared"):
            visible.append(figure)
        elif is_single(figure) and figure.name == "none":
            visible += [_complement_figure(figure), figure]
    if by in (None, "month", "year"):
        return visible
    nonempty = (figure for figure in visible if figure.denominator)
    return sorted(nonempty, key=lambda figure: (figure.group == "(other)", -figure.denominator))


def _complement_figure(figure: Figure) -> Figure:
    """Return the figure of the models that a figure of models without a framework leaves."""
    numerator, without = figure.denominator - figure.numerator, figure.share_without_largest
    return replace(
        figure,
        name="available",
        framework=figure.frameworks[0],
        numerator=numerator,
        small=is_small(numerator, figure.denominator),
        share_without_largest=None if without is None else 1 - without,
    )


def row_label(section: Section, figure: Figure, report: Report) -> str:
    """Return the label of the figure's row in its section's table and chart."""
    if section.vary_by == "weight":
        return f"{figure.weight.removesuffix('s').capitalize()}-weighted"
    if section.vary_by:
        return _variant_label(figure, report)
    if section.by is None:
        return _CUTOFFS[figure.cutoff][1] if figure.cutoff else section.title
    return group_label(figure)


def _variant_label(figure: Figure, report: Report) -> str:
    """Return the definition, and the frameworks that are compared beyond those of the report."""
    definition = DEFINITION_LABELS[figure.definition]
    if figure.transformers:
        definition += f" (transformers {figure.transformers})"
    if figure.frameworks == report.request.frameworks:
        return definition
    if ALL in figure.frameworks:
        return f"{definition}, {frameworks_label(figure.frameworks, report)}"
    added = [name for name in figure.frameworks if name not in report.frameworks]
    return f"{definition}, with {frameworks_label(added, report)}"


def group_label(figure: Figure) -> str:
    """Return the figure's group; a year or month that is covered in part says which."""
    is_dated = figure.by in ("year", "month") and figure.covered
    return figure.covered.label if is_dated and figure.covered else str(figure.group)


def _row_table(rows: Sequence[Row], section: Section, report: Report) -> Table:
    """Return a table of the section's columns; by default, all with text or numbers."""
    columns = section.columns or {
        key: key.replace("_", " ")
        for key in rows[0]
        if not all(isinstance(row[key], bool | None) for row in rows)
    }
    return Table(
        tuple(columns.values()),
        tuple(tuple(format_cell(row, name, section, report) for name in columns) for row in rows),
    )


_MARKS = "▁▂▃▄▅▆▇█"
_WIDTH = 24  # marks of a sparkline


def _sparkline_table(section: Section) -> Table:
    """Return a row for each series: its course, first and last value, and range."""
    rows = []
    for column, label in (section.sparklines or {}).items():
        values = [row[column] for row in section.rows]
        known = [value for value in values if value is not None]
        if known:
            ends = map(format_number, (known[0], known[-1], min(known), max(known)))
            rows.append((label, draw_sparkline(values), *ends))
    return Table(("", "Over time", "First", "Last", "Lowest", "Highest"), tuple(rows))


def draw_sparkline(values: Sequence[float | None]) -> str:
    """Return a mark for each value, its height between the lowest and the highest; " " for None.

    Of more values than there is room for, it shows some, evenly spaced, with the first and last.
    """
    if len(values) > _WIDTH:
        values = [values[round(n * (len(values) - 1) / (_WIDTH - 1))] for n in range(_WIDTH)]
    known = [value for value in values if value is not None]
    lowest = min(known, default=0)
    span = max(known, default=0) - lowest
    return "".join(
        " " if value is None else _MARKS[round((value - lowest) / span * 7) if span else 0]
        for value in values
    )


def pivot_table(cells: Iterable[Mapping[str, str]]) -> Table:
    """Return a table from cells that each name their row and column: `rows`, `columns`, `cells`."""
    values: dict[str, dict[str, str]] = {}
    headings: dict[str, None] = {}
    for cell in cells:
        headings[cell["columns"]] = None
        values.setdefault(cell["rows"], {})[cell["columns"]] = cell["cells"]
    rows = ((name, *(row.get(key, "") for key in headings)) for name, row in values.items())
    return Table(("", *headings), tuple(rows))


def _variant_table(section: Section, report: Report) -> Table:
    """Return a row for each definition and set of frameworks, or for each weight."""
    names = report.frameworks
    groups: dict[str, list[Figure]] = {}
    for figure in visible_figures(section.figures, None):
        groups.setdefault(row_label(section, figure, report), []).append(figure)
    has_others = any(figure.framework not in (*names, None) for figure in section.figures)
    rows = []
    for label, figures in groups.items():
        exclusive = {figure.framework: figure for figure in figures if figure.name == "exclusive"}
        others = [figure for name, figure in exclusive.items() if name not in names]
        shared = next(figure for figure in figures if figure.name == "shared")
        shares = [format_share(exclusive[name]) for name in names]
        shares += [_format_sum(others)] * has_others
        rows.append((label, *shares, format_share(shared), format_number(shared.denominator)))
    headings = [f"{title} only" for title in names.values()] + [OTHER_ONLY] * has_others
    headings.append("more than one" if has_others else figure_label(shared, names))
    return Table(("", *headings, "Total"), tuple(rows))


def _format_sum(figures: list[Figure]) -> str:
    if not figures:
        return ""
    total = sum(figure.share or 0 for figure in figures)
    # if no part has many models, but several parts have some, the mark is on the safe side
    mark = SMALL_MARK * all(figure.small for figure in figures)
    if figures[0].interval is not None:  # of a sum of shares it is not known
        mark = " (no interval)"
    return format_percent(total if figures[0].denominator else None) + mark


def _figure_table(figures: Sequence[Figure], cutoff: str | None, names: Mapping[str, str]) -> Table:
    rows = []
    for figure in visible_figures(figures, None) if is_single(figures[0]) else figures:
        if figure.cutoff != cutoff:
            continue
        label, numerator = figure_label(figure, names), format_number(figure.numerator)
        if figure.name == "none" and not is_single(figure):  # of more models than the others
            known = "" if figure.coverage == 1 else f" with {KNOWN_EVIDENCE[figure.definition]}"
            label += f" (of all {figure.weight}{known})"
        rows.append((label, numerator, format_number(figure.denominator), format_share(figure)))
    headings = ("", figures[0].weight.capitalize(), "Total", "Share")
    return Table(headings, tuple(rows), _CUTOFFS[cutoff][0] if cutoff else None)


def group_table(figures: Iterable[Figure], by: Grouping, names: Mapping[str, str]) -> Table:
    """Return a row for each group, with its visible figures; see `visible_figures`."""
    visible = visible_figures(figures, by)
    columns = list(dict.fromkeys(figure_label(figure, names) for figure in visible))
    groups: dict[tuple[str, str], dict[str, Figure]] = {}
    for figure in visible:
        key = (group_label(figure), DEFINITION_LABELS[figure.definition])
        groups.setdefault(key, {})[figure_label(figure, names)] = figure
    several = len({definition for _, definition in groups}) > 1
    if several:  # side by side
        order = list(dict.fromkeys(group for group, _ in groups))
        groups = dict(sorted(groups.items(), key=lambda item: order.index(item[0][0])))
    rows = tuple(
        (
            f"{group}, {definition}" if several else group,
            *(f"{format_number(row[key].numerator)} ({format_share(row[key])})" for key in columns),
            format_number(next(iter(row.values())).denominator),
            format_percent(next(iter(row.values())).coverage),
        )
        for (group, definition), row in groups.items()
    )
    headings = (_GROUPINGS.get(by, by.capitalize()), *columns, "Total", "Coverage")
    return Table(headings, rows)


def result_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    cells = tuple(tuple(map(format_raw, row)) for row in rows)
    return Table(tuple(columns) or ("no rows",), cells)


def format_raw(value: object) -> str:
    """Return any value of a query without rounding."""
    match value:
        case None:
            return ""
        case bool():
            return json.dumps(value)
        case float():
            return format_float(value)
        case Decimal():
            return format(value, "f")
        case list() | tuple():
            return ", ".join(map(format_raw, value))
        case dict():
            return encode_json(value, indent=None)
    return str(value)
