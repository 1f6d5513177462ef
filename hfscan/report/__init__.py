"""Reports: the same figures in several formats, one module each."""

from collections.abc import Callable
from typing import TextIO

from hfscan.report import html, json, markdown, terminal
from hfscan.report.compare import compare
from hfscan.report.fill import build
from hfscan.report.folder import write_folder
from hfscan.report.report import Question, Report
from hfscan.report.rows import RESULT_FORMATS, ROW_FORMATS
from hfscan.report.table import Table
from hfscan.report.whole import build_whole, is_whole

__all__ = [
    "FORMATS",
    "RESULT_FORMATS",
    "ROW_FORMATS",
    "TABLE_FORMATS",
    "Question",
    "Report",
    "build",
    "build_whole",
    "compare",
    "is_whole",
    "write_folder",
]

FORMATS: dict[str, Callable[[Report, TextIO], None]] = {
    "terminal": terminal.write,
    "md": markdown.write,
    "json": json.write,
    "html": html.write,
}
"""Name of a format -> what writes a report in it."""

TABLE_FORMATS: dict[str, Callable[[Table, TextIO], None]] = {
    "terminal": terminal.write_table,
    "md": markdown.write_table,
}
"""Name of a format for people -> what writes one table in it."""
