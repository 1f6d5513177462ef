"""Update a dataset on the Hub: restore the database, update it in a folder, publish.

The dataset holds the history, not the database: files that never change, which other programs and
later releases of hfscan can read. Each day is one commit with a tag; pruning is another commit.
`main` is the latest snapshot.
"""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hfscan.hub.datasets import HubDataset, list_files
from hfscan.paths import cursors_file
from hfscan.store import Store, contains_all, import_history
from hfscan.sync.local import DATABASE, LocalTarget, SyncOptions
from hfscan.sync.state import STATE_FILE, SnapshotState, read_state
from hfscan.text import format_count

_FOLDERS = {"history": "history", "daily": "reports"}
"""Folder in the dataset -> folder on this machine."""


@dataclass(frozen=True)
class DatasetTarget:
    """A dataset of snapshots, updated in the folder `work`."""

    dataset: HubDataset
    work: Path

    @property
    def local(self) -> LocalTarget:
        """The folder as a target of its own."""
        return LocalTarget(self.work, self.dataset.repo)

    @property
    def reports(self) -> Path:
        return self.local.reports

    def charts_url(self, state: SnapshotState) -> str:
        """Return the permanent URL of the folder of the reports' charts."""
        return f"{self.dataset.url}/resolve/{_tag(state)}/daily/"

    def read_state(self, commit: str | None = None) -> SnapshotState | None:
        """Return the state at a commit (the newest), or None if there is none yet."""
        if (commit := commit or self.dataset.head()) is None:
            return None
        with tempfile.TemporaryDirectory() as scratch:
            self.dataset.download(commit, [STATE_FILE], Path(scratch))
            return read_state(Path(scratch))

    def update(self, options: SyncOptions) -> tuple[SnapshotState, bool]:
        """Update as `LocalTarget.update`. Raises what it and the methods of HubDataset raise."""
        head = self.dataset.head()
        state = self.read_state(head) if head else None
        if head and state:
            if state.instant.date() >= options.now.date():
                self._fetch(head, {"daily": self.reports})
                self.dataset.tag(_tag(state), head)  # missing if a run was killed before it
                return state, False
            self._restore(head)
        state, _ = self.local.add_snapshot(options)
        published = self.dataset.publish(
            self._list_files(), state.message, parent=head, managed_folders=self._list_folders()
        )
        self.dataset.tag(_tag(state), published.commit)
        if deleted := self.local.prune(options):
            self.dataset.publish(
                self._list_files(), f"prune: -{format_count(deleted, 'snapshot')}",
                parent=published.commit, managed_folders=["history"],
            )  # fmt: skip
        return state, True

    def _restore(self, head: str) -> None:
        """Rebuild the database from the dataset's history, unless it already holds all of it."""
        db, history = self.local.database, self.work / "history"
        if db.exists():
            published = self.work / "snapshots.parquet"
            self._fetch(head, {"history/snapshots.parquet": published})
            with Store.open(db) as store:
                if contains_all(store, published):
                    return  # perhaps also a snapshot that a killed run did not publish
        self._fetch(head, {"history": history, **self._single_files})
        import_history(db, history)

    def _fetch(self, commit: str, places: Mapping[str, Path]) -> None:
        """Download files and folders of the dataset; replace each as a whole."""
        self.work.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.work) as scratch:
            patterns = [pattern for name in places for pattern in (name, f"{name}/*")]
            self.dataset.download(commit, patterns, Path(scratch))
            for name, place in places.items():
                if (fetched := Path(scratch) / name).exists():
                    if place.is_dir():
                        shutil.rmtree(place)
                    fetched.replace(place)

    @property
    def _single_files(self) -> dict[str, Path]:
        return {STATE_FILE: self.work / STATE_FILE, "cursors": cursors_file(self.work / DATABASE)}

    def _list_files(self) -> dict[str, Path]:
        """Return name in the dataset -> file; an export is there only after a full crawl."""
        files = list_files(self.work / "export")
        for name, folder in _FOLDERS.items():
            files |= {
                f"{name}/{file}": path for file, path in list_files(self.work / folder).items()
            }
        return files | {name: path for name, path in self._single_files.items() if path.exists()}

    def _list_folders(self) -> list[str]:
        """Return the folders of the dataset in which files that are gone are deleted."""
        exported = (self.work / "export").glob("*")
        return [*_FOLDERS, *(path.name for path in exported if path.is_dir())]


def _tag(state: SnapshotState) -> str:
    return f"{state.instant:%F}"
