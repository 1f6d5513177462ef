"""`snapshot.json`: which snapshot the files of a target show, and what changed."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from hfscan.errors import ImportFileError, StaleError
from hfscan.fs import atomic_write
from hfscan.text import format_count, sanitize

STATE_FILE = "snapshot.json"


@dataclass(frozen=True)
class SnapshotState:
    """The content of `snapshot.json`. `exported` is the id of the snapshot in `export/`."""

    snapshot: int
    kind: str
    observed_to: str
    models: int
    message: str
    exported: int

    @property
    def instant(self) -> datetime:
        """When the snapshot was observed (UTC)."""
        return datetime.fromisoformat(self.observed_to)


def read_state(folder: Path) -> SnapshotState | None:
    """Return the state of a folder, or None if there is none yet.

    Raises ImportFileError if the file is damaged: without its state, the history would begin anew.
    """
    path = folder / STATE_FILE
    try:
        text = path.read_bytes()
    except OSError:
        return None
    try:
        state = msgspec.json.decode(text, type=SnapshotState)
        has_zone = state.instant.tzinfo is not None
    except (msgspec.DecodeError, ValueError):
        has_zone = False
    if not has_zone:
        raise ImportFileError(
            f"{path} was changed or damaged. In a folder, remove it and run the same command "
            "again. In a dataset, revert the commit that changed it."
        )
    return state


def write_state(folder: Path, state: SnapshotState) -> None:
    atomic_write(folder / STATE_FILE, json.dumps(asdict(state), indent=1).encode() + b"\n")


def check_age(state: SnapshotState | None, max_age: timedelta, now: datetime | None = None) -> None:
    """Raise StaleError if there is no snapshot, or the latest one is older than `max_age`."""
    if state is None:
        raise StaleError("There is no snapshot yet. Take one: hfscan snapshot")
    if state.instant < (now or datetime.now(UTC)) - max_age:
        raise StaleError(
            f"The latest snapshot is from {state.observed_to}, more than "
            f"{format_count(max_age.days, 'day')} ago. Check why its schedule has stopped, or take "
            "one now: hfscan snapshot"
        )


def format_summary(state: SnapshotState, reports: Path, charts_url: str) -> str:
    """Return what changed and the report as Markdown, with its charts linked below `charts_url`."""
    report = (reports / "report.md").read_text(encoding="utf-8")
    # only links to charts begin like this: all other text of a report is escaped
    report = report.replace("](report-charts/", f"]({charts_url}report-charts/")
    message = sanitize(state.message).replace("`", "'")
    return f"`{message}`\n\n{report}"
