"""Fetch a scope of the Hub into a journal, and resume there.

The journal is replayed; threads fetch the ranges that remain.
"""

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from math import ceil
from pathlib import Path
from typing import Unpack

from hfscan.errors import InvalidResponseError
from hfscan.hub.client import ClientOptions, HubClient, RefusedError
from hfscan.hub.cursor import SavedCursor, SavedCursors, read_cursor
from hfscan.hub.journal import Journal, PageRecord, measure_request_time
from hfscan.hub.page import Page, endless_list_error, retry_if_truncated, unproven_end_page
from hfscan.hub.plan import IdRange, SamplingDesign, find_unsupported_fields, plan_crawl
from hfscan.hub.progress import Progress, ProgressReporter
from hfscan.hub.replay import Gap, Walker, estimate_models, replay_range, sort_by_fetch_order
from hfscan.objectid import MAX_ID, next_id
from hfscan.scope import Scope

MAX_CURSOR_RETRIES = 2
SECOND_WORKER_AFTER = 5.0  # seconds of requests, if the number of workers is not given
SHUTDOWN_TIMEOUT = 0.5  # seconds that a failed crawl waits for its workers
_CURSOR_REFUSED = frozenset({400, 404, 409, 410, 422})


@dataclass(frozen=True)
class FetchResult:
    """The pages of a finished crawl: gzip files of JSON arrays, each model once.

    Use as a context manager: it holds the journal. `models` are on the pages, `listed` is what the
    Hub listed in all; `seconds` (of requests) and `requests` include earlier runs of the crawl,
    `requests_this_run` does not. `saved_cursors` is set only by a full crawl long enough to be
    split. `skipped_rows`: rows that cannot be stored, by reason. `unproven_end`: why it is unknown
    whether the Hub has more models.
    """

    scope: Scope
    endpoint: str
    pages: tuple[Path, ...]
    models: int
    listed: int
    workers: int
    requests: int
    requests_this_run: int
    seconds: float
    started_at: datetime
    finished_at: datetime
    unsupported_fields: tuple[str, ...]
    synthetic: str | None
    design: SamplingDesign | None
    saved_cursors: SavedCursors | None
    journal: Journal
    skipped_rows: dict[str, int]
    unproven_end: str | None

    @property
    def is_complete(self) -> bool:
        """True if every model of the period is proven to be on the pages."""
        return self.scope.is_unfiltered and not self.skipped_rows and self.unproven_end is None

    def discard(self) -> None:
        """Delete the pages, once they are in a database."""
        self.journal.discard()

    def __enter__(self) -> "FetchResult":
        return self

    def __exit__(self, *_: object) -> None:
        self.journal.close()


def fetch(
    scope: Scope,
    *,
    journal: Path,
    resume: bool = True,
    progress: Callable[[Progress], None] | None = None,
    workers: int | None = None,
    saved_cursors: Path | None = None,
    **options: Unpack[ClientOptions],
) -> FetchResult:
    """Fetch `scope` and return its pages; resume an earlier, unfinished crawl.

    Requests only pages that the folder `journal` lacks; without `resume`, deletes them first.
    `workers`: pages fetched at a time; by default one, and a second from the other end if the Hub
    is slow. More than two start at the cursors of an earlier crawl (the file `saved_cursors`); if
    there are none, or the Hub ignores or refuses them, one starts at the Hub's end.

    Raises HubUnreachableError, HubRefusedError, InvalidResponseError, StorageError, and
    DatabaseError if another process crawls the same scope; the pages stay for the next run.
    """
    endpoint = options["endpoint"].rstrip("/")
    crawl_journal, reporter = Journal(journal, endpoint, scope), ProgressReporter(progress)
    try:
        with HubClient(**options, on_wait=reporter.notify, is_resumable=True) as client:
            if not resume or crawl_journal.manifest is None:
                cursors = _load_cursors(saved_cursors, endpoint, workers or 1)
                without_cursors = workers == 1 and scope.sample is None
                crawl_journal.begin(
                    plan_crawl(
                        scope, endpoint, without_cursors=without_cursors, saved_cursors=cursors
                    )
                )
            return _run(client, crawl_journal, reporter, workers)
    except BaseException:
        crawl_journal.close()
        raise


def _load_cursors(path: Path | None, endpoint: str, workers: int) -> Sequence[SavedCursor]:
    saved = SavedCursors.load(path, endpoint) if path and workers > 2 else None
    return saved.split(workers) if saved else ()


