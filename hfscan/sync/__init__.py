"""Daily snapshots in a folder or a dataset: see `hfscan snapshot`."""

from hfscan.sync.local import LocalTarget, SyncOptions
from hfscan.sync.remote import DatasetTarget
from hfscan.sync.state import check_age, format_summary, read_state

__all__ = [
    "DatasetTarget", "LocalTarget", "SyncOptions", "check_age", "format_summary", "read_state",
]  # fmt: skip
