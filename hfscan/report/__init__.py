"""Reports: the same figures in several formats."""

from hfscan.report.build import build
from hfscan.report.choose import build_report
from hfscan.report.comparison import compare
from hfscan.report.database_report import (
    build_claims_report,
    build_database_report,
    is_database_report,
)
from hfscan.report.format import format_percent
from hfscan.report.model import CustomText, Report, ReportRequest, Section
from hfscan.report.summary import list_next_options
from hfscan.report.tables import group_table, pivot_table
from hfscan.report.writers import (
    FORMATS,
    TABLE_FORMATS,
    render_report,
    render_text,
    write_groups,
    write_result,
    write_rows,
    write_summary,
)
from hfscan.report.writers.folder import write_folder

__all__ = [
    "FORMATS", "TABLE_FORMATS", "CustomText", "Report", "ReportRequest", "Section",
    "build", "build_claims_report", "build_database_report", "build_report", "compare",
    "format_percent", "group_table", "is_database_report", "list_next_options", "pivot_table",
    "render_report", "render_text", "write_folder", "write_groups", "write_result",
    "write_rows", "write_summary",
]  # fmt: skip
