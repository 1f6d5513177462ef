"""What a crawl sets out to see."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Scope:
    """The part of the Hub a crawl walks.

    `since` and `until` (UTC, half-open: since <= createdAt < until) cut by creation time;
    `author` and `task` are the Hub's own filters; `limit` stops after that many models;
    `files` asks for the file names of each model.
    """

    since: datetime | None = None
    until: datetime | None = None
    author: str | None = None
    task: str | None = None
    limit: int | None = None
    files: bool = True

    @property
    def whole(self) -> bool:
        """True when a finished crawl of this scope has seen every model of its period."""
        return self.author is None and self.task is None and self.limit is None
