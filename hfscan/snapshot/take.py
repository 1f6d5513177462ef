"""A snapshot: crawl, check, export, report. Killed anywhere and run again, it completes.

A state is a folder: the database, what a crawl in progress needs, `history/` (the database as
files that only grow), `reports/` of today, `export/` of the last crawl of everything, and
`snapshot.json`, which is written last and says which snapshot the others show.
"""

import contextlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from hfscan import census, export
from hfscan.errors import ImportFileError, StorageError, SuspiciousDropError
from hfscan.figures import FigureRequest, SnapshotView, describe_drops
from hfscan.fs import atomic_write, hold_lock, translate_os_errors
from hfscan.hub import Progress
from hfscan.report import Question, build, build_whole, write_folder
from hfscan.report.words import percent
from hfscan.scope import Scope
from hfscan.store import Snapshot, Store

FULL_EVERY = timedelta(days=7)
"""A crawl of everything is due so long after the last: updates see neither downloads of models that
did not change, nor deletions."""

DATABASE, SHOWN = "hfscan.duckdb", "snapshot.json"


@dataclass(frozen=True)
class SnapshotState:
    """What a snapshot shows: a source, how it was taken, and what changed, in one line.

    `exported` is the source that was exported last.
    """

    snapshot: int
    kind: str
    observed_to: str
    models: int
    message: str
    exported: int

    @property
    def instant(self) -> datetime:
        """When the source was observed (UTC)."""
        return datetime.fromisoformat(self.observed_to)


@dataclass(frozen=True)
class Local:
    """A state in a folder."""

    folder: Path

    @property
    def reports(self) -> Path:
        """The folder of today's reports."""
        return self.folder / "reports"

    def charts(self, _: SnapshotState) -> str:
        """Return what leads to the reports' charts from elsewhere."""
        return f"{self.reports.resolve().as_uri()}/"

    def take(self, **more: Any) -> tuple[SnapshotState, bool]:
        """See `take`."""
        return take(self.folder, **more)

    def shown(self) -> SnapshotState | None:
        """Return what it shows."""
        return shown(self.folder)


