"""Update a folder with today's snapshot: crawl, check, export, report; then prune.

The folder holds the database with its journal, `history/` (the same data as files for other
programs), `export/` of the latest full crawl, today's `reports/`, and `snapshot.json`, which is
written last. If a run is killed, the next one completes it.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from hfscan import export, pipeline
from hfscan.errors import StorageError, SuspiciousDropError
from hfscan.figures import (
    Figure,
    FigureRequest,
    SnapshotView,
    describe_drops,
)
from hfscan.fs import translate_os_errors
from hfscan.hub import ClientOptions, Progress
from hfscan.locks import hold_lock
from hfscan.report import ReportRequest, build, build_database_report, format_percent, write_folder
from hfscan.report.format import DEFINITION_LABELS
from hfscan.scope import Scope
from hfscan.store import (
    Snapshot,
    Store,
    delete_command,
    delete_snapshots,
    export_history,
    list_snapshots,
)
from hfscan.sync.state import STATE_FILE, SnapshotState, read_state, write_state
from hfscan.text import format_count

FULL_CRAWL_INTERVAL = timedelta(days=7)
"""Time between full crawls: updates miss deletions, and new counts of unchanged models."""

DATABASE = "hfscan.duckdb"
_FORMATS = ("md", "html", "json")
_MEMORY_LIMIT = "400 MB"  # of DuckDB; what exceeds it is spilled


@dataclass(frozen=True)
class SyncOptions:
    """How to update a target.

    `full`: crawl everything even if the last full crawl is recent. `allow_drop`: accept a snapshot
    that is much smaller than the previous one. `retention`: the age from which updates
    before a full crawl are deleted.
    """

    hub: ClientOptions
    full: bool = False
    allow_drop: bool = False
    retention: timedelta | None = None
    progress: Callable[[Progress], None] | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class LocalTarget:
    """A folder of snapshots. `repo`: the dataset that it is published to."""

    folder: Path
    repo: str | None = None

    @property
    def database(self) -> Path:
        return self.folder / DATABASE

    @property
    def reports(self) -> Path:
        return self.folder / "reports"

    def charts_url(self, _: SnapshotState) -> str:
        """Return the URL of the folder of the reports' charts."""
        return f"{self.reports.resolve().as_uri()}/"

    def read_state(self) -> SnapshotState | None:
        """Return the state of the folder, or None if there is none yet."""
        return read_state(self.folder)

    def update(self, options: SyncOptions) -> tuple[SnapshotState, bool]:
        """Add today's snapshot and prune; return the state and whether it is new.

        Raises what `add_snapshot` raises.
        """
        state, is_new = self.add_snapshot(options)
        self.prune(options)
        return state, is_new

    def add_snapshot(self, options: SyncOptions) -> tuple[SnapshotState, bool]:
        """Add today's snapshot (UTC) if it is missing; return the state and whether it is new.

        Raises SuspiciousDropError if the snapshot is much smaller than the last published one; it
        then stays in the database, and nothing else changes. Also raises what a crawl raises.
        """
        with translate_os_errors(self.folder, "choose another --target"):
            self.folder.mkdir(parents=True, exist_ok=True)
        with self._hold_lock():
            _crawl(self.database, options)
            with Store.open(self.database) as store:
                state = self.read_state()
                run = _Run(self, options, store, _list_snapshots(store, options), state)
                if state is not None and state.snapshot == run.latest.id:
                    return state, False
                for stage in (_check, _export, _report):
                    store.run_limited(_MEMORY_LIMIT, partial(stage, run))
                message = store.run_limited(_MEMORY_LIMIT, partial(_format_message, run))
                new, observed_to = run.latest, f"{run.latest.observed_to:%FT%TZ}"
                state = SnapshotState(
                    new.id, new.kind, observed_to, new.models, message,
                    exported=run.latest_crawl.id,
                )  # fmt: skip
                write_state(self.folder, state)
        return state, True

    def prune(self, options: SyncOptions) -> int:
        """Delete the updates before the last full crawl that is older than the retention period.

        Return how many were deleted.
        """
        if options.retention is None:
            return 0
        oldest = (options.now - options.retention).replace(tzinfo=None)
        with self._hold_lock(), Store.open(self.database, write=True) as store:
            snapshots = _list_snapshots(store, options)
            old = [known for known in snapshots if known.observed_to < oldest]
            crawls = [known.observed_to for known in old if known.kind == "crawl"]
            until = max(crawls, default=datetime.min)
            expired = [known for known in old if known.kind == "update"]
            expired = [known for known in expired if known.observed_to < until]
            if expired:
                delete_snapshots(store, *(known.id for known in expired))
                export_history(store, self.folder / "history")
                with contextlib.suppress(StorageError):  # the free space is used later
                    store.compact()
        return len(expired)

    def _hold_lock(self) -> contextlib.AbstractContextManager[None]:
        return hold_lock(self.folder / STATE_FILE, "choose another --target")


