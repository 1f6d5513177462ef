"""The scope of a crawl, creation dates, and defaults that all commands share."""

from dataclasses import dataclass
from datetime import datetime

DEFAULT_FRAMEWORKS = ("pytorch", "tensorflow")  # the frameworks compared, unless others are named


@dataclass(frozen=True)
class Scope:
    """The part of the Hub that a crawl fetches.

    `since` and `until` (UTC, since <= createdAt < until) select by creation time, `author` and
    `task` by the Hub's own filters; `limit` stops after that many models; `files` requests the
    file names of each model; `sample` includes each model with this probability, by `seed` (None:
    a random one).
    """

    since: datetime | None = None
    until: datetime | None = None
    author: str | None = None
    task: str | None = None
    limit: int | None = None
    files: bool = True
    sample: float | None = None
    seed: int | None = None

    @property
    def is_unfiltered(self) -> bool:
        """True if a finished crawl of this scope has every model of its period."""
        return {self.author, self.task, self.limit, self.sample} == {None}

    @property
    def is_full(self) -> bool:
        """True if a finished crawl of this scope has every model."""
        return self.is_unfiltered and self.since is None and self.until is None


@dataclass(frozen=True)
class CreationDate:
    """When a repo was created, by another source than its `createdAt`.

    `created_at` is UTC; None: the source does not know it, as of a first commit if the repo is
    deleted, private or disabled. `moved_to` is the repo id that the Hub redirects `id` to.
    """

    id: str
    created_at: datetime | None
    moved_to: str | None = None
