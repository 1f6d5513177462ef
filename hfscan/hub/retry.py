"""Trying again: what is worth it, how long to wait, when to give up."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import stamina

from hfscan._logging import LOGGER
from hfscan.errors import HfscanError, HubUnreachableError

T = TypeVar("T")

# Retries are told as progress; without a handler, Python would print them to stderr as well.
logging.getLogger("stamina").addHandler(logging.NullHandler())


class TransientError(Exception):
    """A failure that may be gone next time; `final` is what it becomes when it is not.

    `wait`: the seconds that the Hub asked to wait, if it did.
    """

    def __init__(
        self,
        why: str,
        *,
        wait: float | None = None,
        final: type[HfscanError] = HubUnreachableError,
    ) -> None:
        super().__init__(why)
        self.why, self.wait, self.final = why, wait, final


@dataclass(frozen=True)
class Patience:
    """How much trouble one request is worth; times in seconds."""

    attempts: int = 10
    greetings: int = 3
    """attempts while the Hub has not answered at all: most likely it cannot be reached"""
    total: float = 900.0
    """three windows of the Hub's quota"""
    first_wait: float = 0.5
    longest_wait: float = 60.0
    timeout: float = 30.0
    """until the status and the headers of an answer are there, and without a byte of its body"""
    answer: float = 120.0
    """for the body of an answer"""


def persist(
    ask: Callable[[], T],
    patience: Patience,
    *,
    answered: Callable[[], bool],
    tell: Callable[[str], None],
) -> T:
    """Return what `ask` returns, asking again after a TransientError.

    Waits as long as the Hub says, else exponentially with jitter. `answered` says whether the Hub
    has ever answered; `tell` is told why it is asked again. Raises the error's `final`.
    """
    failures = 0

    def notify(text: str) -> None:
        LOGGER.info("%s", text)
        tell(text)

    def again(error: Exception) -> bool | float:
        nonlocal failures
        failures += 1
        if not isinstance(error, TransientError):
            return False
        if failures >= patience.greetings and not answered():
            return False
        if error.wait is None:
            notify(f"{error.why}; trying again")
            return True
        if error.wait > patience.total:
            return False
        notify(f"{error.why}; waiting {error.wait:.0f} s")
        return error.wait

    try:
        for attempt in stamina.retry_context(
            on=again,
            attempts=patience.attempts,
            timeout=patience.total,
            wait_initial=patience.first_wait,
            wait_max=patience.longest_wait,
            wait_jitter=patience.first_wait,
        ):
            with attempt:
                return ask()
    except TransientError as error:
        asked = "once" if failures == 1 else f"{failures} times"
        if error.wait is not None:
            raise error.final(
                f"{error.why} and asks to wait {error.wait:.0f} s (asked {asked}). Run the same "
                "command again later: it goes on from here."
            ) from error
        raise error.final(f"{error.why} (asked {asked}).") from error
    raise AssertionError("a retry ends with an answer or an error")
