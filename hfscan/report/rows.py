"""Rows of any query, in the formats that programs and people read."""

import csv
import json
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, TextIO

from hfscan.report import markdown, terminal
from hfscan.report.table import Table
from hfscan.text import encode_json, format_float, sanitize

Row = dict[str, Any]
Columns = Sequence[str]
Rows = Iterable[Sequence[Any]]

_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # and their wide forms


def _as_table(columns: Columns, rows: Rows) -> Table:
    cells = tuple(tuple(map(_cell, row)) for row in rows)
    return Table(tuple(columns) or ("no rows",), cells)


def _write_terminal(columns: Columns, rows: Rows, out: TextIO) -> None:
    terminal.write_table(_as_table(columns, rows), out)


def _write_markdown(columns: Columns, rows: Rows, out: TextIO) -> None:
    markdown.write_table(_as_table(columns, rows), out)


def _write_csv(columns: Columns, rows: Rows, out: TextIO) -> None:
    writer = csv.writer(out, lineterminator="\n")
    if columns:
        writer.writerow(map(_csv_cell, columns))
    writer.writerows(map(_csv_cell, row) for row in rows)


def _write_json(columns: Columns, rows: Rows, out: TextIO) -> None:
    separator = "[\n "
    for row in rows:
        text = encode_json(dict(zip(columns, row, strict=True)))
        out.write(separator + text.replace("\n", "\n "))
        separator = ",\n "
    out.write("[]\n" if separator.startswith("[") else "\n]\n")


RESULT_FORMATS: dict[str, Callable[[Columns, Rows, TextIO], None]] = {
    "terminal": _write_terminal,
    "csv": _write_csv,
    "json": _write_json,
    "md": _write_markdown,
}
"""Name of a format -> what writes columns and rows in it; csv and json hold one row at a time."""


def _of_dicts(
    write: Callable[[Columns, Rows, TextIO], None],
) -> Callable[[Sequence[Row], TextIO], None]:
    def write_dicts(rows: Sequence[Row], out: TextIO) -> None:
        write(tuple(rows[0]) if rows else (), (tuple(row.values()) for row in rows), out)

    return write_dicts


ROW_FORMATS: dict[str, Callable[[Sequence[Row], TextIO], None]] = {
    name: _of_dicts(write) for name, write in RESULT_FORMATS.items()
}
"""Name of a format -> what writes rows (dicts of one shape) in it."""


def _cell(value: object) -> str:
    """Return a value as people read it."""
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
            return ", ".join(map(_cell, value))
        case dict():
            return encode_json(value, indent=None)
    return str(value)


def _csv_cell(value: object) -> str:
    """Return a value as CSV holds it: one line, and no formula to a spreadsheet."""
    if value is None or isinstance(value, int | float | Decimal):
        return _cell(value)
    is_nested = isinstance(value, list | tuple | dict)
    text = sanitize(encode_json(value, indent=None) if is_nested else _cell(value))
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