def _run(
    client: HubClient, journal: Journal, reporter: ProgressReporter, workers: int | None
) -> FetchResult:
    """Fetch; start again without fields that the Hub does not know, or without its old cursors."""
    without_cursors = False
    while True:
        assert journal.manifest is not None
        manifest = journal.manifest
        crawl = _Crawl(client, journal, reporter, workers, may_replan=not without_cursors)
        try:
            crawl.run()
        except CursorRejectedError:
            without_cursors, unsupported = True, manifest.unsupported_fields
        except RefusedError as error:
            unsupported = find_unsupported_fields(error.server_message)
            if set(unsupported) <= set(manifest.unsupported_fields):
                raise
        else:
            return crawl.result()
        replan = partial(plan_crawl, manifest.scope, manifest.endpoint, design=manifest.design)
        journal.begin(replan(without_cursors=without_cursors, unsupported_fields=unsupported))


class CursorRejectedError(Exception):
    """The Hub refuses or ignores a cursor, so that the crawl needs a new plan."""


class _Crawl:
    """One attempt to fetch the ranges of a plan.

    `workers`: the number of parallel fetches; None for one, or two if the Hub is slow.
    `may_replan`: raise CursorRejectedError instead of the Hub's error.
    """

    def __init__(
        self,
        client: HubClient,
        journal: Journal,
        reporter: ProgressReporter,
        workers: int | None,
        *,
        may_replan: bool,
    ) -> None:
        assert journal.manifest is not None
        self._client, self._journal, self._reporter = client, journal, reporter
        self._manifest, self._workers, self._may_replan = journal.manifest, workers, may_replan
        self._lock = threading.Lock()
        self._is_stopped = False
        self._records: list[PageRecord] = []
        self._seconds = 0.0
        self._resumable: dict[int, list[PageRecord]] = defaultdict(list)
        self._range_count = 0
        self._gaps: list[Gap] = []
        self._pending: deque[Walker] = deque()
        self._models_planned, self._models_left = 0.0, 0.0  # estimates

    def run(self) -> None:
        """Replay the journal and fetch what remains. Raises what `fetch` raises."""
        self._reporter.start()
        for record in self._journal.list_intact_records():
            self._resumable[record.range_index].append(record)
        self._add_ranges(*self._manifest.ranges)
        active: set[Future[None]] = set()
        pool = ThreadPoolExecutor(self._workers or 2, "hfscan-fetch")
        try:
            while True:
                while len(active) < self._max_active:
                    if not self._pending:
                        self._add_tail()
                    if not self._pending:
                        break
                    active.add(pool.submit(self._fetch_range, self._pending.popleft()))
                if not active:
                    return
                done, active = wait(active, self._wait_timeout, FIRST_COMPLETED)
                for future in done:
                    future.result()
        except BaseException:
            with self._lock:  # no page is being written
                self._is_stopped = True
            wait(active, SHUTDOWN_TIMEOUT)
            raise
        finally:
            pool.shutdown(wait=False)  # one may wait for the Hub

    @property
    def _max_active(self) -> int:
        return self._workers or (2 if self._seconds >= SECOND_WORKER_AFTER else 1)

    @property
    def _wait_timeout(self) -> float | None:
        """Seconds after which to see whether a second worker may start, None if none may."""
        return 0.5 if self._workers is None and self._max_active == 1 else None

    def _add_ranges(self, *ranges: IdRange) -> None:
        """Replay the journal of some ranges; queue what remains to be fetched."""
        resumed: list[PageRecord] = []
        with self._lock:
            for index, id_range in enumerate(ranges, self._range_count):
                records, gaps = replay_range(index, id_range, self._resumable[index])
                resumed += records
                self._models_planned += estimate_models(id_range.low, id_range.high)
                self._gaps += gaps
                self._models_left += sum(estimate_models(gap.low, gap.high) for gap in gaps)
                self._pending += (walker for gap in gaps for walker in gap.walkers)
            self._range_count += len(ranges)
            for record in resumed:
                self._record_progress(record, resumed=True)

    def _add_tail(self) -> None:
        """Queue the range of the models created since the newest were listed, once.

        They belong to the snapshot as they do when one worker fetches everything oldest first.
        """
        planned = self._manifest.ranges
        url, last = planned[-1].descending_url, len(planned) - 1
        is_parallel = last > 0 or planned[0].ascending_url
        if not (url and is_parallel) or self._range_count > len(planned):
            return
        listed = [
            record.first
            for record in self._records
            if record.range_index == last and not record.ascending and record.first
        ]
        if listed:
            self._add_ranges(IdRange(next_id(max(listed)), MAX_ID, None, url))

    def _fetch_range(self, walker: Walker) -> None:
        """Fetch pages until the range is covered: the task of a worker."""
        while not (
            self._is_stopped or walker.gap.is_done or walker.has_ended or self._is_limit_reached
        ):
            if walker.is_endless:
                raise endless_list_error(self._manifest.endpoint)
            started, requests = time.monotonic(), self._client.thread_stats.requests
            page = self._fetch_page(walker)
            seconds = time.monotonic() - started
            with self._lock:
                if self._is_stopped:
                    return
                low, high = walker.covered_by(page)
                record = self._journal.write_page(
                    self._filter(walker.gap, page),
                    range_index=walker.gap.range_index,
                    ascending=walker.ascending,
                    low=low,
                    high=high,
                    url=walker.url,
                    requests=self._client.thread_stats.requests - requests,
                    seconds=round(seconds, 3),
                    stored_at=datetime.now(UTC),
                )
                self._models_left -= estimate_models(low, high)
                walker.advance(record)
                self._record_progress(record)

    def _fetch_page(self, walker: Walker) -> Page:
        """Return the walker's next page. Raises CursorRejectedError, and errors of the Hub."""
        parse = retry_if_truncated(walker.validate)
        for attempt in range(MAX_CURSOR_RETRIES + 1):
            try:
                page = self._client.get(walker.url, parse)
                break
            except RefusedError as error:
                has_cursor = read_cursor(walker.url) or walker.records
                is_unsupported = find_unsupported_fields(error.server_message)
                if is_unsupported or not has_cursor or error.status not in _CURSOR_REFUSED:
                    raise
                if attempt < MAX_CURSOR_RETRIES:
                    continue
                if walker.is_url_constructed:
                    page = unproven_end_page(f"answered {error.status}")
                elif self._may_replan:
                    raise CursorRejectedError(walker.url) from error
                else:
                    raise
        if walker.starts_outside_range(page):
            if self._may_replan:
                raise CursorRejectedError(walker.url)
            raise InvalidResponseError(
                f"{self._manifest.endpoint} returned a list that does not start at the requested "
                "cursor."
            )
        if page.unproven_end and walker.ends_by_protocol:
            page = replace(page, unproven_end=None)
        return walker.with_next_url(page)

    def _filter(self, gap: Gap, page: Page) -> Page:
        """Return the page with only the models that are in scope and on no other page."""
        design, limit = self._manifest.design, self._manifest.scope.limit
        is_inside = all(map(gap.contains, page.ids[:1] + page.ids[-1:]))
        if is_inside and design is None and limit is None:
            return page
        ids = [
            object_id
            for object_id in page.ids
            if gap.contains(object_id) and (design is None or design.includes(object_id))
        ]
        if limit is not None:
            ids = ids[: limit - self._reporter.state.models]
        return page if len(ids) == len(page.ids) else page.filter(set(ids).__contains__)

    @property
    def _is_limit_reached(self) -> bool:
        limit = self._manifest.scope.limit
        return limit is not None and self._reporter.state.models >= limit

    def _record_progress(self, record: PageRecord, *, resumed: bool = False) -> None:
        self._records.append(record)
        self._seconds += record.seconds
        state = self._reporter.state
        models = state.models + record.models
        self._reporter.update(
            models=models,
            pages=state.pages + 1,
            requests=state.requests + record.requests,
            pages_resumed=state.pages_resumed + resumed,
            total=self._estimate_total(models),
        )

    def _estimate_total(self, models: int) -> int | None:
        """Return about how many models there are, from the Hub's growth so far."""
        scope, fetched = self._manifest.scope, self._models_planned - self._models_left
        if scope.limit is not None or scope.author is not None:
            return scope.limit
        if all(gap.is_done for gap in self._gaps):
            return models
        return max(models, ceil(models * self._models_planned / fetched)) if fetched > 0 else None

    def result(self) -> FetchResult:
        manifest, records = self._manifest, sort_by_fetch_order(self._records)
        with_models = [record for record in records if record.models] or records[-1:]
        skipped_rows = sum((Counter(record.skipped_rows) for record in records), Counter[str]())
        unproven_ends = (gap.unproven_end for gap in self._gaps)
        cursors = [cursor for record in records if (cursor := record.saved_cursor)]
        is_full = manifest.scope.is_full
        return FetchResult(
            scope=manifest.scope,
            endpoint=manifest.endpoint,
            pages=tuple(self._journal.page_file(record) for record in with_models),
            models=sum(record.models for record in records),
            listed=sum(record.rows for record in records),
            workers=len({(record.range_index, record.ascending) for record in records}),
            requests=sum(record.requests for record in records),
            requests_this_run=self._client.requests,
            seconds=measure_request_time(records),
            started_at=manifest.started_at,
            finished_at=max(record.stored_at for record in records),
            unsupported_fields=manifest.unsupported_fields,
            synthetic=next((record.synthetic for record in records if record.synthetic), None),
            design=manifest.design,
            saved_cursors=SavedCursors.select(manifest.endpoint, cursors) if is_full else None,
            journal=self._journal,
            skipped_rows=dict(skipped_rows),
            unproven_end=next(filter(None, unproven_ends), None),
        )
