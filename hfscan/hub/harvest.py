"""Fetches a scope of the Hub into a journal: resumable, and never more than needed."""

import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import msgspec

from hfscan.errors import HubContractError
from hfscan.hub.client import Answer, HubClient, RefusedError
from hfscan.hub.journal import About, Entry, Journal
from hfscan.hub.page import Page, prove
from hfscan.hub.progress import Progress
from hfscan.hub.retry import Patience, TransientError
from hfscan.hub.walk import FIELDS, Walk
from hfscan.scope import Scope

_FIELDS_REFUSED = re.compile(r'"expand" must be one of \[([^\]]*)\]')
_EMPTY_PAGES = 10  # in a row, before a Hub that never ends is told from one that filters
_INSISTENCE = 2  # times that a refused cursor is shown again
_DOUBTS = 2  # times that a page is asked for again when its cursor says that it lacks models
_CURSOR_REFUSED = frozenset({400, 404, 409, 410, 422})


@dataclass(frozen=True)
class Harvest:
    """The pages of a finished walk, in its order; gzip files of JSON arrays of models.

    Use as a context manager: it holds the journal. `models` are those of the period; `seconds`
    and `requests` include earlier runs of the same crawl, `requests_now` does not. `oldest` and
    `newest` are the ids that the pages reach to, None when they are empty; `dropped_fields` are
    those the Hub cannot say.
    """

    scope: Scope
    endpoint: str
    pages: tuple[Path, ...]
    models: int
    requests: int
    requests_now: int
    seconds: float
    started_at: datetime
    finished_at: datetime
    oldest: str | None
    newest: str | None
    dropped_fields: tuple[str, ...]
    synthetic: str | None
    journal: Journal

    def discard(self) -> None:
        """Remove the pages, once they are safe in a database."""
        self.journal.discard()

    def __enter__(self) -> "Harvest":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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
) -> Harvest:
    """Walk `scope` and return its pages, going on where an earlier, unfinished walk stood.

    Asks only for pages that the folder `journal` does not hold whole; `fresh` drops them first.
    Raises HubUnreachableError, HubRefusedError, HubContractError, StorageError, and DatabaseError
    when another process crawls the same scope there; what was fetched stays for the next run.
    """
    endpoint = endpoint.rstrip("/")
    book = Journal(journal, endpoint, scope)
    try:
        teller = _Teller(progress)
        with HubClient(endpoint, token, patience=patience, tell=teller.notice) as client:
            if fresh or book.about is None:
                book.begin(_plan(scope, endpoint))
            entries = _persevere(client, book, teller)
        return _harvest(book, entries, client.requests)
    except BaseException:
        book.close()
        raise


def _plan(scope: Scope, endpoint: str, dropped: tuple[str, ...] = ()) -> About:
    now = datetime.now(UTC)
    walk = Walk.nearer(scope, now)
    return About(endpoint, scope, walk.url(endpoint, dropped), walk.ascending, now, dropped)


def _persevere(client: HubClient, book: Journal, teller: "_Teller") -> list[Entry]:
    """Walk; start anew without the fields that the Hub does not know, or with new cursors.

    A cursor that the Hub refuses is shown it twice more. Refused again, the walk is made anew,
    once: cursors are the Hub's own, and none is made up here.
    """
    refusals: Counter[int] = Counter()
    renewed = False
    while True:
        assert book.about is not None
        about = book.about
        try:
            return _walk(client, book, teller)
        except RefusedError as error:
            page = teller.state.pages
            known = _FIELDS_REFUSED.search(error.said)
            if known:
                allowed = {name.strip() for name in known[1].split(",")}
                unknown = tuple(field for field in FIELDS if field not in allowed)
                if set(unknown) <= set(about.dropped):
                    raise
                book.begin(_plan(about.scope, about.endpoint, unknown))
            elif error.status not in _CURSOR_REFUSED or not page:
                raise
            elif refusals[page] < _INSISTENCE:
                refusals[page] += 1
            elif not renewed:
                renewed = True
                refusals.clear()
                book.begin(_plan(about.scope, about.endpoint, about.dropped))
            else:
                raise


def _walk(client: HubClient, book: Journal, teller: "_Teller") -> list[Entry]:
    """Return the chain of pages from the first address to the end of the period."""
    assert book.about is not None
    walk = Walk(book.about.scope, book.about.ascending)
    entries: list[Entry] = []
    seen: set[str] = set()
    models, empty, last, url = 0, 0, None, book.about.url
    teller.begin()
    while True:
        if url in seen or empty > _EMPTY_PAGES:
            raise HubContractError(f"{book.about.endpoint} leads the walk round in circles.")
        seen.add(url)
        kept = book.find(url)
        entry = kept or _ask(client, book, walk, url, last, models)
        entries.append(entry)
        models += entry.models
        empty = 0 if entry.rows else empty + 1
        last = entry.last or last
        ends = walk.ends(entry)
        total = models if ends else walk.estimate(models, last, entry.at)
        teller.page(entry, kept is not None, models, total)
        if ends:
            return entries
        assert entry.next_url is not None
        url = entry.next_url


def _ask(
    client: HubClient, book: Journal, walk: Walk, url: str, last: str | None, models: int
) -> Entry:
    since, requests = time.monotonic(), client.requests
    doubts = _DOUBTS

    def proven(answer: Answer) -> Page:
        nonlocal doubts
        page = prove(answer, after=last, ascending=walk.ascending)
        if page.short_of_cursor and doubts:
            doubts -= 1
            raise TransientError("The Hub left models out at the end of a page")
        return page

    page = walk.cut(client.get(url, proven), models)
    return book.keep(
        url,
        page,
        models=walk.within(page.ids),
        requests=client.requests - requests,
        seconds=time.monotonic() - since,
        at=datetime.now(UTC),
    )


def _harvest(book: Journal, entries: list[Entry], requests_now: int) -> Harvest:
    assert book.about is not None
    wanted = [entry for entry in entries if entry.models] or entries[-1:]
    ids = [one for entry in wanted for one in (entry.first, entry.last) if one is not None]
    return Harvest(
        scope=book.about.scope,
        endpoint=book.about.endpoint,
        pages=tuple(book.path(entry) for entry in wanted),
        models=sum(entry.models for entry in entries),
        requests=sum(entry.requests for entry in entries),
        requests_now=requests_now,
        seconds=sum(entry.seconds for entry in entries),
        started_at=book.about.started_at,
        finished_at=entries[-1].at,
        oldest=min(ids, default=None),
        newest=max(ids, default=None),
        dropped_fields=book.about.dropped,
        synthetic=next((entry.synthetic for entry in entries if entry.synthetic), None),
        journal=book,
    )


class _Teller:
    """Tells the caller how a walk proceeds."""

    def __init__(self, progress: Callable[[Progress], None]) -> None:
        self._progress = progress
        self.state = Progress()

    def begin(self) -> None:
        self._tell(Progress())

    def page(self, entry: Entry, kept: bool, models: int, total: int | None) -> None:
        self._tell(
            Progress(
                models=models,
                pages=self.state.pages + 1,
                requests=self.state.requests + entry.requests,
                kept=self.state.kept + kept,
                total=total,
            )
        )

    def notice(self, text: str) -> None:
        self._tell(msgspec.structs.replace(self.state, notice=text))

    def _tell(self, state: Progress) -> None:
        self.state = state
        self._progress(state)