@dataclass
class _Run:
    """What the stages of one run share. `snapshots`: those of the entire Hub, oldest first.

    `state`: that of the folder before.
    """

    target: LocalTarget
    options: SyncOptions
    store: Store
    snapshots: list[Snapshot]
    state: SnapshotState | None

    @property
    def latest(self) -> Snapshot:
        return self.snapshots[-1]

    @property
    def previous(self) -> Snapshot | None:
        """The last published snapshot; without a state, the last but one."""
        earlier = self.snapshots[:-1]
        if self.state is not None:  # those after it were refused
            published = self.state.snapshot
            earlier = [known for known in earlier if known.id == published] or earlier
        return earlier[-1] if earlier else None

    @property
    def latest_crawl(self) -> Snapshot:
        """The snapshot to export: an update contains download counts that it has not observed."""
        return next(known for known in reversed(self.snapshots) if known.kind == "crawl")


def _list_snapshots(store: Store, options: SyncOptions) -> list[Snapshot]:
    """Return the snapshots of the entire Hub, oldest first."""
    origin = options.hub["endpoint"].rstrip("/")
    return [
        known for known in list_snapshots(store) if known.origin == origin and known.is_unfiltered
    ]


def _crawl(db: Path, options: SyncOptions) -> None:
    """Add a full crawl or an update, unless there is a snapshot of today."""
    snapshots = []
    if db.exists():
        with Store.open(db) as store:
            snapshots = _list_snapshots(store, options)
    if snapshots and snapshots[-1].observed_to.date() >= options.now.date():
        return
    if options.full or _is_full_crawl_due(snapshots, options.now):
        pipeline.crawl(Scope(), db=db, progress=options.progress, **options.hub)
    else:
        pipeline.update(db=db, progress=options.progress, **options.hub)


def _is_full_crawl_due(snapshots: list[Snapshot], now: datetime) -> bool:
    # an update requires a complete crawl to start from
    crawls = [known for known in snapshots if known.kind == "crawl" and known.complete]
    return not crawls or now.replace(tzinfo=None) - crawls[-1].observed_to >= FULL_CRAWL_INTERVAL


def _check(run: _Run) -> None:
    """Raise SuspiciousDropError if the snapshot is much smaller than the previous one."""
    if run.previous is None or run.options.allow_drop:
        return
    drops = describe_drops(run.store, run.previous, run.latest)
    if drops:
        raise SuspiciousDropError(
            f"Snapshot {run.latest.id} is much smaller than snapshot {run.previous.id}: {drops}. "
            "It is not published. If the drop is real, run again with --allow-drop. Otherwise "
            f"delete the snapshot: {delete_command(run.target.database, run.latest.id)}"
        )


def _export(run: _Run) -> None:
    """Write the export of the latest full crawl, if it is new, and the history."""
    folder, state = run.target.folder, run.state
    if state is None or state.exported != run.latest_crawl.id:
        exported = export.export(run.store, folder / "export", snapshot=run.latest_crawl)
        export.write_card(exported, repo=run.target.repo)
    export_history(run.store, folder / "history")


def _report(run: _Run) -> None:
    """Write the reports on all models and on those of this year, and the fact-check."""
    for year in (None, run.options.now.year):
        request = ReportRequest(year)
        view = SnapshotView.choose(run.store, request.period, snapshot=run.latest.id)
        write_folder(build(view, request), _FORMATS, run.target.reports)
    write_folder(build_database_report(run.store, "claims"), _FORMATS, run.target.reports)


def _format_message(run: _Run) -> str:
    """Return the added, changed and removed models and the PyTorch-only share on one line.

    The share of a report on all models, with its coverage.
    """
    before, after = run.previous, run.latest
    figures = [_pytorch_only(run.store, snapshot) for snapshot in (before, after) if snapshot]
    shares, coverages = (
        " -> ".join(format_percent(getattr(figure, name)) for figure in figures)
        for name in ("share", "coverage")
    )
    definition = DEFINITION_LABELS[figures[-1].definition]
    answer = f"pytorch-only {shares} ({definition}, coverage {coverages})"
    if before is None:
        return f"data: {format_count(after.models, 'model')}, {answer}"
    rows = SnapshotView(run.store, after).run("changes", {"earlier": before.id, "later": after.id})
    models = {row["change"]: row["models"] for row in rows if row["framework"] is None}
    counts = f"+{models['added']} ~{models['changed']} -{models['removed']}"
    return f"data: {counts}, {answer}"


def _pytorch_only(store: Store, snapshot: Snapshot) -> Figure:
    return next(SnapshotView(store, snapshot).compute_exclusivity(FigureRequest()))
