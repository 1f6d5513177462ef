"""The Hub's rate limit, and how fast to send requests so that it is never exhausted.

Every response carries `ratelimit: "api";r=472;t=235` (remaining requests, seconds to the reset) and
`ratelimit-policy: "fixed window";"api";q=500;w=300` (quota, seconds per window).
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

QUOTA_FRACTION = 0.8  # part of the quota that a crawl uses; the user's other tools get the rest

BURST_FRACTION = 0.1  # part of the quota that may be used at once, so that small crawls do not wait

_PARAMETER = re.compile(r";\s*([a-z]+)=(\d{1,9})(?=\s*(?:;|$))")


@dataclass(frozen=True)
class RateLimitInfo:
    """Rate limit of one response. `limit` and `window` (seconds) are None if it names none."""

    remaining: int
    reset: int
    limit: int | None = None
    window: int | None = None


def parse_ratelimit_headers(headers: Mapping[str, str]) -> RateLimitInfo | None:
    """Return the rate limit in a response's headers, None if they have none."""
    state, policy = (
        {name: int(digits) for name, digits in _PARAMETER.findall(headers.get(header) or "")}
        for header in ("ratelimit", "ratelimit-policy")
    )
    if "r" not in state or "t" not in state:
        return None
    return RateLimitInfo(state["r"], state["t"], policy.get("q") or None, policy.get("w") or None)


class RateLimiter:
    """Spreads a fraction of the quota over its window, based on the last response.

    In a window of w seconds with quota q, the n-th request may start at once while n is within
    the burst, and then at an even rate that uses QUOTA_FRACTION of q by the end of the window.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._info: RateLimitInfo | None = None
        self._updated_at = 0.0
        self._paused_until = 0.0

    def update(self, info: RateLimitInfo | None) -> None:
        if info is not None:
            self._info, self._updated_at = info, self._clock()

    def pause(self, seconds: float) -> None:
        """Send no request for this time."""
        self._paused_until = max(self._paused_until, self._clock() + seconds)

    def delay(self, in_flight: int = 0) -> float:
        """Return the seconds to wait before the next request.

        `in_flight`: requests sent after the one whose response was recorded last.
        """
        return max(self._paused_until - self._clock(), self._delay_by_quota(in_flight))

    def _delay_by_quota(self, in_flight: int) -> float:
        info = self._info
        if info is None:
            return 0.0
        # one second more: `t` is in whole seconds
        to_reset = info.reset + 1 - (self._clock() - self._updated_at)
        if to_reset <= 0:
            return 0.0
        remaining = max(0, info.remaining - in_flight)
        if info.limit is None or info.window is None:
            return to_reset if remaining == 0 else 0.0
        burst = max(1.0, BURST_FRACTION * info.limit)
        even = max(0.0, QUOTA_FRACTION * info.limit - burst)
        ahead = info.limit - remaining + 1 - burst
        if ahead <= 0 < remaining:
            return 0.0
        if ahead > even or remaining == 0:
            return to_reset
        elapsed = info.window + 1 - to_reset
        return min(to_reset, max(0.0, ahead / even * info.window - elapsed))
