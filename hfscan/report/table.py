"""A section as rows and columns of text: the shape that terminal and Markdown share."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hfscan.figures import By, Figure
from hfscan.report.plan import Section
from hfscan.report.words import FLOORS, GROUPS, UNITS, label, number, percent, told_share, what


@dataclass(frozen=True)
class Table:
    """Headings and rows of text. The first column names the row; the others are numbers."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str | None = None


@dataclass(frozen=True)
class Block:
    """A heading, sentences and tables."""

    title: str
    lines: tuple[str, ...]
    tables: tuple[Table, ...] = ()


def tables(section: Section, names: dict[str, str]) -> list[Table]:
    """Return the section's tables: one per treatment of the floor, or one in all."""
    if section.pivot:
        return [pivoted(section.rows, section.pivot, names)]
    if section.columns:
        return [_rows(section.rows, section.columns, names)]
    if section.across:
        return [_sensitivity(section, names)]
    if section.by is None:
        floors = dict.fromkeys(figure.floor for figure in section.figures)
        return [
            _listing([one for one in section.figures if one.floor == floor], names, floor)
            for floor in floors
        ]
    return [grid(section.figures, section.by, names)]


def _rows(
    rows: Iterable[Mapping[str, Any]], columns: Mapping[str, str], names: dict[str, str]
) -> Table:
    return Table(
        tuple(columns.values()),
        tuple(tuple(_cell(row, column, names) for column in columns) for row in rows),
    )


def _cell(row: Mapping[str, Any], column: str, names: dict[str, str]) -> str:
    if column == "what":
        return what(row["name"], row["framework"], names)
    value = row[column]
    if "share" in column:
        return percent(value)
    return number(value) if isinstance(value, int) else str(value)


def pivoted(
    rows: Iterable[Mapping[str, Any]], pivot: Mapping[str, str], names: dict[str, str]
) -> Table:
    """Return a row for each value of one column, and a column for each of another."""
    cells: dict[str, dict[str, str]] = {}
    headings: dict[str, None] = {}
    for row in rows:
        heading = str(row[pivot["columns"]])
        headings[heading] = None
        cells.setdefault(str(row[pivot["rows"]]), {})[heading] = _cell(row, pivot["cells"], names)
    return Table(
        ("", *headings),
        tuple((name, *(line.get(one, "") for one in headings)) for name, line in cells.items()),
    )


def _sensitivity(section: Section, names: dict[str, str]) -> Table:
    """Return a row for each definition and universe; each adds up to all that serve one."""
    cells: dict[tuple[str, tuple[str, ...]], list[Figure]] = {}
    for one in section.figures:
        cells.setdefault((one.definition, one.universe), []).append(one)
    rows = []
    for (definition, universe), figures in cells.items():
        only = {one.framework: one for one in figures if one.name == "exclusive"}
        others = [one for name, one in only.items() if name not in names]
        shared = next(one for one in figures if one.name == "shared")
        rows.append(
            (
                f"{definition}: {_among(universe, names)}",
                *(told_share(only[name]) for name in names),
                percent(sum(one.share or 0 for one in others)) if others else "",
                told_share(shared),
                number(shared.denominator),
            )
        )
    return Table(
        ("", *(f"{title} only" for title in names.values()), "another only", "several", "of"),
        tuple(rows),
    )


def _among(universe: tuple[str, ...], names: dict[str, str]) -> str:
    if universe == tuple(names):
        return ", ".join(names)
    if "all" in universe:
        return "all"
    return " ".join(f"+ {one}" for one in universe if one not in names)


def _listing(figures: list[Figure], names: dict[str, str], floor: str | None) -> Table:
    return Table(
        ("", _sentence(UNITS[figures[0].weight]), "of", "Share"),
        tuple(
            (label(one, names), number(one.numerator), number(one.denominator), told_share(one))
            for one in figures
        ),
        _sentence(FLOORS[floor]) if floor else None,
    )


def grid(figures: Iterable[Figure], by: By, names: dict[str, str]) -> Table:
    """Return a row for each group, with exclusive and shared models."""
    shown = [one for one in figures if one.name in ("exclusive", "shared")]
    columns = list(dict.fromkeys(label(one, names) for one in shown))
    groups: dict[str | None, dict[str, Figure]] = {}
    for one in shown:
        groups.setdefault(one.group, {})[label(one, names)] = one
    if by not in ("month", "year", "observation"):  # the largest first; what is left over last
        groups = dict(
            sorted(
                groups.items(),
                key=lambda item: (item[0] == "(other)", -next(iter(item[1].values())).denominator),
            )
        )
    rows = tuple(
        (
            str(group),
            *(f"{number(row[one].numerator)} ({told_share(row[one])})" for one in columns),
            number(next(iter(row.values())).denominator),
        )
        for group, row in groups.items()
    )
    return Table((GROUPS[by], *columns, "of"), rows)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
