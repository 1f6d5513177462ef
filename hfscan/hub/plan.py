"""Plan a crawl: the ranges of `_id`s to fetch, their URLs, and how a sample is drawn.

A sample is unbiased: an `_id` alone decides whether its model belongs to it. The time of creation,
scaled so that the Hub grows evenly along it, is cut into equal strata; from each the same share is
taken as one range, at a random place. Each model is drawn with the same probability. One place for
all strata (systematic sampling) would be the same time of day in many of them.
The cutoff band holds about 30,000 models in two seconds, too many for one range to include or skip:
there each model is drawn by itself, by a hash of the seed and its `_id`.
"""

import bisect
import re
import secrets
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from math import ceil, floor
from urllib.parse import urlencode

import msgspec

from hfscan.hub.cursor import SavedCursor, cursor_after, with_cursor
from hfscan.objectid import (
    CUTOFF_END,
    CUTOFF_START,
    MAX_ID,
    MIN_ID,
    lower_bound,
    next_id,
    previous_id,
)
from hfscan.scope import Scope

PAGE_SIZE = 1_000  # models; the Hub's default and maximum

FIELDS = (
    "author", "baseModels", "config", "createdAt", "disabled", "downloads", "downloadsAllTime",
    "gated", "lastModified", "library_name", "likes", "pipeline_tag", "private", "safetensors",
    "sha", "siblings", "tags",
)  # fmt: skip
"""Fields requested of each model (the Hub's names); `siblings` are the file names."""

GROWTH: tuple[tuple[datetime, int], ...] = (
    (CUTOFF_START, 0),
    (CUTOFF_END, 29_579),
    (datetime(2022, 7, 1, tzinfo=UTC), 52_737),
    (datetime(2023, 1, 1, tzinfo=UTC), 102_190),
    (datetime(2023, 7, 1, tzinfo=UTC), 228_351),
    (datetime(2024, 1, 1, tzinfo=UTC), 439_541),
    (datetime(2024, 7, 11, tzinfo=UTC), 760_000),
    (datetime(2025, 10, 23, tzinfo=UTC), 2_161_698),
    (datetime(2026, 5, 20, tzinfo=UTC), 2_900_000),
    (datetime(2026, 9, 25, tzinfo=UTC), 3_094_856),
    (datetime(2026, 10, 3, tzinfo=UTC), 3_117_871),
)
"""Models created before each instant: up to 2024 those still listed in July 2024, then the public
counts of those days. Only estimates use it; the last rate continues."""

_GROWTH_SECONDS = [instant.timestamp() for instant, _ in GROWTH]
_UNSUPPORTED_FIELD = re.compile(r'"expand" must be one of \[([^\]]*)\]')
_MAX_RANGE_PROBABILITY = 0.5  # of a sample: above, its ranges cost as many requests as everything
_MIN_SAMPLE_PAGE = 100  # models per page, if a range of a sample holds fewer

# with fewer, a few busy hours would dominate: models created together are alike
_MIN_SAMPLE_RANGES = 500
_MAX_MODELS_PER_RANGE = 1_000  # on average; a page
_RANGE_MARGIN = 2  # seconds fetched beyond a range of a sample, against rounding


class IdRange(msgspec.Struct, frozen=True):
    """A range of `_id`s, low <= _id < high, and the URLs of its first pages.

    `has_cursor`: the URLs hold a cursor, so that the first `_id` must lie in the range; otherwise
    they start at the Hub's own end.
    """

    low: str
    high: str
    ascending_url: str | None = None
    descending_url: str | None = None
    has_cursor: bool = False


