"""Writers of reports, tables and rows: one module for each format."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO

from hfscan.report.model import Report
from hfscan.report.tables import Table, result_table
from hfscan.report.writers import csv_, html, json_, markdown, terminal, terminal_summary
from hfscan.report.writers.image import IMAGE_FORMATS, draw_report

__all__ = [
    "FORMATS", "IMAGE_FORMATS", "RESULT_FORMATS", "TABLE_FORMATS", "draw_report", "write_groups",
    "write_result", "write_rows", "write_summary",
]  # fmt: skip

FORMATS: dict[str, Callable[[Report, TextIO], None]] = {
    "terminal": terminal.write,
    "md": markdown.write,
    "json": json_.write,
    "html": html.write,
}
"""Format -> what writes a report."""

TABLE_FORMATS: dict[str, Callable[[Table, TextIO], None]] = {
    "terminal": terminal.write_table,
    "md": markdown.write_table,
}
"""Format for people -> what writes one table."""

write_summary, write_groups = terminal_summary.write, terminal.write_groups

RESULT_FORMATS = ("terminal", "csv", "json", "md")  # formats of the result of a query


def write_result(
    format_: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], out: TextIO
) -> None:
    """Write columns and rows of any query; csv and json hold one row in memory at a time."""
    if format_ == "csv":
        csv_.write_result(columns, rows, out)
    elif format_ == "json":
        json_.write_result(columns, rows, out)
    else:
        TABLE_FORMATS[format_](result_table(columns, rows), out)


def write_rows(format_: str, rows: Sequence[dict[str, Any]], out: TextIO) -> None:
    """Write rows with the same keys."""
    columns = tuple(rows[0]) if rows else ()
    write_result(format_, columns, (tuple(row.values()) for row in rows), out)
