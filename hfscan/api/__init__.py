"""Python API: `open_database(...)` returns figures, tables, reports and charts of snapshots."""

from hfscan.api.database import Database, open_database
from hfscan.api.document import Chart, Explanation, Report
from hfscan.api.records import Records

__all__ = ["Chart", "Database", "Explanation", "Records", "Report", "open_database"]