def take(
    state: Path,
    *,
    endpoint: str,
    token: str | None,
    full: bool = False,
    accept: bool = False,
    keep: timedelta | None = None,
    repo: str | None = None,
    rewrite_links: bool = False,
    now: datetime | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> tuple[SnapshotState, bool]:
    """Bring the state to today (UTC); return what it shows, and whether that is new.

    Crawls unless today's snapshot is there: everything, the first time, after FULL_EVERY or
    with `full`, else what is new or changed. Updates older than `keep` are forgotten, crawls of
    everything never. `repo` is the dataset that the export is for. Raises SuspiciousDropError,
    unless told to `accept`, when much less was seen than before; nothing is shown of it then. And
    what a crawl raises.
    """
    now = now or datetime.now(UTC)
    endpoint = endpoint.rstrip("/")
    db = state / DATABASE
    with translate_os_errors(state, "choose another --target"):
        state.mkdir(parents=True, exist_ok=True)
    with hold_lock(state / SHOWN, "choose another --target"):
        snapshots = _sources(db, endpoint)
        if not snapshots or snapshots[-1].observed_to.date() < now.date():
            full = full or _full_is_due(snapshots, now)
            crawl = partial(census.crawl, Scope()) if full else census.update
            crawl(
                endpoint=endpoint,
                token=token,
                db=db,
                rewrite_links=rewrite_links,
                progress=progress,
            )
            snapshots = _sources(db, endpoint)
        before = shown(state)
        if before is not None and before.snapshot == snapshots[-1].id:
            return before, False
        if len(snapshots) > 1 and not accept:
            _check(db, snapshots[-2], snapshots[-1])
        if keep is not None:
            _tidy(db, snapshots, now - keep)
            snapshots = _sources(db, endpoint)
        with Store.open(db) as store:
            return _show(store, state, snapshots, now, before, repo), True


def _sources(db: Path, endpoint: str) -> list[Snapshot]:
    """Return the Hub's snapshots that left no model out, oldest first."""
    if not db.exists():
        return []
    with Store.open(db) as store:
        return [one for one in store.snapshots() if one.origin == endpoint and one.whole]


def _full_is_due(snapshots: list[Snapshot], now: datetime) -> bool:
    # an update cannot go on from a crawl that left models out
    full = [one.observed_to for one in snapshots if one.kind == "crawl" and one.complete]
    return not full or now.replace(tzinfo=None) - full[-1] >= FULL_EVERY


def _check(db: Path, before: Snapshot, after: Snapshot) -> None:
    with Store.open(db) as store:
        drops = describe_drops(store, before, after)
    if drops:
        raise SuspiciousDropError(
            f"Snapshot {after.id} holds much less than snapshot {before.id}: {drops}. Nothing of "
            f"it is shown. If it is true, run again with --allow-drop; else delete it: "
            f"hfscan delete {after.id}"
        )


def _tidy(db: Path, snapshots: list[Snapshot], until: datetime) -> None:
    """Forget the updates before the last crawl of everything that is older than `until`."""
    old = [one for one in snapshots if one.observed_to < until.replace(tzinfo=None)]
    crawled = max((one.observed_to for one in old if one.kind == "crawl"), default=datetime.min)
    gone = [one.id for one in old if one.kind == "update" and one.observed_to < crawled]
    if gone:
        with Store.open(db, write=True) as store:
            store.forget(*gone)
            with contextlib.suppress(StorageError):  # no room for both; the space is used later
                store.compact()


def _show(
    store: Store,
    state: Path,
    snapshots: list[Snapshot],
    now: datetime,
    before: SnapshotState | None,
    repo: str | None,
) -> SnapshotState:
    source = snapshots[-1]
    # an update carries downloads on that it did not see: it is no snapshot to hand on
    crawled = next(one for one in reversed(snapshots) if one.kind == "crawl")
    if before is None or before.exported != crawled.id:
        exported = export.export(store, state / "export", snapshot=crawled)
        export.write_card(exported, repo=repo)
    store.save_history(state / "history")
    reports = state / "reports"
    for year in (None, now.year):
        question = Question(year)
        view = SnapshotView.choose(store, question.period, snapshot=source.id)
        write_folder(build(view, question), ("md", "html", "json"), reports)
    write_folder(build_whole(store, "claims"), ("md", "html", "json"), reports)
    snapshot = SnapshotState(
        source.id, source.kind, f"{source.observed_to:%FT%TZ}", source.models,
        _message(store, snapshots), crawled.id,
    )  # fmt: skip
    atomic_write(state / SHOWN, json.dumps(asdict(snapshot), indent=1).encode() + b"\n")
    return snapshot


def shown(state: Path) -> SnapshotState | None:
    """Return what a state shows, None where it shows nothing yet.

    Raises ImportFileError where its file is damaged: to take that for nothing would start anew.
    """
    path = state / SHOWN
    try:
        text = path.read_bytes()
    except OSError:
        return None
    try:
        snapshot = msgspec.json.decode(text, type=SnapshotState)
        aware = snapshot.instant.tzinfo is not None
    except (msgspec.DecodeError, ValueError):
        aware = False
    if not aware:
        raise ImportFileError(
            f"{path} was changed or damaged. In a folder, remove it, and run the same command "
            "again; in a dataset, revert the commit that changed it."
        )
    return snapshot


def _message(store: Store, snapshots: list[Snapshot]) -> str:
    """Return what changed, in one line: added, changed, gone, and the PyTorch-only share."""
    after = snapshots[-1]
    if len(snapshots) < 2:
        return f"data: {after.models:,} models, pytorch-only {_share(store, after)}"
    before = snapshots[-2]
    rows = SnapshotView(store, after).run("changes", {"earlier": before.id, "later": after.id})
    models = {row["change"]: row["models"] for row in rows if row["framework"] is None}
    return (
        f"data: +{models['added']} ~{models['changed']} -{models['removed']}, pytorch-only "
        f"{_share(store, before)} -> {_share(store, after)}"
    )


def _share(store: Store, source: Snapshot) -> str:
    figures = SnapshotView(store, source).exclusivity(FigureRequest())
    return percent(next(figures).share)
