"""Fixed rate-limit windows for each identity, and the headers that announce them."""

import threading
import time
from dataclasses import dataclass

_QUOTA_FACTORS = {"api": (1, 2), "resolvers": (6, 10)}
"""Bucket -> its quota as multiples of the api quota: anonymous, with a token. Source: Hub
documentation (500 and 1,000 api requests, 3,000 and 5,000 resolver requests in five minutes)."""


@dataclass(frozen=True)
class RateLimitResult:
    """Whether a request is within the quota, how many remain, and the headers of the response."""

    allowed: bool
    remaining: int
    headers: dict[str, str]


class RateLimit:
    """Count requests. `quota`: anonymous api requests in `window` seconds (None: no limit)."""

    def __init__(self, quota: int | None, window: int) -> None:
        self.quota, self.window = quota, window
        self._counts: dict[tuple[str, str], tuple[int, int]] = {}
        self._start = time.monotonic()
        self._lock = threading.Lock()

    def count(self, identity: str, *, has_token: bool, bucket: str = "api") -> RateLimitResult:
        quota = (self.quota or 1_000_000) * _QUOTA_FACTORS[bucket][has_token]
        with self._lock:
            number, elapsed = divmod(time.monotonic() - self._start, self.window)
            window, used = self._counts.get((identity, bucket), (int(number), 0))
            used = used + 1 if window == int(number) else 1
            self._counts[identity, bucket] = (int(number), used)
        reset = max(1, round(self.window - elapsed))
        remaining = max(0, quota - used)
        is_allowed = self.quota is None or used <= quota
        found = headers(remaining, reset, quota, self.window, bucket)
        return RateLimitResult(is_allowed, remaining, found)


def headers(
    remaining: int, reset: int, quota: int, window: int, bucket: str = "api"
) -> dict[str, str]:
    return {
        "ratelimit": f'"{bucket}";r={remaining};t={reset}',
        "ratelimit-policy": f'"fixed window";"{bucket}";q={quota};w={window}',
    }
