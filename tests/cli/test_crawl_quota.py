"""`hfscan crawl` uses at most its share of the quota, as counted by the Hub."""

import os
import signal
import time

import pytest
from testhub import FakeHub, Population

POPULATION = Population.synthetic(400, seed=2)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_crawl_keeps_within_its_share(crawl, workers) -> None:
    with FakeHub(POPULATION, quota=20, window=2, page_size=10) as hub:
        crawl.endpoint = hub.url
        assert crawl("--workers", workers)[0] == 0
    assert len(hub.requests) >= 40
    assert {request.status for request in hub.requests} == {200}
    assert min(request.remaining for request in hub.requests) >= 20 - 0.8 * 20


@pytest.mark.skipif(os.name != "posix", reason="needs kill -9")
def test_repeated_starts_keep_within_the_quota(crawl) -> None:
    with FakeHub(POPULATION, quota=20, window=2, page_size=10) as hub:
        crawl.endpoint = hub.url
        for kills in range(4):
            process = crawl.start()
            request_count = len(hub.requests)
            while len(hub.requests) < request_count + 5 and kills < 3:
                time.sleep(0.001)
            if kills < 3:
                process.send_signal(signal.SIGKILL)
            _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        assert {request.status for request in hub.requests} == {200}
        assert min(request.remaining for request in hub.requests) >= 3  # one more at each start
