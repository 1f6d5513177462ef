"""Retry requests: which failures are transient, how long to wait, when to give up."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from hfscan._logging import LOGGER
from hfscan.errors import HfscanError, HubUnreachableError

T = TypeVar("T")


class TransientError(Exception):
    """A failure that may not repeat.

    `wait`: the seconds to wait that the Hub asks for. `raise_as`: the error to raise once all
    attempts have failed.
    """

    def __init__(
        self,
        reason: str,
        *,
        wait: float | None = None,
        raise_as: type[HfscanError] = HubUnreachableError,
    ) -> None:
        super().__init__(reason)
        self.reason, self.wait, self.raise_as = reason, wait, raise_as


@dataclass(frozen=True)
class RetryPolicy:
    """Limits of one request with its retries. Times are in seconds."""

    attempts: int = 10
    connect_attempts: int = 3  # limit until the Hub has responded once: it is probably unreachable
    timeout: float = 900.0  # limit of all attempts: three windows of the Hub's rate limit
    wait_initial: float = 0.5
    wait_max: float = 60.0
    read_timeout: float = 30.0  # limit of the response headers, and without a byte of the body
    response_timeout: float = 120.0  # limit of the response body

    def backoff(self, failures: int) -> float:
        """Return how long to wait after so many failures: exponentially more, with jitter."""
        jitter = random.uniform(0, self.wait_initial)  # noqa: S311 - no secret
        return float(min(self.wait_max, self.wait_initial * 2 ** (failures - 1) + jitter))


def call_with_retry(
    request: Callable[[], T],
    policy: RetryPolicy,
    *,
    has_responded: Callable[[], bool],
    on_wait: Callable[[str], None],
    sleep: Callable[[float], None],
) -> T:
    """Return the result of `request`, called again after each TransientError.

    Waits as long as the Hub asks, else as the policy says. `has_responded` returns whether the Hub
    has ever responded; `on_wait` receives the reason of each wait, `sleep` its seconds. Raises the
    error's `raise_as`, and what `sleep` raises.
    """
    deadline, failures = time.monotonic() + policy.timeout, 0
    while True:
        try:
            return request()
        except TransientError as error:
            failures += 1
            limit = policy.attempts if has_responded() else policy.connect_attempts
            is_late = time.monotonic() >= deadline or (error.wait or 0) > policy.timeout
            if failures >= min(limit, policy.attempts) or is_late:
                tries = "1 attempt" if failures == 1 else f"{failures} attempts"
                ending = f" ({tries})."
                if error.wait is not None:
                    ending = f" and asks to wait {error.wait:.0f} s (after {tries})."
                raise error.raise_as(error.reason + ending) from error
            action = "trying again" if error.wait is None else f"waiting {error.wait:.0f} s"
            LOGGER.info("%s; %s", error.reason, action)
            on_wait(f"{error.reason}; {action}")
            wait = policy.backoff(failures) if error.wait is None else error.wait
        sleep(wait)
