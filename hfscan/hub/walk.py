"""The walk through a scope: which end, which address, when it is done."""

from dataclasses import dataclass
from datetime import datetime
from math import ceil
from urllib.parse import urlencode

from hfscan.hub.growth import created_before
from hfscan.hub.journal import Entry
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

_HIGHEST, _LOWEST = "g", ""  # beyond every `_id`, on either side


@dataclass(frozen=True)
class Walk:
    """A walk by creation time, oldest first (`ascending`) or newest first.

    Sorted so, the Hub's cursor is nothing but the last `_id`: what changes meanwhile can neither
    hide a model nor show it twice.
    """

    scope: Scope
    ascending: bool

    @classmethod
    def nearer(cls, scope: Scope, now: datetime) -> "Walk":
        """Return the walk that meets fewer models outside the scope's period.

        A limit without a period means the newest models.
        """
        if scope.since is None and scope.until is None:
            return cls(scope, scope.limit is None)
        before = created_before(scope.since) if scope.since else 0.0
        after = created_before(now) - created_before(scope.until) if scope.until else 0.0
        return cls(scope, before <= after)

    def url(self, endpoint: str, dropped: tuple[str, ...] = ()) -> str:
        """Return the address of the first page."""
        query = {
            "sort": "createdAt",
            "direction": "1" if self.ascending else "-1",
            "limit": str(self._page_size()),
            "author": self.scope.author,
            "pipeline_tag": self.scope.task,
        }
        asked = [(name, value) for name, value in query.items() if value is not None]
        asked += [
            ("expand", field)
            for field in FIELDS
            if field not in dropped and (field != "siblings" or self.scope.files)
        ]
        return f"{endpoint}/api/models?{urlencode(asked)}"

    def within(self, ids: list[str]) -> int:
        """Count the models created in the scope's period."""
        low, high = self._bounds()
        return sum(low <= one < high for one in ids)

    def cut(self, page: Page, models: int) -> Page:
        """Return the page up to the scope's limit, when `models` were there before it."""
        if self.scope.limit is None or models + self.within(page.ids) < self.scope.limit:
            return page
        low, high = self._bounds()
        rows = 0
        while models < self.scope.limit:
            models += low <= page.ids[rows] < high
            rows += 1
        return page.cut(rows)

    def ends(self, entry: Entry) -> bool:
        """Return whether nothing of the period can come after this page."""
        low, high = self._bounds()
        if entry.next_url is None:
            return True
        if entry.last is None:
            return False
        return entry.last >= high if self.ascending else entry.last <= low

    def estimate(self, models: int, last: str | None, now: datetime) -> int | None:
        """Return about how many models the whole walk meets, from the Hub's growth so far.

        `models` were met up to `last`; None while that says too little, or the author decides.
        """
        if self.scope.limit is not None or self.scope.author is not None or last is None:
            return self.scope.limit
        here, end = created_before(created_at(last)), created_before(now)
        if self.ascending:
            until = min(end, created_before(self.scope.until)) if self.scope.until else end
            done = here / until if until else 1.0
        else:
            since = created_before(self.scope.since) if self.scope.since else 0.0
            done = (end - here) / (end - since) if end > since else 1.0
        return max(models, ceil(models / min(1.0, done))) if done > 0 else None

    def _page_size(self) -> int:
        scope = self.scope
        if scope.limit is None or scope.since is not None or scope.until is not None:
            return PAGE_SIZE  # a period may lie behind many pages
        return min(PAGE_SIZE, scope.limit)

    def _bounds(self) -> tuple[str, str]:
        since, until = self.scope.since, self.scope.until
        return (
            lower_bound(since) if since else _LOWEST,
            lower_bound(until) if until else _HIGHEST,
        )
