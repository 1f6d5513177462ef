"""Fetch models from a fake Hub as `hfscan crawl` does, with short waits."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from hfscan import hub
from hfscan.hub.retry import RetryPolicy
from hfscan.scope import Scope

RETRY = RetryPolicy(wait_initial=0.01, wait_max=0.05, read_timeout=2)


class Server(Protocol):
    """A local server, of any kind."""

    @property
    def url(self) -> str: ...


def run_fetch(
    server: Server, journal: Path, scope: Scope | None = None, **options: Any
) -> hub.FetchResult:
    """Fetch the models of a scope (default: all) and close the journal."""
    options = {"retry_policy": RETRY} | options
    result = hub.fetch(
        scope or Scope(), endpoint=server.url, token=None, journal=journal, **options
    )
    result.journal.close()
    return result


def read_models(result: hub.FetchResult) -> list[dict[str, Any]]:
    """Return the API objects of all pages, in order."""
    pages = (json.loads(gzip.decompress(page.read_bytes())) for page in result.pages)
    return [model for page in pages for model in page]


def read_ids(result: hub.FetchResult) -> list[str]:
    """Return the `_id`s of all pages, in order."""
    return [model["_id"] for model in read_models(result)]


class Stop(BaseException):
    """Represents an interruption of a fetch."""


def stop_at(pages: int) -> Callable[[hub.Progress], None]:
    """Return a progress callback that raises Stop when this many pages are fetched."""

    def stop(state: hub.Progress) -> None:
        if state.pages == pages:
            raise Stop

    return stop
