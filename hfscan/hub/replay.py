"""Replay a journal: which ranges of `_id`s its pages cover, and which remain to be fetched."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from hfscan.hub.client import RawResponse
from hfscan.hub.cursor import cursor_after, with_cursor
from hfscan.hub.journal import PageRecord
from hfscan.hub.page import MAX_CONSECUTIVE_EMPTY_PAGES, Page, validate_page, validate_page_beyond
from hfscan.hub.plan import IdRange, estimate_count_before
from hfscan.objectid import MAX_ID, created_at, next_id


class Gap:
    """A part of a range that no page covers yet: low <= _id < high.

    `walkers` fetch it: from one end, or one from each end.
    """

    def __init__(self, range_index: int, id_range: IdRange, low: str, high: str) -> None:
        self.range_index, self.id_range, self.low, self.high = range_index, id_range, low, high
        self.walkers: list[Walker] = []

    @property
    def is_done(self) -> bool:
        return self.low >= self.high

    @property
    def unproven_end(self) -> str | None:
        """Why it is unknown whether the Hub has more models here; None if it is known."""
        if self.is_done:
            return None
        return next((reason for walker in self.walkers if (reason := walker.unproven_end)), None)

    def contains(self, object_id: str) -> bool:
        return self.low <= object_id < self.high


class Walker:
    """Fetches a gap page by page, oldest first (`ascending`) or newest first.

    `records`: the pages before, in the order in which they were fetched.
    """

    def __init__(
        self, gap: Gap, url: str, records: Sequence[PageRecord], *, ascending: bool
    ) -> None:
        self.gap, self.url, self.ascending = gap, url, ascending
        self.records = [*records]
        self.requested_urls = {record.url for record in records}

    @property
    def last_id(self) -> str | None:
        return next((record.last for record in reversed(self.records) if record.last), None)

    @property
    def is_url_constructed(self) -> bool:
        """True if the Hub did not send `url`: hfscan made it to ask for what follows `last_id`."""
        return bool(self.records) and self.records[-1].is_next_constructed

    @property
    def is_endless(self) -> bool:
        """True if the Hub links to a page again, or to empty pages without end."""
        empty = list(itertools.takewhile(lambda record: not record.rows, reversed(self.records)))
        return self.url in self.requested_urls or len(empty) > MAX_CONSECUTIVE_EMPTY_PAGES

    @property
    def has_ended(self) -> bool:
        return bool(self.records) and self.records[-1].next_url is None

    @property
    def unproven_end(self) -> str | None:
        """Why it is unknown whether the Hub has more models; None if it is known."""
        return self.records[-1].unproven_end if self.records else None

    @property
    def ends_by_protocol(self) -> bool:
        """True if all pages but the last, a shorter one, had a link to the next.

        The best proof of an end if the Hub does not say what follows a model.
        """
        *before, last = self.records
        is_linked = bool(before) and not any(record.is_next_constructed for record in before)
        return is_linked and last.rows < max(record.rows for record in before)

    def validate(self, response: RawResponse) -> Page:
        """Return the response to `url` as a page. Raises what `validate_page` raises."""
        after, ascending = self.last_id, self.ascending
        if self.is_url_constructed and after is not None:
            return validate_page_beyond(response, after=after, ascending=ascending)
        return validate_page(response, after=after, ascending=ascending)

    def starts_outside_range(self, page: Page) -> bool:
        """Return whether a first page starts outside the range, so that its cursor was ignored."""
        id_range = self.gap.id_range
        if not id_range.has_cursor or self.records or not page.ids:
            return False
        return page.ids[0] < id_range.low if self.ascending else page.ids[0] >= id_range.high

    def covered_by(self, page: Page) -> tuple[str, str]:
        """Return the range that the next page covers: low <= _id < high."""
        low, high = self.gap.low, self.gap.high
        if page.next_url is None and page.unproven_end is None:
            return low, high
        if self.ascending:
            end = next_id(page.ids[-1]) if page.ids else low
            return low, min(max(end, low), high)
        end = page.ids[-1] if page.ids else high
        return max(min(end, high), low), high

    def advance(self, record: PageRecord) -> None:
        self.records.append(record)
        self.requested_urls.add(record.url)
        self.url = record.next_url or self.url
        if self.ascending:
            self.gap.low = record.high
        else:
            self.gap.high = record.low

    def with_next_url(self, page: Page) -> Page:
        """Return the page with a constructed next URL if the Hub sent none.

        Only an empty page proves that a list has ended: a `Link` may be lost.
        """
        if page.next_url is not None or not page.ids:
            return page
        cursor = cursor_after(page.ids[-1], ascending=self.ascending)
        return replace(page, next_url=with_cursor(self.url, cursor), is_next_constructed=True)


def replay_range(
    range_index: int, id_range: IdRange, records: Iterable[PageRecord]
) -> tuple[list[PageRecord], list[Gap]]:
    """Return the records that cover disjoint parts of a range, and the gaps between them."""
    selected = _select_disjoint(id_range, records)
    gaps, low = [], id_range.low
    for place, high in enumerate([*(record.low for record in selected), id_range.high]):
        if low < high:
            gap = Gap(range_index, id_range, low, high)
            _add_walkers(gap, selected[:place], selected[place:])
            gaps.append(gap)
        low = selected[place].high if place < len(selected) else high
    return selected, gaps


def _select_disjoint(id_range: IdRange, records: Iterable[PageRecord]) -> list[PageRecord]:
    """Return records in order of `_id` that do not overlap and that a fetch can continue from."""
    selected: list[PageRecord] = []
    low = id_range.low
    for record in sorted(records, key=_sort_key):
        is_superseded = record.is_cut and record.low == record.high  # its next URL skips models
        if low <= record.low and record.high <= id_range.high and not is_superseded:
            selected.append(record)
            low = record.high
    while True:
        # a cut page cannot be continued: keep it only if the other worker's page follows it
        lows = {record.low for record in selected} | {id_range.high}
        highs = {record.high for record in selected} | {id_range.low}
        complete = [
            record
            for record in selected
            if not record.is_cut
            or (record.high in lows if record.ascending else record.low in highs)
        ]
        if len(complete) == len(selected):
            return selected
        selected = complete


def sort_by_fetch_order(records: Iterable[PageRecord]) -> list[PageRecord]:
    """Return the pages fetched oldest first, then those fetched newest first, in that order."""
    places = sorted(records, key=_sort_key)
    ascending = [record for record in places if record.ascending]
    return ascending + [record for record in reversed(places) if not record.ascending]


def _sort_key(record: PageRecord) -> tuple[str, str, bool, int]:
    """Return the sort key of a page; pages without models cover nothing and follow each other."""
    number = record.number if record.ascending else -record.number
    return record.low, record.high, not record.ascending, number


def _add_walkers(gap: Gap, below: Sequence[PageRecord], above: Sequence[PageRecord]) -> None:
    """Add a walker for each end of the gap where the pages beside it, or the range, give a URL."""
    for ascending, beside, start_url in (
        (True, below, gap.id_range.ascending_url),
        (False, above[::-1], gap.id_range.descending_url),
    ):
        pages = [record for record in beside if record.ascending == ascending]
        if not beside and start_url:
            gap.walkers.append(Walker(gap, start_url, (), ascending=ascending))
        elif beside and beside[-1].ascending == ascending:
            url = pages[-1].next_url or pages[-1].url
            gap.walkers.append(Walker(gap, url, pages, ascending=ascending))


def estimate_models(low: str, high: str) -> float:
    """Return about how many models have an `_id` with low <= _id < high, from the Hub's growth."""
    now = datetime.now(UTC)

    def count_below(bound: str) -> float:
        if not bound:
            return 0.0
        instant = now if bound == MAX_ID else created_at(bound)
        return estimate_count_before(min(instant, now))

    return count_below(high) - count_below(low)