class SamplingDesign(msgspec.Struct, frozen=True):
    """How a sample is drawn. `since` and `until` (UTC) bound what is drawn by ranges."""

    probability: float
    seed: int
    ranges: int
    since: datetime
    until: datetime

    @classmethod
    def create(
        cls, probability: float, seed: int, since: datetime | None, until: datetime | None
    ) -> "SamplingDesign":
        start = max(since or CUTOFF_END, CUTOFF_END)
        end = max(until or datetime.now(UTC), start)
        expected = estimate_count_before(end) - estimate_count_before(start)
        ranges = max(_MIN_SAMPLE_RANGES, ceil(probability * expected / _MAX_MODELS_PER_RANGE))
        return cls(probability, seed, ranges, start, end)

    def includes(self, object_id: str) -> bool:
        """Return whether the model with this `_id` belongs to the sample."""
        second = int(object_id[:8], 16)
        if second < CUTOFF_END.timestamp():
            return _uniform(f"{self.seed} {object_id}") < self.probability
        if not self.since.timestamp() <= second < self.until.timestamp():
            return False
        place = self._to_place(second)
        number = min(floor(place), self.ranges - 1)
        return (place - number - self._offset(number)) % 1 < self.probability

    def time_ranges(self) -> Iterator[tuple[int, int]]:
        """Yield time ranges (first second, second after the last) that hold the whole sample."""
        start, end = int(self.since.timestamp()), ceil(self.until.timestamp())
        previous = start
        for number in range(self.ranges):
            offset = self._offset(number)
            last = offset + self.probability
            # a range that ends beyond its stratum goes on at the stratum's start
            for first, beyond in ((0.0, last - 1), (offset, min(last, 1.0))):
                low = max(previous, self._to_second(number + first) - _RANGE_MARGIN)
                high = min(end, self._to_second(number + beyond) + _RANGE_MARGIN)
                if beyond > first and low < high:
                    yield low, high
                    previous = high

    def strata(self) -> list[datetime]:
        """Return when each stratum starts; its drawn models are a cluster."""
        seconds = map(self._to_second, range(self.ranges)) if self.since < self.until else ()
        return [datetime.fromtimestamp(second, UTC) for second in seconds]

    @property
    def models_per_range(self) -> float:
        """Estimate of how many models a time range holds."""
        models = estimate_count_before(self.until) - estimate_count_before(self.since)
        return self.probability * models / self.ranges

    def describe(self) -> str:
        """Return the design in words, for users of the sample."""
        text = f"each model with probability {self.probability:g}, seed {self.seed}"
        if self.since < self.until:
            text += (
                f": one range of creation time in each of {self.ranges} strata, from "
                f"{self.since:%F %T} until before {self.until:%F %T}"
            )
        return f"{text}; models at the cutoff ({CUTOFF_START:%F}) one by one, by hash of `_id`"

    def _offset(self, stratum: int) -> float:
        return _uniform(f"{self.seed} {stratum}")

    def _to_place(self, second: float) -> float:
        start, end = estimate_count_before(self.since), estimate_count_before(self.until)
        models = estimate_count_before(datetime.fromtimestamp(second, UTC))
        return (models - start) / (end - start) * self.ranges

    def _to_second(self, place: float) -> int:
        start, end = estimate_count_before(self.since), estimate_count_before(self.until)
        return int(estimate_time_of(start + place / self.ranges * (end - start)).timestamp())


class CrawlManifest(msgspec.Struct, frozen=True):
    """What a crawl fetches; `unsupported_fields` are those that the Hub does not know."""

    endpoint: str
    scope: Scope
    ranges: tuple[IdRange, ...]
    started_at: datetime
    unsupported_fields: tuple[str, ...] = ()
    design: SamplingDesign | None = None

    def list_url(self, *, ascending: bool, page_size: int = PAGE_SIZE) -> str:
        selection = self.scope, self.endpoint, self.unsupported_fields
        return list_url(*selection, ascending=ascending, page_size=page_size)


def plan_crawl(
    scope: Scope,
    endpoint: str,
    *,
    without_cursors: bool = False,
    saved_cursors: Sequence[SavedCursor] = (),
    unsupported_fields: tuple[str, ...] = (),
    design: SamplingDesign | None = None,
) -> CrawlManifest:
    """Plan a crawl that starts now.

    `without_cursors`: one range, from the nearer end, with only the cursors that the Hub sends.
    Otherwise everything is fetched from both ends, or in ranges split at `saved_cursors` (in
    order), and a sample by its ranges if they are sparse. `design`: of a sample that was started
    before.
    """
    now = datetime.now(UTC)
    if scope.sample is not None and design is None:
        seed = secrets.randbelow(1 << 31) if scope.seed is None else scope.seed
        design = SamplingDesign.create(scope.sample, seed, scope.since, scope.until)
    manifest = CrawlManifest(endpoint, scope, (), now, unsupported_fields, design)
    is_dense = design is not None and design.probability > _MAX_RANGE_PROBABILITY
    if without_cursors or is_dense or not (scope.is_full or design):
        ranges = _plan_without_cursors(manifest)
    elif design is not None:
        ranges = _plan_sample(manifest, design)
    else:
        ranges = _plan_full(manifest, saved_cursors)
    return msgspec.structs.replace(manifest, ranges=tuple(ranges))


def _plan_without_cursors(manifest: CrawlManifest) -> Iterator[IdRange]:
    scope = manifest.scope
    size, has_period = PAGE_SIZE, scope.since is not None or scope.until is not None
    if scope.limit is not None and not has_period:  # a period may lie behind many pages
        size = min(PAGE_SIZE, scope.limit)
    ascending = _is_oldest_nearer(scope, manifest.started_at)
    url = manifest.list_url(ascending=ascending, page_size=size)
    low, high = _id_bounds(scope)
    yield IdRange(low, high, url, None) if ascending else IdRange(low, high, None, url)


def _is_oldest_nearer(scope: Scope, now: datetime) -> bool:
    """Return whether fewer models lie before the period than after it.

    A limit without a period means the newest models.
    """
    if scope.since is None and scope.until is None:
        return scope.limit is None
    before = estimate_count_before(scope.since) if scope.since else 0.0
    after = estimate_count_before(now) - estimate_count_before(scope.until) if scope.until else 0.0
    return before <= after


