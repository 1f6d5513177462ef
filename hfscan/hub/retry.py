"""Retry requests: which failures are transient, how long to wait, when to give up."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import stamina

from hfscan._logging import LOGGER
from hfscan.errors import HfscanError, HubUnreachableError

T = TypeVar("T")

# Retries are reported as progress; without a handler, Python would also print them on stderr.
logging.getLogger("stamina").addHandler(logging.NullHandler())


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


def call_with_retry(
    request: Callable[[], T],
    policy: RetryPolicy,
    *,
    has_responded: Callable[[], bool],
    on_wait: Callable[[str], None],
) -> T:
    """Return the result of `request`, called again after each TransientError.

    Waits as long as the Hub asks, else exponentially with jitter. `has_responded` returns whether
    the Hub has ever responded; `on_wait` receives the reason of each wait. Raises the error's
    `raise_as`.
    """
    failures = 0

    def should_retry(error: Exception) -> bool | float:
        nonlocal failures
        failures += 1
        if not isinstance(error, TransientError):
            return False
        if failures >= policy.connect_attempts and not has_responded():
            return False
        if error.wait is not None and error.wait > policy.timeout:
            return False
        action = "trying again" if error.wait is None else f"waiting {error.wait:.0f} s"
        LOGGER.info("%s; %s", error.reason, action)
        on_wait(f"{error.reason}; {action}")
        return True if error.wait is None else error.wait

    try:
        for attempt in stamina.retry_context(
            on=should_retry,
            attempts=policy.attempts,
            timeout=policy.timeout,
            wait_initial=policy.wait_initial,
            wait_max=policy.wait_max,
            wait_jitter=policy.wait_initial,
        ):
            with attempt:
                return request()
    except TransientError as error:
        tries = "1 attempt" if failures == 1 else f"{failures} attempts"
        if error.wait is not None:
            raise error.raise_as(
                f"{error.reason} and asks to wait {error.wait:.0f} s (after {tries})."
            ) from error
        raise error.raise_as(f"{error.reason} ({tries}).") from error
    raise AssertionError("a retry ends with a result or an error")
