"""A census that goes on day by day: a state, in a folder or in a dataset, brought to today."""

from hfscan.snapshot.remote import Remote
from hfscan.snapshot.take import Local, SnapshotState, shown, take

__all__ = ["Local", "Remote", "SnapshotState", "shown", "take"]
