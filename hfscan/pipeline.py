"""Crawl, update, backfill dates: from the Hub into a journal, from there into a database."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Unpack

from hfscan import hub
from hfscan._logging import LOGGER
from hfscan.errors import InvalidResponseError, NotFoundError
from hfscan.hub import ChangedModels, FetchResult, FirstCommitLog, FirstCommitResults, Progress
from hfscan.objectid import created_at
from hfscan.paths import cursors_file, journal_dir
from hfscan.scope import Scope
from hfscan.store import (
    Ingested,
    NewSnapshot,
    Snapshot,
    Store,
    find_full_crawl,
    ingest_files,
    list_missing_dates,
    list_snapshots,
    record_dates,
)
from hfscan.suggest import did_you_mean

# clocks differ: the Hub lists changes by the time of the machine that made the commit
_LOOKBACK = timedelta(hours=1)


@dataclass(frozen=True)
class CrawlSummary:
    """What a crawl fetched, and its ingest."""

    fetched: FetchResult
    ingested: Ingested


def crawl(
    scope: Scope,
    *,
    db: Path,
    resume: bool = True,
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    **options: Unpack[hub.ClientOptions],
) -> CrawlSummary:
    """Crawl `scope` of the Hub into the database `db` as a new snapshot.

    Pages are kept in `<db>.journal/` until they are in the database; an interrupted crawl resumes
    there, unless `resume` is False. A long crawl of everything writes `<db>.cursors`, from which
    later ones can start several `workers`: see `hub.fetch`. Raises NotFoundError, and stores
    nothing, if the Hub lists no models; and the errors of `hub.fetch` and of `Store`.
    """
    Store.open(db, write=True).close()  # fail now if it cannot be written, not after an hour
    saved_cursors = cursors_file(db)
    fetched = hub.fetch(
        scope,
        journal=journal_dir(db),
        resume=resume,
        progress=progress,
        workers=workers,
        saved_cursors=saved_cursors,
        **options,
    )
    with fetched, Store.open(db, write=True) as store:
        if not fetched.models and scope.sample is None:
            fetched.discard()
            raise NotFoundError(_describe_empty(scope, fetched.endpoint))
        if progress:
            progress(Progress(fetched.models, len(fetched.pages), notice="writing to the database"))
        earlier = fetched.requests - fetched.requests_this_run
        message = "fetched %d models in %d pages, %d of them by earlier runs; writing to %s"
        LOGGER.info(message, fetched.models, len(fetched.pages), earlier, db)
        new_snapshot = NewSnapshot(
            kind="crawl",
            origin=fetched.endpoint,
            scope=fetched.scope,
            observed_from=fetched.started_at,
            observed_to=fetched.finished_at,
            complete=fetched.is_complete,
            requests=fetched.requests,
            synthetic=fetched.synthetic,
            sample=fetched.scope.sample,
            sample_design=fetched.design.describe() if fetched.design else None,
            sample_strata=fetched.design.strata() if fetched.design else None,
        )
        ingested = _find_existing_ingest(store, fetched, new_snapshot) or ingest_files(
            store, fetched.pages, new_snapshot
        )
        if fetched.saved_cursors:
            fetched.saved_cursors.save(saved_cursors)
        fetched.discard()
        LOGGER.info("snapshot %d holds %d models", ingested.snapshot, ingested.models)
    return CrawlSummary(fetched, ingested)


def _describe_empty(scope: Scope, endpoint: str) -> str:
    """Return the message for a crawl without models."""
    filters = {name: getattr(scope, name) for name in ("task", "author", "since", "until")}
    given = ", ".join(f"--{name} {value}" for name, value in filters.items() if value is not None)
    # the tasks of huggingface.js (packages/tasks/src/pipelines.ts); the Hub may have more
    tasks = (Path(__file__).parent / "hub" / "tasks.txt").read_text(encoding="ascii").split()
    hint = did_you_mean(scope.task, tasks).strip() if scope.task else ""
    advice = "Check the spelling." if scope.task or scope.author else "Check period and endpoint."
    selection = f" for {given}" if given else ""
    return f"{endpoint} lists no model{selection}. Nothing was recorded. {hint or advice}"


def _find_existing_ingest(
    store: Store, fetched: FetchResult, new_snapshot: NewSnapshot
) -> Ingested | None:
    """Return this crawl's ingest by an earlier run, killed before it could delete the journal."""
    snapshots = list_snapshots(store)
    latest = max((snapshot.id for snapshot in snapshots), default=0)
    before = fetched.journal.mark_ingest_started(latest)
    ended = new_snapshot.observed_to.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    for snapshot in snapshots:
        marks = (snapshot.kind, snapshot.origin, snapshot.observed_to)
        if snapshot.id > before and marks == ("crawl", fetched.endpoint, ended):
            return Ingested(snapshot.id, snapshot.models, already_ingested=True)
    return None


