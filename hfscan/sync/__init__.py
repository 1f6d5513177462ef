"""Daily snapshots in a folder or a dataset: see `hfscan snapshot`."""

from hfscan.sync.local import LocalTarget, SyncOptions
from hfscan.sync.remote import DatasetTarget
from hfscan.sync.state import SnapshotState, check_age, format_summary, read_state

__all__ = [
    "DatasetTarget",
    "LocalTarget",
    "SnapshotState",
    "SyncOptions",
    "check_age",
    "format_summary",
    "read_state",
]
