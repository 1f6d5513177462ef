"""Walkers at work: what each fetches is kept, and none fetches what another has seen."""

import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from enum import Enum
from math import ceil

from hfscan.errors import HfscanError, InvalidResponseError
from hfscan.hub import cursor
from hfscan.hub.client import Answer, HubClient, RefusedError
from hfscan.hub.journal import About, Entry, Journal, Stretch
from hfscan.hub.page import Page, doubting, prove, prove_beyond, unanswered
from hfscan.hub.progress import Progress
from hfscan.hub.walk import EMPTY_PAGES, HIGHEST, Span, Walker, following

FIELDS_REFUSED = re.compile(r'"expand" must be one of \[([^\]]*)\]')
_INSISTENCE = 2  # times that a refused cursor is shown again
_CURSOR_REFUSED = frozenset({400, 404, 409, 410, 422})
_SLOW = 5.0  # seconds of asking, after which a second walker helps where one may
_FAREWELL = 2.0  # seconds that a failing crawl waits for its other walkers


class _Asking(Enum):
    """When a walker asks the Hub: where its journal ends, or where that is damaged, or never.

    Damaged pages come first, before a walker moves that once met this one.
    """

    NEVER, DAMAGED, ALWAYS = range(3)


class LostError(Exception):
    """The Hub does not take, or does not heed, a cursor; `error` is what to raise at last."""

    def __init__(self, error: HfscanError) -> None:
        super().__init__(str(error))
        self.error = error