@dataclass(frozen=True)
class UpdateSummary:
    """What an update fetched since the snapshot `base`, and its ingest."""

    base: Snapshot
    new: FetchResult
    changed: ChangedModels
    ingested: Ingested


def update(
    *,
    db: Path,
    progress: Callable[[Progress], None] | None = None,
    **options: Unpack[hub.ClientOptions],
) -> UpdateSummary:
    """Fetch what is new or changed since the last full crawl into a new snapshot.

    Lists new models, newest first, back to the last known one, then changed models, most recent
    first. Both lists go back at least to one hour before the last crawl started. Download
    counts of other models, and deletions, are not seen. An interrupted update starts again. Raises
    NotFoundError without a full crawl, and what `crawl` raises.
    """
    endpoint = options["endpoint"] = options["endpoint"].rstrip("/")
    with Store.open(db) as store:
        base, last = find_full_crawl(store, endpoint)
    since = base.observed_from.replace(tzinfo=UTC) - _LOOKBACK
    scope = Scope(since=min(created_at(last), since), files="files" not in base.missing_columns)
    with TemporaryDirectory() as folder:
        new = hub.fetch(scope, journal=Path(folder, "new"), progress=progress, **options)
        with new:
            if new.unproven_end:
                raise InvalidResponseError(
                    f"{endpoint} does not prove that it listed all new models: it "
                    f"{new.unproven_end}. Take a full crawl instead: hfscan crawl"
                )
            changed = hub.fetch_changed_models(
                since,
                folder=Path(folder),
                unsupported_fields=new.unsupported_fields,
                files=scope.files,
                progress=progress,
                **options,
            )
            new_snapshot = NewSnapshot(
                kind="update",
                origin=endpoint,
                scope=Scope(),
                observed_from=min(new.started_at, changed.started_at),
                observed_to=changed.finished_at,
                complete=False,
                requests=new.requests + changed.requests,
                synthetic=base.synthetic,
                base=base.id,
            )
            with Store.open(db, write=True) as store:
                ingested = ingest_files(store, [*new.pages, *changed.pages], new_snapshot)
    return UpdateSummary(base, new, changed, ingested)


def backfill_dates(
    *,
    db: Path,
    limit: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    **options: Unpack[hub.ClientOptions],
) -> FirstCommitResults:
    """Fetch the first commits of models at the cutoff that have no true date in `db`.

    At most `limit` models, the most downloaded first. Results of an interrupted run are kept,
    included, and count towards the limit. Raises DatabaseError, and the errors of
    `hub.fetch_first_commits`.
    """
    endpoint = options["endpoint"]
    Store.open(db).close()  # it must exist
    with FirstCommitLog(journal_dir(db), endpoint) as log:
        earlier = list(log.results)
        with Store.open(db, write=True) as store:
            _store_dates(store, log, endpoint)
            repos = list_missing_dates(store, limit and max(0, limit - len(earlier)))
        try:
            results = hub.fetch_first_commits(repos, log=log, progress=progress, **options)
        finally:
            if log.results:
                with Store.open(db, write=True) as store:
                    _store_dates(store, log, endpoint)
    results.found[:0] = earlier
    return results


def _store_dates(store: Store, log: FirstCommitLog, endpoint: str) -> None:
    record_dates(store, log.results, kind="first commit", origin=endpoint)
    log.clear()
