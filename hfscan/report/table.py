"""A section's figures as rows and columns: the shape that terminal and Markdown share."""

from collections.abc import Iterable
from dataclasses import dataclass

from hfscan.figures import Figure
from hfscan.report.plan import Section
from hfscan.report.words import FLOORS, label, percent


@dataclass(frozen=True)
class Table:
    """Headings and rows of text. The first column names the row; the others are numbers."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str | None = None


def tables(section: Section, names: dict[str, str]) -> list[Table]:
    """Return the section's tables: one per treatment of the floor, or one over its groups."""
    if section.by is None:
        floors = dict.fromkeys(figure.floor for figure in section.figures)
        return [
            _listing([one for one in section.figures if one.floor == floor], names, floor)
            for floor in floors
        ]
    return [_grid(section, names)]


def _listing(figures: Iterable[Figure], names: dict[str, str], floor: str | None) -> Table:
    figures = list(figures)
    unit = figures[0].weight
    return Table(
        ("", _sentence(unit), "of", "Share"),
        tuple(
            (label(one, names), f"{one.numerator:,}", f"{one.denominator:,}", percent(one))
            for one in figures
        ),
        _sentence(FLOORS[floor]) if floor else None,
    )


def _grid(section: Section, names: dict[str, str]) -> Table:
    shown = [one for one in section.figures if one.name in ("exclusive", "shared")]
    columns = list(dict.fromkeys(label(one, names) for one in shown))
    groups: dict[str | None, dict[str, Figure]] = {}
    for one in shown:
        groups.setdefault(one.group, {})[label(one, names)] = one
    if section.by != "month":  # the largest first; what is left over last
        groups = dict(
            sorted(
                groups.items(),
                key=lambda item: (item[0] == "(other)", -next(iter(item[1].values())).denominator),
            )
        )
    rows = tuple(
        (
            str(group),
            *(f"{row[column].numerator:,} ({percent(row[column])})" for column in columns),
            f"{next(iter(row.values())).denominator:,}",
        )
        for group, row in groups.items()
    )
    return Table((_sentence(section.by or ""), *columns, "of"), rows)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
