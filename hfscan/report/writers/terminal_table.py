"""Lay out tables in the columns of a terminal: words stay intact, numbers line up."""

import itertools
from collections.abc import Iterator, Sequence

from rich.cells import cell_len, set_cell_size

from hfscan.report.tables import Table
from hfscan.text import sanitize
from hfscan.wrap import WORD, wrap

_LABEL = 12  # least columns of the names of rows
_GAPS = (2, 1)  # columns between cells; the smaller where it makes the table fit


def format_table(table: Table, width: int, *, is_ascii: bool = False) -> list[str]:
    """Return the lines of a table: headings, a rule and the rows.

    A table without room for the longest word of each column is shown without its empty columns,
    whose names stand below it; if it still has no room, it becomes a list of records.
    """
    headings = [sanitize(heading) for heading in table.headings]
    rows = [[sanitize(cell) for cell in row] for row in table.rows]
    columns = list(zip(*rows, strict=True)) or [()] * len(headings)
    if lines := _format_columns(headings, columns, table.is_text, width, is_ascii=is_ascii):
        return lines
    filled = [any(cells) or not rows for cells in columns]
    left_out = [
        heading for heading, is_filled in zip(headings, filled, strict=True) if not is_filled
    ]
    headings = list(itertools.compress(headings, filled))
    columns = list(itertools.compress(columns, filled))
    is_text = list(itertools.compress(table.is_text, filled))
    lines = _format_columns(headings, columns, is_text, width, is_ascii=is_ascii)
    lines = lines or _format_records(headings, list(zip(*columns, strict=True)), width)
    if left_out:
        lines += ["", *wrap(f"Empty in all rows: {', '.join(left_out)}.", width)]
    return lines


def _format_columns(
    headings: Sequence[str],
    columns: Sequence[Sequence[str]],
    is_text: Sequence[bool],
    width: int,
    *,
    is_ascii: bool,
) -> list[str]:
    """Return the lines of a table, none where it has no room."""
    columns = [
        cells if is_left else align_decimals(cells)
        for cells, is_left in zip(columns, is_text, strict=False)
    ]
    for gap in _GAPS:
        room = width - gap * (len(headings) - 1)
        if widths := _fit_widths(headings, columns, is_text, room):
            rule = ("-" if is_ascii else "─") * (width - room + sum(widths))
            lines = [*_format_row(headings, is_text, widths, gap), rule]
            for cells in zip(*columns, strict=True):
                lines += _format_row(cells, is_text, widths, gap)
            return lines
    return []


def align_decimals(cells: Sequence[str]) -> list[str]:
    """Pad numbers on the right, so that their decimal points line up when aligned right."""
    tails = [len(cell) - cell.find(".") if "." in cell else 0 for cell in cells]
    return [
        cell + " " * (max(tails) - tail) if cell else ""
        for cell, tail in zip(cells, tails, strict=True)
    ]


def _fit_widths(
    headings: Sequence[str],
    columns: Sequence[Sequence[str]],
    is_text: Sequence[bool],
    room: int,
) -> list[int] | None:
    """Return the width of each column; None where their longest words have no room.

    Numbers stay on one line if they can; columns of text share what is left. Beside numbers alone,
    the first column may be narrower than its words.
    """
    natural = [max(map(cell_len, cells), default=0) for cells in columns]
    if sum(map(max, natural, map(cell_len, headings))) <= room:
        return list(map(max, natural, map(cell_len, headings)))
    widths = [
        max(map(cell_len, WORD.findall(" ".join((heading, *cells)))), default=0)
        for heading, cells in zip(headings, columns, strict=True)
    ]
    if is_text[0] and not any(is_text[1:]):
        numbers = list(map(max, natural[1:], widths[1:]))
        if (label := room - sum(numbers)) >= _LABEL:
            return [label, *numbers]
    spare = room - sum(widths)
    if spare < 0:
        return None
    places = range(len(widths))
    for place in sorted(places, key=lambda place: natural[place] - widths[place]):
        missing = natural[place] - widths[place]
        if not is_text[place] and 0 < missing <= spare:
            widths[place] += missing
            spare -= missing
    for _ in range(spare):  # to the column with the most lines
        place = max(places, key=lambda place: natural[place] / max(widths[place], 1))
        if natural[place] <= widths[place]:
            break
        widths[place] += 1
    return widths


def _format_row(
    cells: Sequence[str], is_text: Sequence[bool], widths: Sequence[int], gap: int
) -> Iterator[str]:
    if max(map(cell_len, WORD.findall(cells[0])), default=0) > widths[0]:
        yield cells[0]  # on a line of its own
        cells = ("", *cells[1:])
    wrapped = [wrap(cell, width) for cell, width in zip(cells, widths, strict=True)]
    for number in range(max(map(len, wrapped))):
        parts = [
            _pad(lines[number] if number < len(lines) else "", width, is_left=left)
            for lines, width, left in zip(wrapped, widths, is_text, strict=True)
        ]
        yield (" " * gap).join(parts).rstrip()


def _pad(text: str, width: int, *, is_left: bool) -> str:
    padding = " " * (width - cell_len(text))
    return text + padding if is_left else padding + text


def _format_records(
    headings: Sequence[str], rows: Sequence[Sequence[str]], width: int
) -> list[str]:
    """Return a line for each value, or more where it is long, and an empty line between rows."""
    gap = _GAPS[0]
    label = min(max(map(cell_len, headings)), width // 2)
    lines: list[str] = [] if rows else wrap(", ".join(headings), width)
    for row in rows:
        lines += [""] if lines else []
        for heading, value in zip(headings, row, strict=True):
            first, *others = wrap(value, width - label - gap)
            lines.append(f"{set_cell_size(heading, label)}{'':{gap}}{first}".rstrip())
            lines += [f"{'':{label + gap}}{line}" for line in others]
    return lines
