"""Fetches a scope of the Hub into a journal: resumable, and never more than needed."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from hfscan.hub import waypoints as _waypoints
from hfscan.hub.client import HubClient, RefusedError
from hfscan.hub.crew import FIELDS_REFUSED, Crew, LostError
from hfscan.hub.journal import Entry, Journal
from hfscan.hub.plan import plan
from hfscan.hub.progress import Progress
from hfscan.hub.retry import Patience
from hfscan.hub.sample import Design
from hfscan.hub.walk import FIELDS
from hfscan.hub.waypoints import Waypoints
from hfscan.scope import Scope


@dataclass(frozen=True)
class Harvest:
    """The pages of a finished crawl; gzip files of JSON arrays of models, none of them twice.

    Use as a context manager: it holds the journal. `models` are on the pages, `listed` what the
    Hub listed in all; `seconds` (of asking) and `requests` include earlier runs of the same crawl,
    `requests_now` does not. `dropped_fields` are those the Hub cannot say; `waypoints` is None
    for less than a full crawl of some length. `left_out` are rows that cannot be stored, by reason;
    `unproven_end` says why it is not known whether the Hub has more models.
    """

    scope: Scope
    endpoint: str
    pages: tuple[Path, ...]
    models: int
    listed: int
    walkers: int
    requests: int
    requests_now: int
    seconds: float
    started_at: datetime
    finished_at: datetime
    dropped_fields: tuple[str, ...]
    synthetic: str | None
    design: Design | None
    waypoints: Waypoints | None
    journal: Journal
    left_out: dict[str, int]
    unproven_end: str | None

    @property
    def complete(self) -> bool:
        """True when every model of the period is proven to be on the pages."""
        return self.scope.whole and not self.left_out and self.unproven_end is None

    def discard(self) -> None:
        """Remove the pages, once they are safe in a database."""
        self.journal.discard()

    def __enter__(self) -> "Harvest":
        return self

    def __exit__(self, *_: object) -> None:
        self.journal.close()


def fetch(
    scope: Scope,
    *,
    endpoint: str,
    token: str | None,
    journal: Path,
    fresh: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
    patience: Patience | None = None,
    workers: int | None = None,
    waypoints: Path | None = None,
    rewrite_links: bool = False,
) -> Harvest:
    """Walk `scope` and return its pages, going on where an earlier, unfinished crawl stood.

    Asks only for pages that the folder `journal` does not hold whole; `fresh` drops them first.
    So many `workers` ask at once; by default one, and a second from the other end where that one
    is slow. More than two begin at the waypoints of an earlier crawl (the file `waypoints`);
    where there are none, or the Hub does not heed them, the walk is the plain one. `rewrite_links`
    is HubClient's.

    Raises HubUnreachableError, HubRefusedError, InvalidResponseError, StorageError, and
    DatabaseError when another process crawls the same scope there; what was fetched stays for the
    next run.
    """
    endpoint = endpoint.rstrip("/")
    known = _waypoints.load(waypoints, endpoint) if waypoints and (workers or 1) > 2 else None
    book = Journal(journal, endpoint, scope)
    heard: list[Crew] = []

    def notice(text: str) -> None:
        if heard:
            heard[-1].notice(text)

    try:
        with HubClient(
            endpoint, token, patience=patience, rewrite_links=rewrite_links, tell=notice
        ) as client:
            if fresh or book.about is None:
                points = known.parting(workers or 1) if known else ()
                alone = workers == 1 and scope.sample is None
                book.begin(plan(scope, endpoint, plain=alone, waypoints=points))

            def crew() -> Crew:
                heard.append(Crew(client, book, progress, workers))
                return heard[-1]

            return _harvest(book, _persevere(book, crew), client.requests)
    except BaseException:
        book.close()
        raise


def _persevere(book: Journal, new_crew: Callable[[], Crew]) -> Crew:
    """Walk; start anew without the fields that the Hub does not know, or plainly.

    A cursor that the Hub refuses is shown it twice more. Refused again, or not heeded, all begins
    anew, once, as a plain walk with new cursors.
    """
    renewed = False
    while True:
        crew, about = new_crew(), book.about
        assert about is not None
        try:
            crew.run()
        except RefusedError as error:
            known = FIELDS_REFUSED.search(error.said)
            if not known:
                raise
            allowed = {name.strip() for name in known[1].split(",")}
            unknown = tuple(field for field in FIELDS if field not in allowed)
            if set(unknown) <= set(about.dropped):
                raise
            scope, design = about.scope, about.design
            book.begin(plan(scope, about.endpoint, plain=renewed, dropped=unknown, design=design))
        except LostError as lost:
            if renewed:
                raise lost.error from lost
            renewed = True
            scope, dropped, design = about.scope, about.dropped, about.design
            book.begin(plan(scope, about.endpoint, plain=True, dropped=dropped, design=design))
        else:
            return crew


def _harvest(book: Journal, crew: Crew, requests_now: int) -> Harvest:
    assert book.about is not None
    about = book.about
    entries = [entry for walker in crew.walkers for entry in walker.entries]
    filled = [entry for entry in entries if entry.models] or entries[-1:]
    left_out = Counter[str]()
    for entry in entries:
        left_out.update(entry.left_out)
    return Harvest(
        scope=about.scope,
        endpoint=about.endpoint,
        pages=tuple(book.path(entry) for entry in filled),
        models=sum(entry.models for entry in entries),
        listed=sum(entry.rows for entry in entries),
        walkers=sum(bool(walker.entries) for walker in crew.walkers),
        requests=sum(entry.requests for entry in entries),
        requests_now=requests_now,
        seconds=_seconds(entries),
        started_at=about.started_at,
        finished_at=max(entry.at for entry in entries),
        dropped_fields=about.dropped,
        synthetic=next((entry.synthetic for entry in entries if entry.synthetic), None),
        design=about.design,
        waypoints=Waypoints.of(about.endpoint, entries) if about.scope.everything else None,
        journal=book,
        left_out=dict(left_out),
        unproven_end=crew.unproven_end,
    )


def _seconds(entries: Iterable[Entry]) -> float:
    """Return how long pages were asked for, however many at once."""
    whole, until = timedelta(), None
    for begin, end in sorted((one.at - timedelta(seconds=one.seconds), one.at) for one in entries):
        if until is None or end > until:
            whole += end - (begin if until is None else max(begin, until))
            until = end
    return whole.total_seconds()
