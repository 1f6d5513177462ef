"""The database: a DuckDB file of snapshots. See sql/schema.sql for its tables."""

from hfscan.scope import CreationDate
from hfscan.store.creation_dates import (
    ImportedDates,
    import_dates,
    list_missing_dates,
    record_dates,
)
from hfscan.store.database import Store
from hfscan.store.history import COUNTS
from hfscan.store.history_files import contains_all, export_history, import_history
from hfscan.store.ingest import Ingested, ingest_files
from hfscan.store.schema import Macro, macros
from hfscan.store.snapshots import (
    NewSnapshot,
    Snapshot,
    Unreadable,
    choose_pair,
    choose_snapshot,
    delete_command,
    delete_snapshots,
    explain_empty,
    find_earlier,
    find_full_crawl,
    latest_snapshot,
    list_snapshots,
    mark_incomplete,
    require_snapshots,
)

__all__ = [
    "COUNTS", "CreationDate", "ImportedDates", "Ingested", "Macro", "NewSnapshot", "Snapshot",
    "Store", "Unreadable", "choose_pair", "choose_snapshot", "contains_all", "delete_command",
    "delete_snapshots", "explain_empty", "export_history", "find_earlier", "find_full_crawl",
    "import_dates",
    "import_history", "ingest_files", "latest_snapshot", "list_missing_dates", "list_snapshots",
    "macros", "mark_incomplete", "record_dates", "require_snapshots",
]  # fmt: skip
