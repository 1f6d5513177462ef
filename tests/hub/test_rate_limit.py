"""The limiter keeps within the announced quota, despite clock skew and other clients."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfscan.hub.rate_limit import RateLimiter, RateLimitInfo, parse_ratelimit_headers


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def served(
    requests: int, *, quota: int, window: int, start: float, latency: float, others: int = 0
) -> tuple[dict[int, int], float]:
    """Ask a Hub with fixed windows `requests` times; return requests per window and the time."""
    clock = Clock()
    clock.now += start
    begin = clock.now
    limiter = RateLimiter(clock=clock)
    used: dict[int, int] = {}
    for _ in range(requests):
        clock.now += limiter.delay()
        number = int(clock.now // window)
        used[number] = used.get(number, 0) + 1
        left = math.floor((number + 1) * window - clock.now)
        limiter.update(RateLimitInfo(max(0, quota - used[number] - others), left, quota, window))
        clock.now += latency
    return used, clock.now - begin


@given(
    quota=st.integers(10, 2_000),
    window=st.integers(2, 600),
    start=st.floats(0, 600),
    latency=st.floats(0, 3),
)
def test_limiter_keeps_its_share_of_every_window(
    quota: int, window: int, start: float, latency: float
) -> None:
    used, _ = served(3 * quota, quota=quota, window=window, start=start, latency=latency)
    assert max(used.values()) <= math.ceil(0.8 * quota)


def test_a_long_crawl_uses_its_share() -> None:
    _, seconds = served(3_200, quota=500, window=300, start=0, latency=0.1)
    assert seconds == pytest.approx(3_200 / 400 * 300, rel=0.05)


def test_a_small_crawl_does_not_wait() -> None:
    _, seconds = served(50, quota=500, window=300, start=0, latency=0)
    assert seconds == 0


def test_requests_of_others_count() -> None:
    used, _ = served(300, quota=500, window=300, start=0, latency=0, others=450)
    assert max(used.values()) <= 50


@pytest.mark.parametrize(
    ("state", "policy", "quota"),
    [
        (
            '"api";r=472;t=235',
            '"fixed window";"api";q=500;w=300',
            RateLimitInfo(472, 235, 500, 300),
        ),
        ('"api";t=235;r=0', None, RateLimitInfo(0, 235)),
        ('"api"; r=1; t=2', '"api";w=300;q=500', RateLimitInfo(1, 2, 500, 300)),
        ('"api";r=1;t=2', '"fixed window";"api";q=0;w=0', RateLimitInfo(1, 2)),
        ('"api";r=1', None, None),
        ('"api";r=-1;t=x', None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_headers(state: str | None, policy: str | None, quota: RateLimitInfo | None) -> None:
    headers = {"ratelimit": state, "ratelimit-policy": policy}
    assert parse_ratelimit_headers({k: v for k, v in headers.items() if v is not None}) == quota


def test_a_spent_quota_without_a_policy_is_waited_for() -> None:
    clock = Clock()
    limiter = RateLimiter(clock=clock)
    assert limiter.delay() == 0
    limiter.update(RateLimitInfo(0, 20))
    clock.now += 5
    assert limiter.delay() == 16
    limiter.update(None)
    clock.now += 16
    assert limiter.delay() == 0
