"""What changed on the Hub since an instant: the list by time of change, newest first.

Its cursor holds a time and an `_id`. A model that changes during the walk leaps above it and is
missed; the next walk, which goes back to the start of this one, meets it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import msgspec

from hfscan.errors import HubContractError
from hfscan.fs import atomic_write, translate_os_errors
from hfscan.hub.client import Answer, HubClient
from hfscan.hub.page import Page, doubting, whole
from hfscan.hub.progress import Progress
from hfscan.hub.retry import Patience, TransientError
from hfscan.hub.walk import EMPTY_PAGES, FIELDS, PAGE_SIZE


@dataclass(frozen=True)
class Changed:
    """Pages of models, gzip files of JSON arrays; the last reaches beyond the instant asked for."""

    pages: tuple[Path, ...]
    models: int
    requests: int
    started_at: datetime
    finished_at: datetime


class _Change(msgspec.Struct):
    at: datetime | None = msgspec.field(default=None, name="lastModified")


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
) -> Changed:
    """Walk the models changed at `since` (UTC) or later into files in `folder`.

    Without the fields `dropped`, and with file names where `files`. Raises HubUnreachableError,
    HubRefusedError, HubContractError and StorageError; an interrupted walk has to begin anew.
    """
    endpoint = endpoint.rstrip("/")
    query = [("sort", "lastModified"), ("direction", "-1"), ("limit", str(PAGE_SIZE))]
    unwanted = {*dropped} if files else {*dropped, "siblings"}
    query += [("expand", field) for field in FIELDS if field not in unwanted]
    url: str | None = f"{endpoint}/api/models?{urlencode(query)}"
    started_at, asked, state = datetime.now(UTC), set[str](), Progress()
    pages: list[Path] = []
    empty = 0  # pages without a model, since the last that had one

    def notice(text: str) -> None:
        progress(msgspec.structs.replace(state, notice=text))

    with HubClient(endpoint, token, patience=patience, tell=notice) as client:
        while url is not None:
            if url in asked or empty > EMPTY_PAGES:
                raise HubContractError(f"{endpoint} leads the walk round in circles.")
            asked.add(url)
            page = client.get(url, doubting(_prove))
            empty = 0 if page.models else empty + 1
            pages.append(folder / f"{len(pages) + 1:06}.json.gz")
            with translate_os_errors(folder):
                atomic_write(pages[-1], page.packed)
            state = Progress(state.models + page.models, len(pages), client.requests)
            progress(state)
            url = None if _oldest(page, since) < since else page.next_url
        requests = client.requests
    return Changed(tuple(pages), state.models, requests, started_at, datetime.now(UTC))


def _prove(answer: Answer) -> Page:
    page = whole(answer)
    times = _times(page)
    if times != sorted(times, reverse=True):
        raise TransientError(
            "The Hub listed models against the order of change", final=HubContractError
        )
    return page


def _oldest(page: Page, since: datetime) -> datetime:
    """Return when the page's last model changed; models that never did come last of all."""
    times = _times(page)
    if not times:
        return since
    return times[-1] if len(times) == page.models else datetime.min.replace(tzinfo=UTC)


def _times(page: Page) -> list[datetime]:
    try:
        found = [msgspec.json.decode(row, type=_Change).at for row in page.rows]
    except msgspec.ValidationError as error:
        raise TransientError(
            f"The Hub says what is no time of change: {error}", final=HubContractError
        ) from error
    return [at for at in found if at is not None]
