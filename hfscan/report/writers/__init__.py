"""Writers of reports, tables and rows: one module for each format."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO

from hfscan.errors import InvalidRequestError
from hfscan.report.charts import chart_of
from hfscan.report.model import Report
from hfscan.report.tables import Table, result_table
from hfscan.report.writers import csv_, html, json_, markdown, terminal, terminal_summary

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

IMAGE_FORMATS = ("svg", "png")  # of a report's first chart

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


def draw_report(report: Report, format_: str) -> str | bytes:
    """Return the report's first chart. Raises InvalidRequestError where it has none."""
    charts = (chart_of(section, report) for section in report.sections)
    if (chart := next(filter(None, charts), None)) is None:
        raise InvalidRequestError(
            f"The report {report.name} has no chart. Write it as .html, .md, .json or .txt."
        )
    return chart.png if format_ == "png" else chart.document
