"""An unbiased sample of the Hub: which models belong to it, told by their `_id` alone.

The time of creation, stretched so that the Hub grows evenly along it (growth.py), is cut into
equal ranges; from each the same share is taken, at one random place (systematic sampling). The
place is uniform, so each model is drawn with the same probability, wherever the ranges lie.

The cutoff band holds about 30,000 models in two seconds, too many for one range to take or leave:
there each model is drawn by itself, by a hash of the seed and its `_id`.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from math import ceil, floor

import msgspec

from hfscan.hub.growth import created_before, reached
from hfscan.objectid import CUTOFF_END, CUTOFF_START

_RANGES = 200
"""At least so many, or a few busy hours would decide: what is created together is alike."""

_RANGE = 1_000
"""Models; at most so many on average, a page."""

_MARGIN = 2  # seconds that a range is walked beyond what it takes, against rounding


class Design(msgspec.Struct, frozen=True):
    """How a sample is drawn. `since` and `until` (UTC) bound what is drawn by ranges."""

    probability: float
    seed: int
    ranges: int
    since: datetime
    until: datetime

    @classmethod
    def of(
        cls, probability: float, seed: int, since: datetime | None, until: datetime | None
    ) -> "Design":
        """Return a design for the models created from `since` until before `until`."""
        start = max(since or CUTOFF_END, CUTOFF_END)
        end = max(until or datetime.now(UTC), start)
        expected = created_before(end) - created_before(start)
        ranges = max(_RANGES, ceil(probability * expected / _RANGE))
        return cls(probability, seed, ranges, start, end)

    def draws(self, object_id: str) -> bool:
        """Return whether the model with this `_id` belongs to the sample."""
        second = int(object_id[:8], 16)
        if second < CUTOFF_END.timestamp():
            return _uniform(f"{self.seed} {object_id}") < self.probability
        if not self.since.timestamp() <= second < self.until.timestamp():
            return False
        place = self._place(second) - self._offset
        return place - floor(place) < self.probability

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield the spans (first second, second after the last) that hold all drawn by ranges."""
        start, end = int(self.since.timestamp()), ceil(self.until.timestamp())
        before = start
        for number in range(-1, self.ranges + 1):
            first = number + self._offset
            low = max(before, start, self._second(first) - _MARGIN)
            high = min(end, self._second(first + self.probability) + _MARGIN)
            if low < high:
                yield low, high
                before = high

    @property
    def models_a_span(self) -> float:
        """About how many models a span holds."""
        whole = created_before(self.until) - created_before(self.since)
        return self.probability * whole / self.ranges

    def told(self) -> str:
        """Say it in words, for whoever uses the sample."""
        words = f"each model with probability {self.probability:g}, seed {self.seed}"
        if self.since < self.until:
            words += (
                f": {self.ranges} ranges of creation time, systematic, from {self.since:%F %T} "
                f"until before {self.until:%F %T}"
            )
        return f"{words}; models at the cutoff ({CUTOFF_START:%F}) one by one, by hash of `_id`"

    @property
    def _offset(self) -> float:
        return _uniform(f"{self.seed}")

    def _place(self, second: float) -> float:
        start, end = created_before(self.since), created_before(self.until)
        at = created_before(datetime.fromtimestamp(second, UTC))
        return (at - start) / (end - start) * self.ranges

    def _second(self, place: float) -> int:
        start, end = created_before(self.since), created_before(self.until)
        return int(reached(start + place / self.ranges * (end - start)).timestamp())


def _uniform(text: str) -> float:
    """Return a number in [0, 1) that depends on `text` alone."""
    return int.from_bytes(blake2b(text.encode(), digest_size=7).digest()) / 2**56
