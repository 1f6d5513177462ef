"""How the Hub grew: what a walk has ahead of it, before anyone can count it."""

import bisect
from datetime import UTC, datetime

from hfscan.objectid import CUTOFF_END, CUTOFF_START

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
"""Models created before each instant. Up to 2024 as a census of July 2024 still lists them, then
the public counts of those days. Only estimates rest on it; goes on at its last rate."""

_SECONDS = [instant.timestamp() for instant, _ in GROWTH]


def created_before(instant: datetime) -> float:
    """Return about how many of the Hub's public models were created before `instant`."""
    at = instant.timestamp()
    if at <= _SECONDS[0]:
        return 0.0
    right = min(bisect.bisect_left(_SECONDS, at), len(GROWTH) - 1)
    (_, before), (_, after) = GROWTH[right - 1 : right + 1]
    left_at, right_at = _SECONDS[right - 1 : right + 1]
    return before + (after - before) * (at - left_at) / (right_at - left_at)


def reached(models: float) -> datetime:
    """Return about when the Hub had `models` public models: the inverse of `created_before`."""
    right = next((n for n, (_, has) in enumerate(GROWTH) if has >= models), len(GROWTH) - 1)
    right = max(1, right)
    (before, had), (after, has) = GROWTH[right - 1 : right + 1]
    return before + (after - before) * ((models - had) / (has - had))
