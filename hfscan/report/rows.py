"""Rows of any query, in the formats that programs and people read."""

import csv
import json
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, TextIO

from hfscan.report import markdown, terminal
from hfscan.report.table import Table

Row = dict[str, Any]


def _as_table(rows: Sequence[Row]) -> Table:
    headings = tuple(rows[0]) if rows else ("no rows",)
    return Table(headings, tuple(tuple(map(_cell, row.values())) for row in rows))


def _write_terminal(rows: Sequence[Row], out: TextIO) -> None:
    terminal.write_table(_as_table(rows), out)


def _write_markdown(rows: Sequence[Row], out: TextIO) -> None:
    markdown.write_table(_as_table(rows), out)


def write_csv(rows: Sequence[Row], out: TextIO) -> None:
    writer = csv.writer(out, lineterminator="\n")
    if rows:
        writer.writerow(map(_harmless, rows[0]))
    writer.writerows([_harmless(value) for value in row.values()] for row in rows)


def _write_json(rows: Sequence[Row], out: TextIO) -> None:
    json.dump(rows, out, indent=1, ensure_ascii=False, default=_cell)
    out.write("\n")


ROW_FORMATS: dict[str, Callable[[Sequence[Row], TextIO], None]] = {
    "terminal": _write_terminal,
    "csv": write_csv,
    "json": _write_json,
    "md": _write_markdown,
}
"""Name of a format -> what writes rows (dicts of one shape) in it."""


def _cell(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    return "" if value is None else str(value)


def _harmless(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula."""
    if isinstance(value, int | float) or value is None:
        return value
    text = _cell(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
