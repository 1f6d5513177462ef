"""Run a few of the seeds of `make torture`."""

import os

import pytest
from crawl_processes import CrawlProcess
from torture import run


@pytest.mark.skipif(os.name != "posix", reason="needs kill -9")
@pytest.mark.parametrize("seed", [1, 4, 6])
def test_interrupted_crawls_store_the_population(seed: int) -> None:
    with CrawlProcess() as process:
        outcome = run(process, seed)
    assert not outcome.errors, f"python tests/torture/torture.py --runs 1 --seed {seed}"