def _plan_full(manifest: CrawlManifest, saved_cursors: Sequence[SavedCursor]) -> Iterator[IdRange]:
    """Yield ranges of everything, each entered by a saved cursor at one of its ends."""
    ascending_url = manifest.list_url(ascending=True)
    descending_url = manifest.list_url(ascending=False)
    if not saved_cursors:
        yield IdRange(MIN_ID, MAX_ID, ascending_url, descending_url)
        return
    low, start = MIN_ID, ascending_url
    for saved in saved_cursors:
        high = next_id(saved.id) if saved.ascending else saved.id
        if start:  # the last of these reaches up to where descending ones start
            yield IdRange(low, high, start, has_cursor=low != MIN_ID)
        else:
            url = with_cursor(descending_url, saved.cursor)
            yield IdRange(low, high, None, url, has_cursor=True)
        start = with_cursor(ascending_url, saved.cursor) if saved.ascending else ""
        low = high
    yield (
        IdRange(low, MAX_ID, start, has_cursor=True)
        if start
        else IdRange(low, MAX_ID, None, descending_url)
    )


def _plan_sample(manifest: CrawlManifest, design: SamplingDesign) -> Iterator[IdRange]:
    """Yield the cutoff band, fetched from the Hub's own end, and the ranges of a sample."""
    low, high = _id_bounds(manifest.scope)
    cutoff = lower_bound(CUTOFF_END)
    if low < cutoff:
        yield IdRange(low, min(high, cutoff), manifest.list_url(ascending=True))
    size = min(PAGE_SIZE, max(_MIN_SAMPLE_PAGE, ceil(1.5 * design.models_per_range)))
    url = manifest.list_url(ascending=True, page_size=size)
    for first, end in design.time_ranges():
        low, high = (f"{second:08x}" + "0" * 16 for second in (first, end))
        start = with_cursor(url, cursor_after(previous_id(low)))
        yield IdRange(low, high, start, has_cursor=True)


def list_url(
    scope: Scope,
    endpoint: str,
    unsupported_fields: tuple[str, ...] = (),
    *,
    ascending: bool,
    page_size: int = PAGE_SIZE,
) -> str:
    """Return the URL of the first page in order of creation, from one end of the Hub.

    In this order the cursor is only the last `_id`: changes meanwhile neither hide a model nor
    list it twice.
    """
    query = {
        "sort": "createdAt",
        "direction": "1" if ascending else "-1",
        "limit": str(page_size),
        "author": scope.author,
        "pipeline_tag": scope.task,
    }
    parameters = [(name, value) for name, value in query.items() if value is not None]
    fields = expand_fields(unsupported_fields, files=scope.files)
    return f"{endpoint}/api/models?{urlencode(parameters + fields)}"


def expand_fields(unsupported_fields: tuple[str, ...], *, files: bool) -> list[tuple[str, str]]:
    skipped = {*unsupported_fields} if files else {*unsupported_fields, "siblings"}
    return [("expand", name) for name in FIELDS if name not in skipped]


def find_unsupported_fields(server_message: str) -> tuple[str, ...]:
    """Return the fields that the Hub does not know, by its message; () for other messages."""
    match = _UNSUPPORTED_FIELD.search(server_message)
    supported = match[1].replace(" ", "").split(",") if match else FIELDS
    return tuple(name for name in FIELDS if name not in supported)


def _id_bounds(scope: Scope) -> tuple[str, str]:
    """Return the scope's period as `_id`s: low <= _id < high."""
    return (
        lower_bound(scope.since) if scope.since else MIN_ID,
        lower_bound(scope.until) if scope.until else MAX_ID,
    )


def estimate_count_before(instant: datetime) -> float:
    """Return about how many of the Hub's public models were created before `instant`."""
    second = instant.timestamp()
    if second <= _GROWTH_SECONDS[0]:
        return 0.0
    right = min(bisect.bisect_left(_GROWTH_SECONDS, second), len(GROWTH) - 1)
    (_, models_left), (_, models_right) = GROWTH[right - 1 : right + 1]
    left_second, right_second = _GROWTH_SECONDS[right - 1 : right + 1]
    share = (second - left_second) / (right_second - left_second)
    return models_left + (models_right - models_left) * share


def estimate_time_of(models: float) -> datetime:
    """Return about when the Hub had `models` models: the inverse of `estimate_count_before`."""
    right = next((n for n, (_, count) in enumerate(GROWTH) if count >= models), len(GROWTH) - 1)
    right = max(1, right)
    (time_left, models_left), (time_right, models_right) = GROWTH[right - 1 : right + 1]
    return time_left + (time_right - time_left) * (
        (models - models_left) / (models_right - models_left)
    )


def _uniform(text: str) -> float:
    """Return a number in [0, 1) that depends on `text` alone."""
    return int.from_bytes(blake2b(text.encode(), digest_size=7).digest()) / 2**56
