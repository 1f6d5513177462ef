"""Takes a census: the Hub into a journal, the journal into the database."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hfscan import hub
from hfscan._logging import LOGGER
from hfscan.errors import InvalidResponseError, NotFoundError
from hfscan.hub import Answers, Changed, Dated, Harvest, Progress
from hfscan.objectid import created_at
from hfscan.paths import cursors_file, journal_dir
from hfscan.scope import Scope
from hfscan.store import CreationDate, Ingested, NewSnapshot, Snapshot, Store
from hfscan.suggest import did_you_mean

_OVERLAP = timedelta(hours=1)  # the time of a change is told by the clock of who made it


@dataclass(frozen=True)
class Crawled:
    """What a crawl fetched and what the database made of it."""

    harvest: Harvest
    ingested: Ingested


def crawl(
    scope: Scope,
    *,
    endpoint: str,
    token: str | None,
    db: Path,
    fresh: bool = False,
    workers: int | None = None,
    rewrite_links: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Crawled:
    """Crawl `scope` of the Hub at `endpoint` into the database `db` as one new_snapshot.

    Pages wait in `<db>.journal/` until they are in the database; an interrupted crawl goes on
    there. A long one of everything leaves `<db>.cursors`, from which later ones can walk in
    several `workers`: see `hub.fetch`. Raises NotFoundError, and records
    nothing, where the Hub lists no model; and the errors of `hub.fetch` and of `Store`.
    """
    tell = progress or (lambda _: None)
    with Store.open(db, write=True):
        pass  # a database that cannot be written is told before an hour of walking
    waypoints = cursors_file(db)
    fetched = hub.fetch(
        scope,
        endpoint=endpoint,
        token=token,
        journal=journal_dir(db),
        fresh=fresh,
        progress=tell,
        workers=workers,
        waypoints=waypoints,
        rewrite_links=rewrite_links,
    )
    with fetched as harvest, Store.open(db, write=True) as store:
        if not harvest.models and scope.sample is None:
            harvest.discard()
            raise NotFoundError(_nothing(scope, harvest.endpoint))
        tell(Progress(harvest.models, len(harvest.pages), notice="writing to the database"))
        LOGGER.info(
            "fetched %d models in %d pages, %d of them by earlier runs; writing to %s",
            harvest.models,
            len(harvest.pages),
            harvest.requests - harvest.requests_now,
            db,
        )
        new_snapshot = _observation(harvest)
        ingested = _already(store, harvest, new_snapshot) or store.ingest(
            harvest.pages, new_snapshot
        )
        if harvest.waypoints:
            harvest.waypoints.save(waypoints)
        harvest.discard()
        LOGGER.info("snapshot %d holds %d models", ingested.snapshot, ingested.models)
    return Crawled(harvest, ingested)


def _nothing(scope: Scope, endpoint: str) -> str:
    """Return what to say of a crawl that met no model, which is not recorded."""
    filters = {"task": scope.task, "author": scope.author, "since": scope.since}
    filters["until"] = scope.until
    told = ", ".join(f"--{name} {value}" for name, value in filters.items() if value is not None)
    hint = did_you_mean(scope.task, _known_tasks()) if scope.task else ""
    advice = "Check the spelling." if scope.task or scope.author else "Check period and endpoint."
    return (
        f"{endpoint} lists no model{f' for {told}' if told else ''}. Nothing was recorded."
        f"{hint or f' {advice}'}"
    )


def _known_tasks() -> list[str]:
    """Return the Hub's tasks (huggingface.js, packages/tasks/src/pipelines.ts); it may add more."""
    return (Path(__file__).parent / "hub" / "tasks.txt").read_text(encoding="ascii").split()


@dataclass(frozen=True)
class Updated:
    """What an update fetched since the snapshot `base`, and what the database made of it."""

    base: Snapshot
    new: Harvest
    changed: Changed
    ingested: Ingested


