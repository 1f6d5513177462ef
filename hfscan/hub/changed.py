"""What changed on the Hub since an instant: the list by time of change, newest first.

Its cursor holds a time and an `_id`. A model that changes during the walk leaps above it and is
missed; the next walk, which goes back to the start of this one, meets it.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec

from hfscan.errors import InvalidResponseError
from hfscan.fs import atomic_write, translate_os_errors
from hfscan.hub import cursor
from hfscan.hub.client import Answer, HubClient, RefusedError
from hfscan.hub.page import Page, doubting, whole
from hfscan.hub.progress import Progress
from hfscan.hub.retry import Patience, TransientError
from hfscan.hub.walk import EMPTY_PAGES, FIELDS, PAGE_SIZE
from hfscan.hub.words import cite


@dataclass(frozen=True)
class Changed:
    """Pages of models, gzip files of JSON arrays; the last reaches beyond the instant asked for.

    `left_out`: rows that cannot be stored, by reason.
    """

    pages: tuple[Path, ...]
    models: int
    requests: int
    started_at: datetime
    finished_at: datetime
    left_out: dict[str, int] = field(default_factory=dict)


class _Row(msgspec.Struct):
    id: str = msgspec.field(name="_id")
    at: Any = msgspec.field(default=None, name="lastModified")


@dataclass(frozen=True)
class _Change:
    """A row's `_id`, and when it changed as the Hub wrote it; None where it never did."""

    id: str
    text: str | None
    time: datetime | None
    """None also where the text is no time"""


def fetch_changed(
    since: datetime,
    *,
    endpoint: str,
    token: str | None,
    folder: Path,
    dropped: tuple[str, ...] = (),
    files: bool = True,
    progress: Callable[[Progress], None] = lambda _: None,
    patience: Patience | None = None,
    rewrite_links: bool = False,
) -> Changed:
    """Walk the models changed at `since` (UTC) or later into files in `folder`.

    Without the fields `dropped`, and with file names where `files`. Raises HubUnreachableError,
    HubRefusedError, InvalidResponseError and StorageError; an interrupted walk has to begin anew.
    """
    endpoint = endpoint.rstrip("/")
    query = [("sort", "lastModified"), ("direction", "-1"), ("limit", str(PAGE_SIZE))]
    unwanted = {*dropped} if files else {*dropped, "siblings"}
    query += [("expand", field) for field in FIELDS if field not in unwanted]
    url: str | None = f"{endpoint}/api/models?{urlencode(query)}"
    started_at, asked, state = datetime.now(UTC), set[str](), Progress()
    pages: list[Path] = []
    left_out = Counter[str]()
    last: list[_Change] = []  # of the page before
    empty = 0  # pages without a model, since the last that had one

    def notice(text: str) -> None:
        progress(msgspec.structs.replace(state, notice=text, waiting=True))

    with HubClient(
        endpoint, token, patience=patience, rewrite_links=rewrite_links, tell=notice
    ) as client:
        while url is not None:
            if url in asked or empty > EMPTY_PAGES:
                raise InvalidResponseError(f"{endpoint} leads the walk round in circles.")
            asked.add(url)
            page = _fetch_page(client, url, last)
            changes = _changes(page)
            empty = 0 if page.models else empty + 1
            left_out.update(page.left_out)
            pages.append(folder / f"{len(pages) + 1:06}.json.gz")
            with translate_os_errors(folder):
                atomic_write(pages[-1], page.packed)
            state = Progress(state.models + page.models, len(pages), client.requests)
            progress(state)
            if _reaches(changes, since):
                break
            presumed = page.next_url is None and bool(changes)
            url = _beyond(url, changes[-1]) if presumed else page.next_url
            last = changes if presumed else []
        requests = client.requests
    return Changed(
        tuple(pages), state.models, requests, started_at, datetime.now(UTC), dict(left_out)
    )


def _fetch_page(client: HubClient, url: str, last: list[_Change]) -> Page:
    """Return a page. `last` is the page before where hfscan made the address of what follows it.

    Raises InvalidResponseError where the Hub does not heed such an address: the walk cannot be
    proven.
    """
    unproven = (
        f"{client.endpoint} ends its list of changes without a link to more, and does not say what "
        "lies beyond: what changed cannot be known. Take a full crawl instead: hfscan crawl"
    )
    try:
        page = client.get(url, doubting(_doubting_times()))
    except RefusedError as error:
        if not last:
            raise
        raise InvalidResponseError(unproven) from error
    if page.ids and page.ids[0] in {change.id for change in last}:
        raise InvalidResponseError(unproven)
    return page


def _beyond(url: str, change: _Change) -> str:
    return cursor.entered(url, cursor.after_change(change.text, change.id))


def _doubting_times() -> Callable[[Answer], Page]:
    """Return a proof of one page, which doubts times that cannot be read twice."""
    doubts = 2

    def prove(answer: Answer) -> Page:
        nonlocal doubts
        page = whole(answer)
        changes = _changes(page)
        _check_times([change.time for change in changes if change.time is not None])
        strange = [change.text for change in changes if change.text and change.time is None]
        if strange and (doubts > 0 or len(strange) == len(changes)):
            doubts -= 1
            raise TransientError(
                f"The Hub says what is no time of change: {cite(strange[0], 100)}",
                final=InvalidResponseError,
            )
        return page

    return prove


def _check_times(times: list[datetime]) -> None:
    if times != sorted(times, reverse=True):
        raise TransientError(
            "The Hub listed models against the order of change", final=InvalidResponseError
        )


def _reaches(changes: list[_Change], since: datetime) -> bool:
    """Return whether a page goes back to `since`; models that never changed come last of all."""
    if changes and changes[-1].text is None:
        return True
    times = [change.time for change in changes if change.time is not None]
    return bool(times) and times[-1] < since


def _changes(page: Page) -> list[_Change]:
    rows = (msgspec.json.decode(row, type=_Row) for row in page.rows)
    return [
        _Change(row.id, row.at if row.at is None else str(row.at), _read_time(row.at))
        for row in rows
    ]


def _read_time(value: Any) -> datetime | None:
    """Return the time; None for what is none, which says nothing about the order."""
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
