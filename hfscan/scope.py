"""The scope of a crawl, and defaults that all commands share."""

from dataclasses import dataclass
from datetime import datetime

DEFAULT_FRAMEWORKS = ("pytorch", "tensorflow")
"""The frameworks compared, unless others are named."""


@dataclass(frozen=True)
class Scope:
    """The part of the Hub a crawl walks.

    `since` and `until` (UTC, half-open: since <= createdAt < until) cut by creation time;
    `author` and `task` are the Hub's own filters; `limit` stops after that many models;
    `files` asks for the file names of each model; `sample` draws each model with this
    probability, by `seed` (None: one is chosen and kept).
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
    def whole(self) -> bool:
        """True when a finished crawl of this scope has seen every model of its period."""
        return all(one is None for one in (self.author, self.task, self.limit, self.sample))

    @property
    def everything(self) -> bool:
        """True when no model is left out, whenever it was created."""
        return self.whole and self.since is None and self.until is None
