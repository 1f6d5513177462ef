"""Models changed on the Hub since an instant: the list by time of change, newest first.

Its cursor holds a time and an `_id`. A model that changes meanwhile moves above it and is missed;
the next update, which goes back to the start of this one, sees it.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Unpack
from urllib.parse import urlencode

import msgspec

from hfscan.errors import InvalidResponseError
from hfscan.fs import atomic_write, translate_os_errors
from hfscan.hub.client import ClientOptions, HubClient, RawResponse, RefusedError
from hfscan.hub.cursor import cursor_after_change, with_cursor
from hfscan.hub.endpoint import sanitize_hub_text
from hfscan.hub.page import (
    MAX_CONSECUTIVE_EMPTY_PAGES,
    Page,
    decode_page,
    endless_list_error,
    retry_if_truncated,
)
from hfscan.hub.plan import PAGE_SIZE, expand_fields
from hfscan.hub.progress import Progress, ProgressReporter
from hfscan.hub.retry import TransientError

_MAX_TIME_RETRIES = 2  # times that a page with invalid times is requested again


@dataclass(frozen=True)
class ChangedModels:
    """Pages of models, gzip files of JSON arrays; the last reaches beyond the requested instant.

    `skipped_rows`: rows that cannot be stored, by reason.
    """

    pages: tuple[Path, ...]
    models: int
    requests: int
    started_at: datetime
    finished_at: datetime
    skipped_rows: dict[str, int] = field(default_factory=dict)


class _Change(msgspec.Struct):
    """A row's `_id`, and when it changed as the Hub wrote it; None if it never did."""

    id: str = msgspec.field(name="_id")
    changed_at: Any = msgspec.field(default=None, name="lastModified")

    @property
    def text(self) -> str | None:
        return self.changed_at if self.changed_at is None else str(self.changed_at)

    @property
    def time(self) -> datetime | None:
        """The time; None also for an invalid one, which says nothing about the order."""
        try:
            time = datetime.fromisoformat(self.changed_at)
        except (TypeError, ValueError):
            return None
        return time if time.tzinfo else time.replace(tzinfo=UTC)


def fetch_changed_models(
    since: datetime,
    *,
    folder: Path,
    unsupported_fields: tuple[str, ...] = (),
    files: bool = True,
    progress: Callable[[Progress], None] | None = None,
    **options: Unpack[ClientOptions],
) -> ChangedModels:
    """Fetch the models changed at `since` (UTC) or later into files in `folder`.

    Without `unsupported_fields`, and with file names if `files`. Raises HubUnreachableError,
    HubRefusedError, InvalidResponseError and StorageError; it cannot be resumed.
    """
    endpoint = options["endpoint"].rstrip("/")
    query = [("sort", "lastModified"), ("direction", "-1"), ("limit", str(PAGE_SIZE))]
    query += expand_fields(unsupported_fields, files=files)
    url: str | None = f"{endpoint}/api/models?{urlencode(query)}"
    started_at, requested, reporter = datetime.now(UTC), set[str](), ProgressReporter(progress)
    pages: list[Path] = []
    skipped_rows = Counter[str]()
    previous: list[_Change] = []  # changes of the page before, if `url` was constructed from them
    models = empty_pages = 0
    with HubClient(**options, on_wait=reporter.notify) as client:
        while url is not None:
            if url in requested or empty_pages > MAX_CONSECUTIVE_EMPTY_PAGES:
                raise endless_list_error(endpoint)
            requested.add(url)
            page = _fetch_page(client, url, previous)
            changes = _read_changes(page)
            empty_pages = 0 if page.models else empty_pages + 1
            skipped_rows.update(page.skipped_rows)
            pages.append(folder / f"{len(pages) + 1:06}.json.gz")
            with translate_os_errors(folder):
                atomic_write(pages[-1], page.gzipped)
            models += page.models
            reporter.update(models=models, pages=len(pages), requests=client.requests)
            if _reaches(changes, since):
                break
            previous = changes if page.next_url is None else []
            url = _next_url(url, page, changes)
        requests = client.requests
    return ChangedModels(
        tuple(pages), models, requests, started_at, datetime.now(UTC), dict(skipped_rows)
    )


def _fetch_page(client: HubClient, url: str, previous: list[_Change]) -> Page:
    """Return a page. `previous`: the changes before it, if hfscan constructed the URL from them.

    Raises InvalidResponseError if the Hub ignores such a URL: the list may be incomplete.
    """
    unproven = (
        f"{client.endpoint} ends its list of changes without a link to more, and does not say what "
        "follows: changes may be missing. Take a full crawl instead: hfscan crawl"
    )
    try:
        page = client.get(url, retry_if_truncated(_make_parser()))
    except RefusedError as error:
        if not previous:
            raise
        raise InvalidResponseError(unproven) from error
    if page.ids and page.ids[0] in {change.id for change in previous}:
        raise InvalidResponseError(unproven)
    return page


def _next_url(url: str, page: Page, changes: list[_Change]) -> str | None:
    """Return the URL of the next page, constructed if the Hub sent none after some changes."""
    if page.next_url is not None or not changes:
        return page.next_url
    return with_cursor(url, cursor_after_change(changes[-1].text, changes[-1].id))


def _make_parser() -> Callable[[RawResponse], Page]:
    """Return a parser of one page, which has invalid times requested again twice."""
    retries = _MAX_TIME_RETRIES

    def parse(response: RawResponse) -> Page:
        nonlocal retries
        page = decode_page(response)
        changes = _read_changes(page)
        times = [change.time for change in changes if change.time is not None]
        if times != sorted(times, reverse=True):
            raise TransientError(
                "The Hub listed models against the order of change", raise_as=InvalidResponseError
            )
        invalid = [change.text for change in changes if change.text and change.time is None]
        if invalid and (retries > 0 or len(invalid) == len(changes)):
            retries -= 1
            raise TransientError(
                f"The Hub sent an invalid time of change: {sanitize_hub_text(invalid[0], 100)}",
                raise_as=InvalidResponseError,
            )
        return page

    return parse


def _reaches(changes: list[_Change], since: datetime) -> bool:
    """Return whether a page goes back to `since`; models that never changed come last."""
    if changes and changes[-1].text is None:
        return True
    times = [change.time for change in changes if change.time is not None]
    return bool(times) and times[-1] < since


def _read_changes(page: Page) -> list[_Change]:
    return [msgspec.json.decode(row, type=_Change) for row in page.rows]
