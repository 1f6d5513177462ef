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


def simulate_requests(
    requests: int, *, quota: int, window: int, start: float, latency: float, other_requests: int = 0
) -> tuple[dict[int, int], float]:
    """Send requests to a Hub with fixed windows; return the number per window, and the seconds."""
    clock = Clock()
    clock.now += start
    start_time = clock.now
    limiter = RateLimiter(clock=clock)
    request_counts: dict[int, int] = {}
    for _ in range(requests):
        clock.now += limiter.delay()
        window_number = int(clock.now // window)
        request_counts[window_number] = request_counts.get(window_number, 0) + 1
        seconds_left = math.floor((window_number + 1) * window - clock.now)
        limiter.update(
            RateLimitInfo(
                max(0, quota - request_counts[window_number] - other_requests),
                seconds_left,
                quota,
                window,
            )
        )
        clock.now += latency
    return request_counts, clock.now - start_time


@given(
    quota=st.integers(10, 2_000),
    window=st.integers(2, 600),
    start=st.floats(0, 600),
    latency=st.floats(0, 3),
)
def test_limiter_keeps_its_share_of_every_window(
    quota: int, window: int, start: float, latency: float
) -> None:
    request_counts, _ = simulate_requests(
        3 * quota, quota=quota, window=window, start=start, latency=latency
    )
    assert max(request_counts.values()) <= math.ceil(0.8 * quota)


def test_a_long_crawl_uses_its_share() -> None:
    _, seconds = simulate_requests(3_200, quota=500, window=300, start=0, latency=0.1)
    assert seconds == pytest.approx(3_200 / 400 * 300, rel=0.05)


def test_a_small_crawl_does_not_wait() -> None:
    _, seconds = simulate_requests(50, quota=500, window=300, start=0, latency=0)
    assert seconds == 0


def test_requests_of_other_clients_count() -> None:
    request_counts, _ = simulate_requests(
        300, quota=500, window=300, start=0, latency=0, other_requests=450
    )
    assert max(request_counts.values()) <= 50


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
def test_rate_limit_headers_are_read(
    state: str | None, policy: str | None, quota: RateLimitInfo | None
) -> None:
    headers = {"ratelimit": state, "ratelimit-policy": policy}
    assert (
        parse_ratelimit_headers(
            {name: value for name, value in headers.items() if value is not None}
        )
        == quota
    )


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
