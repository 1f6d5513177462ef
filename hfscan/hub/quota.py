"""The Hub's announced quota, and how fast to ask so that it is never used up.

Every answer carries `ratelimit: "api";r=472;t=235` (remaining requests, seconds to the reset) and
`ratelimit-policy: "fixed window";"api";q=500;w=300` (quota, seconds per window).
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

SHARE = 0.8
"""Part of the announced quota that a crawl uses; the rest is left to the user's other tools."""

BURST = 0.1
"""Part of the announced quota that may be used at once, so that small crawls never wait."""

_NUMBER = re.compile(r";\s*([a-z]+)=(\d{1,9})(?=\s*(?:;|$))")


@dataclass(frozen=True)
class Quota:
    """What one answer said. `limit` and `window` (seconds) are None where it named none."""

    remaining: int
    reset: int
    limit: int | None = None
    window: int | None = None


def announced(headers: Mapping[str, str]) -> Quota | None:
    """Return the quota that an answer's headers announce, None where they announce none."""
    state = _numbers(headers.get("ratelimit"))
    if "r" not in state or "t" not in state:
        return None
    policy = _numbers(headers.get("ratelimit-policy"))
    return Quota(state["r"], state["t"], policy.get("q") or None, policy.get("w") or None)


class Pace:
    """Spreads a share of the quota over its window, from what the last answer announced.

    In a window of w seconds with quota q, the n-th request may start at once while n is within
    the burst, and then at an even rate that ends at `share` of q with the window.
    """

    def __init__(
        self,
        share: float = SHARE,
        burst: float = BURST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._share, self._burst, self._clock = share, burst, clock
        self._quota: Quota | None = None
        self._heard = 0.0
        self._held = 0.0

    def heard(self, quota: Quota | None) -> None:
        """Take note of what an answer announced."""
        if quota is not None:
            self._quota, self._heard = quota, self._clock()

    def hold(self, seconds: float) -> None:
        """Take note that the Hub asks to wait, for whatever reason."""
        self._held = max(self._held, self._clock() + seconds)

    def delay(self, in_flight: int = 0) -> float:
        """Return the seconds to wait before the next request.

        `in_flight` requests were sent later than the one whose answer was last heard.
        """
        return max(self._held - self._clock(), self._by_quota(in_flight))

    def _by_quota(self, in_flight: int) -> float:
        quota = self._quota
        if quota is None:
            return 0.0
        # one second more: `t` is in whole seconds
        to_reset = quota.reset + 1 - (self._clock() - self._heard)
        if to_reset <= 0:
            return 0.0
        remaining = max(0, quota.remaining - in_flight)
        if quota.limit is None or quota.window is None:
            return to_reset if remaining == 0 else 0.0
        burst = max(1.0, self._burst * quota.limit)
        even = max(0.0, self._share * quota.limit - burst)
        ahead = quota.limit - remaining + 1 - burst
        if ahead <= 0 < remaining:
            return 0.0
        if ahead > even or remaining == 0:
            return to_reset
        elapsed = quota.window + 1 - to_reset
        return min(to_reset, max(0.0, ahead / even * quota.window - elapsed))


def _numbers(header: str | None) -> dict[str, int]:
    return {name: int(digits) for name, digits in _NUMBER.findall(header or "")}
