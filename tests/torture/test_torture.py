"""Run a few of the seeds of `make torture`."""

import os

import pytest
from crawl_processes import Crawls
from torture import run


@pytest.mark.skipif(os.name != "posix", reason="needs kill -9")
@pytest.mark.parametrize("seed", [1, 4, 6])
def test_interrupted_crawls_store_the_true_census(seed: int) -> None:
    with Crawls() as crawls:
        outcome = run(crawls, seed)
    assert not outcome.wrong, f"python tests/torture/torture.py --runs 1 --seed {seed}"
