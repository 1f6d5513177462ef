"""A state that lives in a dataset on the Hub, and is worked on in a folder.

The dataset holds the history, not the database: files that only grow, which any engine and any
later release of hfscan reads. It is changed in one commit, whose message says what changed, and
each day's commit keeps a tag: `main` is the newest snapshot, a tag is for good.
"""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hfscan.hub.publish import Dataset, files_of
from hfscan.snapshot.take import DATABASE, SHOWN, SnapshotState, shown, take
from hfscan.store import Store

_FOLDERS = {"history": "history", "daily": "reports"}  # in the dataset, in the state


@dataclass(frozen=True)
class Remote:
    """A state in a dataset, worked on in the folder `work`."""

    dataset: Dataset
    work: Path

    @property
    def reports(self) -> Path:
        """The folder of today's reports."""
        return self.work / "reports"

    def charts(self, snapshot: SnapshotState) -> str:
        """Return what leads to the reports' charts from elsewhere, for good."""
        return f"{self.dataset.url}/resolve/{snapshot.instant:%F}/daily/"

    def take(self, *, now: datetime | None = None, **more: Any) -> tuple[SnapshotState, bool]:
        """Bring the dataset to today (UTC); return what it shows, and whether that is new.

        `more` is what `take` takes. Raises what it raises, and what a Dataset raises.
        """
        now = now or datetime.now(UTC)
        head = self.dataset.head()
        there = head and self.shown(head)
        if head and there and there.instant.date() >= now.date():
            self._fetch(head, {"daily": self.reports})
            self.dataset.tag(f"{there.instant:%F}", head)  # a kill may have come before it
            return there, False
        if head and there:
            self._restore(head)
        snapshot, _ = take(self.work, repo=self.dataset.repo, now=now, **more)
        published = self.dataset.publish(
            self._files(), snapshot.message, owned=self._owned(), parent=head
        )
        self.dataset.tag(f"{snapshot.instant:%F}", published.commit)
        return snapshot, True

    def shown(self, head: str | None = None) -> SnapshotState | None:
        """Return what the dataset shows, None where it shows nothing yet."""
        if (head := head or self.dataset.head()) is None:
            return None
        with tempfile.TemporaryDirectory() as scratch:
            self.dataset.fetch(head, [SHOWN], Path(scratch))
            return shown(Path(scratch))

    def _restore(self, head: str) -> None:
        """Make the database from the dataset's history, unless it holds all of that already."""
        db, history = self.work / DATABASE, self.work / "history"
        if db.exists():
            saved = self.work / "snapshots.parquet"
            self._fetch(head, {"history/snapshots.parquet": saved})
            with Store.open(db) as store:
                if store.holds(saved):
                    return  # and more, where a run was killed before it could publish
        self._fetch(head, {"history": history, **self._singles()})
        Store.restore(db, history)

    def _fetch(self, head: str, wanted: Mapping[str, Path]) -> None:
        """Put files and folders of the dataset in their places, each whole, those that it has."""
        self.work.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.work) as scratch:
            patterns = [one for name in wanted for one in (name, f"{name}/*")]
            self.dataset.fetch(head, patterns, Path(scratch))
            for name, path in wanted.items():
                if (found := Path(scratch) / name).exists():
                    if path.is_dir():
                        shutil.rmtree(path)
                    found.replace(path)

    def _files(self) -> dict[str, Path]:
        files = files_of(self.work / "export")  # there after a crawl of everything
        for name, folder in _FOLDERS.items():
            found = files_of(self.work / folder)
            files |= {f"{name}/{one}": file for one, file in found.items()}
        return files | {name: one for name, one in self._singles().items() if one.exists()}

    def _singles(self) -> dict[str, Path]:
        return {SHOWN: self.work / SHOWN, "waypoints": self.work / f"{DATABASE}.waypoints"}

    def _owned(self) -> list[str]:
        exported = self.work / "export"
        return [*_FOLDERS, *(one.name for one in exported.glob("*") if one.is_dir())]