def update(
    *,
    endpoint: str,
    token: str | None,
    db: Path,
    rewrite_links: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Updated:
    """Carry the last full crawl of `endpoint` on: ask for what is new or changed since.

    New models by time of creation, down to the last known one; changed ones by time of change;
    both at least down to the start of the last crawl, an hour more. Downloads of other models, and
    deletions, are not seen. An interrupted update begins anew: it is short, and what it had would
    be of another day. Raises NotFoundError without a full crawl, and what `crawl` raises.
    """
    tell = progress or (lambda _: None)
    endpoint = endpoint.rstrip("/")
    with Store.open(db) as store:
        base, last = store.to_update(endpoint)
    since = base.observed_from.replace(tzinfo=UTC) - _OVERLAP
    scope = Scope(since=min(created_at(last), since), files="files" not in base.missing_columns)
    with TemporaryDirectory() as folder:
        journal = Path(folder, "new")
        new = hub.fetch(
            scope,
            endpoint=endpoint,
            token=token,
            journal=journal,
            rewrite_links=rewrite_links,
            progress=tell,
        )
        with new:
            if new.unproven_end:
                raise InvalidResponseError(
                    f"{endpoint} does not prove that it listed all new models: "
                    f"{new.unproven_end}. Take a full crawl instead: hfscan crawl"
                )
            changed = hub.fetch_changed(
                since,
                endpoint=endpoint,
                token=token,
                folder=Path(folder),
                dropped=new.dropped_fields,
                files=scope.files,
                rewrite_links=rewrite_links,
                progress=tell,
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
                ingested = store.ingest([*new.pages, *changed.pages], new_snapshot)
    return Updated(base, new, changed, ingested)


def backfill_dates(
    *,
    endpoint: str,
    token: str | None,
    db: Path,
    limit: int | None = None,
    rewrite_links: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Dated:
    """Ask the Hub for the first commits of cutoff models that `db` knows no true date of.

    At most `limit` models, the most downloaded first. What an interrupted run asked is kept, is
    part of the answer, and counts for the limit. Raises DatabaseError, and the errors of
    `hub.first_commits`.
    """
    with Store.open(db):
        pass  # there must be one
    with Answers(journal_dir(db), endpoint) as answers:
        earlier = list(answers.kept)
        with Store.open(db, write=True) as store:
            _record(store, answers, endpoint)
            left = limit and max(0, limit - len(earlier))
            repos = store.cutoff_to_date(left)
        try:
            dated = hub.first_commits(
                repos,
                endpoint=endpoint,
                token=token,
                answers=answers,
                rewrite_links=rewrite_links,
                progress=progress or (lambda _: None),
            )
        finally:
            if answers.kept:
                with Store.open(db, write=True) as store:
                    _record(store, answers, endpoint)
    dated.found[:0] = earlier
    return dated


def _record(store: Store, answers: Answers, endpoint: str) -> None:
    dates = [CreationDate(one.id, one.created_at, one.moved_to) for one in answers.kept]
    store.record_dates(dates, kind="first commit", origin=endpoint)
    answers.drop()


def _observation(harvest: Harvest) -> NewSnapshot:
    return NewSnapshot(
        kind="crawl",
        origin=harvest.endpoint,
        scope=harvest.scope,
        observed_from=harvest.started_at,
        observed_to=harvest.finished_at,
        complete=harvest.complete,
        requests=harvest.requests,
        synthetic=harvest.synthetic,
        sample=harvest.scope.sample,
        sample_design=harvest.design.told() if harvest.design else None,
    )


def _already(store: Store, harvest: Harvest, new_snapshot: NewSnapshot) -> Ingested | None:
    """Return what the database holds of this very crawl.

    It does when an earlier run was killed after the ingest, before it could drop the journal.
    """
    snapshots = store.snapshots()
    before = harvest.journal.storing_after(max((one.id for one in snapshots), default=0))
    ended = new_snapshot.observed_to.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    for one in snapshots:
        same = (one.kind, one.origin, one.observed_to) == ("crawl", harvest.endpoint, ended)
        if one.id > before and same:
            return Ingested(one.id, one.models, 0, 0, 0, 0, 0, {}, [], already=True)
    return None
