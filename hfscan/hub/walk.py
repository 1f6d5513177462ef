"""A walk by creation time: what is asked of the Hub, and what of a stretch is still to be seen.

Sorted so, the Hub's cursor is nothing but the last `_id`: what changes meanwhile can neither hide
a model nor show it twice.
"""

from dataclasses import replace
from datetime import datetime
from urllib.parse import urlencode

from hfscan.hub import cursor
from hfscan.hub.growth import created_before
from hfscan.hub.journal import Entry, Stretch
from hfscan.hub.page import Page
from hfscan.objectid import created_at, lower_bound
from hfscan.scope import Scope

PAGE_SIZE = 1_000
"""Models; the Hub's default and maximum."""

FIELDS = (
    "author", "baseModels", "config", "createdAt", "disabled", "downloads", "downloadsAllTime",
    "gated", "lastModified", "library_name", "likes", "pipeline_tag", "private", "safetensors",
    "sha", "siblings", "tags",
)  # fmt: skip
"""What is asked of each model (the Hub's names); `siblings` are the file names."""

EMPTY_PAGES = 10
"""In a row, before a Hub that never ends is told from one that filters."""

LOWEST, HIGHEST = "", "g"
"""Beyond every `_id`, on either side."""


def address(
    scope: Scope,
    endpoint: str,
    *,
    ascending: bool,
    dropped: tuple[str, ...] = (),
    page_size: int = PAGE_SIZE,
) -> str:
    """Return the address of a walk's first page, at the Hub's own end."""
    query = {
        "sort": "createdAt",
        "direction": "1" if ascending else "-1",
        "limit": str(page_size),
        "author": scope.author,
        "pipeline_tag": scope.task,
    }
    asked = [(name, value) for name, value in query.items() if value is not None]
    asked += [
        ("expand", field)
        for field in FIELDS
        if field not in dropped and (field != "siblings" or scope.files)
    ]
    return f"{endpoint}/api/models?{urlencode(asked)}"


def period(scope: Scope) -> tuple[str, str]:
    """Return the scope's bounds as `_id`s: low <= _id < high."""
    return (
        lower_bound(scope.since) if scope.since else LOWEST,
        lower_bound(scope.until) if scope.until else HIGHEST,
    )


def following(object_id: str) -> str:
    """Return the lowest `_id` above this one."""
    return f"{int(object_id, 16) + 1:024x}"


def preceding(object_id: str) -> str:
    """Return the highest `_id` below this one."""
    return f"{max(0, int(object_id, 16) - 1):024x}"


class Span:
    """What of a stretch no page covers yet: low <= _id < high. One walker or two narrow it."""

    def __init__(self, stretch: Stretch) -> None:
        self.stretch = stretch
        self.low, self.high = stretch.low, stretch.high

    @property
    def done(self) -> bool:
        """True when nothing is left to see."""
        return self.low >= self.high

    def holds(self, object_id: str) -> bool:
        """Return whether this `_id` lies in what is left."""
        return self.low <= object_id < self.high

    def reach(self, page: Page, *, ascending: bool) -> str:
        """Return up to where a walker has seen everything, once it has this page."""
        if page.next_url is None and page.unproven_end is None:
            return self.high if ascending else self.low
        if not page.ids:
            return self.low if ascending else self.high
        seen = following(page.ids[-1]) if ascending else page.ids[-1]
        return min(max(seen, self.low), self.high)

    def grown(self, now: datetime) -> tuple[float, float]:
        """Return (seen, all) of the stretch, in models as the Hub grew (growth.py)."""

        def models(bound: str) -> float:
            instant = now if bound == HIGHEST else created_at(bound) if bound else None
            return created_before(min(instant, now)) if instant else 0.0

        whole = models(self.stretch.high) - models(self.stretch.low)
        left = models(self.high) - models(self.low) if not self.done else 0.0
        return whole - left, whole


class Walker:
    """One way through a span, page by page: oldest first (`ascending`) or newest first."""

    def __init__(self, number: int, span: Span, url: str, *, ascending: bool) -> None:
        self.number, self.span, self.ascending = number, span, ascending
        self.url: str = url
        self.last: str | None = None
        self.entries: list[Entry] = []
        self.asked: set[str] = set()
        """every address so far"""
        self.presumed = False
        """hfscan made the address, for what lies beyond the last page"""
        self.empty = 0
        """pages without a model, since the last that had one"""

    def strays(self, page: Page) -> bool:
        """Return whether the first page begins outside the stretch that its cursor names."""
        stretch = self.span.stretch
        if not stretch.entered or self.entries or not page.ids:
            return False
        return page.ids[0] < stretch.low if self.ascending else page.ids[0] >= stretch.high

    @property
    def finished(self) -> bool:
        """True when the Hub has no more, or the last page went beyond where another walker was.

        What lies there was left to that other one, so that this one cannot go on without a gap.
        """
        return bool(self.entries) and (
            self.entries[-1].next_url is None or self._cut(self.entries[-1])
        )

    def heeds(self, entry: Entry, *, exactly: bool) -> bool:
        """Return whether a page of the journal still fits: it keeps off other walkers' ground.

        One that was cut where it met another must, `exactly`, meet it there.
        """
        meeting = self.span.high if self.ascending else self.span.low
        if exactly and self._cut(entry):
            return entry.reach == meeting
        return entry.reach <= meeting if self.ascending else entry.reach >= meeting

    def take(self, entry: Entry) -> None:
        """Go on beyond a page."""
        self.entries.append(entry)
        self.last = entry.last or self.last
        self.empty = 0 if entry.rows else self.empty + 1
        self.url, self.presumed = entry.next_url or self.url, entry.presumed
        if self.ascending:
            self.span.low = max(self.span.low, entry.reach)
        else:
            self.span.high = min(self.span.high, entry.reach)

    def drop(self) -> Entry:
        """Go back to before the last page and return it."""
        entry = self.entries.pop()
        self.last = next((one.last for one in reversed(self.entries) if one.last), None)
        self.asked.discard(entry.url)
        self.url = entry.url
        self.presumed = bool(self.entries) and self.entries[-1].presumed
        if self.ascending:
            self.span.low = self.entries[-1].reach if self.entries else self.span.stretch.low
        else:
            self.span.high = self.entries[-1].reach if self.entries else self.span.stretch.high
        return entry

    def seek_more(self, page: Page) -> Page:
        """Return the page with an address of what lies beyond it, where the Hub names none.

        Only an empty page proves that a list has ended: a `Link` may be lost on the way.
        """
        if page.next_url is not None or not page.ids:
            return page
        beyond = cursor.after(page.ids[-1], ascending=self.ascending)
        return replace(page, next_url=cursor.entered(self.url, beyond), presumed=True)

    @property
    def unproven_end(self) -> str | None:
        """Why it is not known whether the Hub has more, once it names no more."""
        return self.entries[-1].unproven_end if self.entries else None

    @property
    def ends_by_protocol(self) -> bool:
        """True when a Hub that linked each page to the next sent a shorter one without a link.

        As much as can be known where it does not say what lies beyond a model.
        """
        *before, last = self.entries
        linked = bool(before) and not any(entry.presumed for entry in before)
        return linked and last.rows < max(entry.rows for entry in before)

    def _cut(self, entry: Entry) -> bool:
        if entry.last is None:
            return False
        return entry.reach <= entry.last if self.ascending else entry.reach > entry.last
