"""A snapshot told in Markdown, for a job's summary or a mail."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

from hfscan.errors import StaleError
from hfscan.snapshot.take import SnapshotState
from hfscan.text import sanitize


def write_summary(snapshot: SnapshotState, reports: Path, charts: str, out: TextIO) -> None:
    """Write what changed, and the report with its charts, which are found under `charts`."""
    report = (reports / "report.md").read_text(encoding="utf-8")
    # a chart's place is the one link of a report that begins so: all other text is escaped
    report = report.replace("](report-charts/", f"]({charts}report-charts/")
    message = sanitize(snapshot.message).replace("`", "'")
    out.write(f"`{message}`\n\n{report}")


def check_age(snapshot: SnapshotState | None, most: timedelta, now: datetime | None = None) -> None:
    """Raise StaleError where there is no snapshot, or it was observed longer ago than `most`."""
    oldest = (now or datetime.now(UTC)) - most
    if snapshot is None:
        raise StaleError("There is no snapshot yet. Take one: hfscan snapshot")
    if snapshot.instant < oldest:
        raise StaleError(
            f"The last snapshot is of {snapshot.observed_to}, more than {most.days} days ago. See "
            "why its schedule has stopped; hfscan snapshot takes one now."
        )
