"""Writers of reports, tables and rows: one module for each format."""

import io
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO

from hfscan.choices import IMAGE_EXTENSIONS
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


def render_text(report: Report, format_: str) -> str:
    """Return the report in a format of `FORMATS`."""
    text = io.StringIO()
    FORMATS[format_](report, text)
    return text.getvalue()


def render_report(report: Report, format_: str) -> str | bytes:
    """Return the content of a file: the report, or as an image its first chart.

    Raises InvalidRequestError where an image is requested and there is no chart.
    """
    if format_ not in IMAGE_EXTENSIONS.values():
        return render_text(report, format_)
    charts = (chart_of(section, report) for section in report.sections)
    if (chart := next(filter(None, charts), None)) is None:
        is_undated = report.period is not None and report.period.is_empty
        reason = f"The Hub has no creation dates for {report.request.year}, so the"
        raise InvalidRequestError(
            f"{reason if is_undated else 'The'} report {report.name} has no chart. Write it as "
            ".html, .md, .json or .txt."
        )
    return chart.render(format_)