class Crew:
    """The walkers of one plan. `hands` walk at once; None: one, and a second where it is slow."""

    def __init__(
        self,
        client: HubClient,
        book: Journal,
        progress: Callable[[Progress], None],
        hands: int | None,
    ) -> None:
        assert book.about is not None
        self._client, self._book, self._progress = client, book, progress
        self._about: About = book.about
        self._hands = hands
        self._lock = threading.RLock()
        self._stopped = False
        self._error: BaseException | None = None
        self._helpers: list[threading.Thread] = []
        self._queue: deque[Walker] = deque()
        self._spans = [Span(one) for one in self._about.stretches]
        self._seconds = 0.0
        self._state = Progress()
        self.walkers = [
            Walker(2 * number + side, span, url, ascending=not side)
            for number, span in enumerate(self._spans)
            for side, url in enumerate((span.stretch.up, span.stretch.down))
            if url
        ]
        self._newest = self.walkers[-1]

    def run(self) -> None:
        """Walk until everything is seen. Raises what `fetch` raises, and LostError."""
        self._progress(self._state)
        for asking in (_Asking.NEVER, _Asking.DAMAGED):
            for walker in self.walkers:
                self._walk(walker, asking)
        self._work_on(self.walkers)
        for walker in self.walkers:
            if walker.finished and not (walker.span.done or walker.unproven_end):
                self._rewind(walker)

    @property
    def unproven_end(self) -> str | None:
        """Why it is not known whether the Hub has more models, None where it is known."""
        reasons = (one.unproven_end for one in self.walkers if not one.span.done)
        return next((reason for reason in reasons if reason), None)

    def notice(self, text: str) -> None:
        """Tell why nothing moves."""
        with self._lock:
            self._tell(notice=text, waiting=True)

    def _work_on(self, walkers: list[Walker]) -> None:
        self._queue.extend(walkers)
        try:
            for _ in range(min(self._hands or 1, len(walkers)) - 1):
                self._get_help()
            self._work()
        except BaseException:
            with self._lock:
                self._stopped = True
            for helper in self._helpers:
                helper.join(_FAREWELL)
            raise
        for helper in self._helpers:
            helper.join()
        if self._error is not None:
            raise self._error

    def _get_help(self) -> None:
        helper = threading.Thread(target=self._help, name="walker", daemon=True)
        self._helpers.append(helper)
        helper.start()

    def _help(self) -> None:
        try:
            self._work()
        except BaseException as error:  # raised again where `run` was called
            with self._lock:
                self._error = self._error or error
                self._stopped = True

    def _work(self) -> None:
        while True:
            with self._lock:
                walker = self._queue.popleft() if self._queue else self._tail()
                if self._stopped or walker is None:
                    return
            self._walk(walker, _Asking.ALWAYS)

    def _walk(self, walker: Walker, asking: _Asking) -> None:
        """Take the pages that the journal holds, and, as `asking` says, those of the Hub."""
        while not (self._stopped or walker.span.done or walker.finished or self._full):
            if walker.url in walker.asked or walker.empty > EMPTY_PAGES:
                raise InvalidResponseError(
                    f"{self._about.endpoint} leads the walk round in circles."
                )
            with self._lock:
                entry = self._book.find(walker.number, walker.url)
                if entry and walker.heeds(entry, exactly=asking is _Asking.ALWAYS):
                    walker.asked.add(walker.url)
                    self._take(walker, entry, kept=True)
                    continue
            known = self._book.known(walker.number, walker.url)
            if asking is _Asking.NEVER or (asking is _Asking.DAMAGED and known is None):
                return
            walker.asked.add(walker.url)
            self._ask(walker)

    def _rewind(self, walker: Walker) -> None:
        """Fetch a walker's last page again, and go on from there.

        What it left to another walker is not there: lines of the journal were lost.
        """
        with self._lock:
            entry = walker.drop()
            state = self._state
            self._tell(models=state.models - entry.models, pages=state.pages - 1)
        self._walk(walker, _Asking.ALWAYS)

    @property
    def _full(self) -> bool:
        limit = self._about.scope.limit
        return limit is not None and self._state.models >= limit

    def _ask(self, walker: Walker) -> None:
        """Fetch and keep a page."""
        began, requests = time.monotonic(), self._client.mine.requests
        page = self._fetched(walker)
        seconds = time.monotonic() - began
        with self._lock:
            if self._stopped:
                return
            span = walker.span
            entry = self._book.keep(
                walker.number,
                walker.url,
                self._chosen(span, page),
                reach=span.reach(page, ascending=walker.ascending),
                requests=self._client.mine.requests - requests,
                seconds=seconds,
                at=datetime.now(UTC),
            )
            self._take(walker, entry, kept=False)
            if self._hands is None and self._seconds >= _SLOW and not self._helpers:
                self._get_help()

    def _fetched(self, walker: Walker) -> Page:
        proven = doubting(lambda answer: self._proven(walker, answer))
        refusals = 0
        while True:
            try:
                page = self._client.get(walker.url, proven)
            except RefusedError as error:
                with_cursor = cursor.read(walker.url) or walker.entries
                known = error.status in _CURSOR_REFUSED and not FIELDS_REFUSED.search(error.said)
                if not (with_cursor and known):
                    raise
                refusals += 1
                if refusals > _INSISTENCE:
                    if walker.presumed:
                        page = unanswered(f"it answers {error.status}")
                        break
                    raise LostError(error) from error
            else:
                break
        if walker.strays(page):
            raise LostError(
                InvalidResponseError(
                    f"{self._about.endpoint} begins elsewhere than its cursor says."
                )
            )
        if page.unproven_end and walker.ends_by_protocol:
            page = replace(page, unproven_end=None)
        return walker.seek_more(page)

    @staticmethod
    def _proven(walker: Walker, answer: Answer) -> Page:
        if walker.presumed and walker.last is not None:
            return prove_beyond(answer, after=walker.last, ascending=walker.ascending)
        return prove(answer, after=walker.last, ascending=walker.ascending)

    def _chosen(self, span: Span, page: Page) -> Page:
        """Return the page with the models alone that are wanted and that nobody has seen."""
        design, limit = self._about.design, self._about.scope.limit
        if not page.ids:
            return page
        inside = span.holds(page.ids[0]) and span.holds(page.ids[-1])
        if inside and design is None and limit is None:
            return page
        chosen = [
            one for one in page.ids if span.holds(one) and (design is None or design.draws(one))
        ]
        if limit is not None:
            chosen = chosen[: limit - self._state.models]
        return page.only(set(chosen).__contains__)

    def _take(self, walker: Walker, entry: Entry, *, kept: bool) -> None:
        with self._lock:
            walker.take(entry)
            self._seconds += entry.seconds
            state = self._state
            self._tell(
                models=state.models + entry.models,
                pages=state.pages + 1,
                requests=state.requests + entry.requests,
                kept=state.kept + kept,
            )

    def _tell(self, notice: str = "", *, waiting: bool = False, **more: int) -> None:
        counts = {
            name: getattr(self._state, name) for name in ("models", "pages", "requests", "kept")
        }
        models = more.get("models", self._state.models)
        self._state = Progress(
            **counts | more, total=self._estimate(models), notice=notice, waiting=waiting
        )
        self._progress(self._state)

    def _estimate(self, models: int) -> int | None:
        """Return about how many models there are, from the Hub's growth so far."""
        scope, now = self._about.scope, datetime.now(UTC)
        if scope.limit is not None or scope.author is not None:
            return scope.limit
        if all(span.done for span in self._spans):
            return models
        seen, whole = map(sum, zip(*(span.grown(now) for span in self._spans), strict=True))
        return max(models, ceil(models * whole / seen)) if seen > 0 and whole > 0 else None

    def _tail(self) -> Walker | None:
        """Return a walker for the models created since the newest-first walker set out, once.

        Where others walked meanwhile, they are as much a part of the census as for one walker.
        """
        newest = self._newest
        top = next((entry.first for entry in newest.entries if entry.first), None)
        sent = self.walkers[-1] is not newest
        if sent or len(self.walkers) < 2 or newest.ascending or top is None:
            return None
        stretch = Stretch(following(top), HIGHEST, down=newest.span.stretch.down)
        assert stretch.down is not None
        tail = Walker(newest.number + 2, Span(stretch), stretch.down, ascending=False)
        self.walkers.append(tail)
        return tail
