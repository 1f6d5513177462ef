"""Fixed windows for each identity, and the headers that announce them on every answer."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """Whether a request fits in its window, and the headers that say so."""

    allowed: bool
    headers: dict[str, str]


class RateLimit:
    """Counts requests; `quota` anonymous ones (twice as many with a token) each `window` s."""

    def __init__(
        self, quota: int | None, window: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.quota, self.window, self._clock = quota, window, clock
        self._counts: dict[str, tuple[int, int]] = {}
        self._start = clock()
        self._lock = threading.Lock()

    def take(self, identity: str, *, known: bool) -> Verdict:
        """Count one request of `identity`; `known` identities came with a token."""
        quota = (self.quota or 1_000_000) * (2 if known else 1)
        with self._lock:
            number, elapsed = divmod(self._clock() - self._start, self.window)
            window, used = self._counts.get(identity, (int(number), 0))
            used = used + 1 if window == int(number) else 1
            self._counts[identity] = (int(number), used)
        return Verdict(
            self.quota is None or used <= quota,
            headers(max(0, quota - used), max(1, round(self.window - elapsed)), quota, self.window),
        )


def headers(remaining: int, reset: int, quota: int, window: int) -> dict[str, str]:
    """Return the two rate-limit headers of the `api` bucket."""
    return {
        "ratelimit": f'"api";r={remaining};t={reset}',
        "ratelimit-policy": f'"fixed window";"api";q={quota};w={window}',
    }
