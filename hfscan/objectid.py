"""Object ids: a model's `_id` starts with the second of its creation.

24 lowercase hex digits; the first 8 are big-endian Unix seconds. The Hub began to store dates on
2022-03-02: older models carry the instant of that migration (the *cutoff*), not their own.
"""

from datetime import UTC, datetime

CUTOFF_START = datetime(2022, 3, 2, 23, 29, 0, tzinfo=UTC)
"""No model was created by the API's account before this instant. Snapshot: Hub documentation
("before dates were stored": 2022-03-02T23:29:04); the band runs over several seconds."""

FIRST_DATED_YEAR = CUTOFF_START.year  # the first year of creation that the Hub stores

CUTOFF_END = datetime(2022, 3, 2, 23, 30, 0, tzinfo=UTC)
"""First instant after the cutoff band: CUTOFF_START <= createdAt < CUTOFF_END marks its models."""

HUB_START = datetime(2016, 1, 1, tzinfo=UTC)
"""The Hub has no model from before: an earlier date stands for none, such as 1970-01-01."""


def created_at(object_id: str) -> datetime:
    """Return the creation time (UTC, whole seconds) inside an `_id`."""
    return datetime.fromtimestamp(int(object_id[:8], 16), UTC)


def lower_bound(instant: datetime) -> str:
    """Return the smallest `_id` (24 hex digits) created at or after `instant` (to the second)."""
    return f"{max(0, int(instant.timestamp())):08x}" + "0" * 16


MIN_ID, MAX_ID = "", "g"
"""Below and above every `_id`."""


def next_id(object_id: str) -> str:
    """Return the lowest `_id` above this one."""
    return f"{int(object_id, 16) + 1:024x}"


def previous_id(object_id: str) -> str:
    """Return the highest `_id` below this one."""
    return f"{max(0, int(object_id, 16) - 1):024x}"
