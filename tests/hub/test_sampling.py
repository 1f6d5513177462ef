"""A sample draws every model with the same probability in few requests."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import fetching
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from testhub import FakeHub, Faults, Population

from hfscan import hub
from hfscan.hub.plan import SamplingDesign
from hfscan.hub.retry import RetryPolicy
from hfscan.objectid import created_at
from hfscan.scope import Scope

RETRY = RetryPolicy(wait_initial=0.01, wait_max=0.05, read_timeout=20)
run_fetch = partial(fetching.run_fetch, retry_policy=RETRY)
SYNTHETIC = Population.synthetic(6_000, seed=3)
IDS = list(SYNTHETIC.ids)
NOW = datetime(2024, 8, 1, tzinfo=UTC)


@cache
def make_population() -> Population:
    """Return models that are made once: a sample asks for hundreds of pages."""
    return Population.from_rows([*SYNTHETIC])


def start_hub(page_size: int = 20) -> FakeHub:
    return FakeHub(make_population(), page_size=page_size, quota=None)


def read_sorted_ids(result: hub.FetchResult) -> list[str]:
    return sorted(fetching.read_ids(result))


def list_drawn_ids(result: hub.FetchResult) -> list[str]:
    assert result.design is not None
    return [id_ for id_ in IDS if result.design.includes(id_)]


def test_sample_equals_its_design_in_few_requests(tmp_path: Path) -> None:
    with start_hub(page_size=1_000) as server:
        result = run_fetch(server, tmp_path, Scope(sample=0.05, seed=1))
        assert read_sorted_ids(result) == list_drawn_ids(result)
        assert result.models == len(list_drawn_ids(result))
        assert 0.03 < result.models / len(IDS) < 0.07
        assert not result.scope.is_unfiltered
        assert result.design is not None
        description = result.design.describe()
        assert "seed 1: one range of creation time in each of 500 strata" in description
        assert "until before" in description
        assert len(server.requests) < 600  # the ranges, and the cutoff


def test_sample_is_the_same_if_cursors_are_refused(tmp_path: Path) -> None:
    class Refusing(Faults):
        def pick(self, target: str) -> str | None:
            forged = "ZmZmZmZmZmZm" in target  # base64 of many f, not the start of an `_id`
            return super().pick(target) if forged else None

    scope = Scope(
        since=datetime(2022, 1, 1, tzinfo=UTC), until=datetime(2023, 1, 1, tzinfo=UTC),
        sample=0.2, seed=2,
    )  # fmt: skip
    with start_hub(page_size=100) as server:
        expected = run_fetch(server, tmp_path / "ranges", scope)
        server.faults = Refusing({"bad-cursor": 1.0}, most=10**6)
        result = run_fetch(server, tmp_path / "plain", scope)
        assert expected.workers > 100 > result.workers == 1
        assert read_sorted_ids(result) == read_sorted_ids(expected) == list_drawn_ids(result)


def test_sample_of_probability_1_is_everything(tmp_path: Path) -> None:
    with start_hub(page_size=1_000) as server:
        assert read_sorted_ids(run_fetch(server, tmp_path, Scope(sample=1.0))) == IDS
        assert len(server.requests) == 6 + 1  # an empty page proves the end


def test_ignored_cursor_is_detected(tmp_path: Path) -> None:
    class CursorIgnoringHub(FakeHub):
        def answer(self, method: str, target: str, *rest: Any) -> Any:
            forged = "ZmZmZmZmZmZm" in target
            return super().answer(
                method, target.partition("&cursor=")[0] if forged else target, *rest
            )

    with CursorIgnoringHub(make_population(), quota=None, page_size=500) as server:
        result = run_fetch(server, tmp_path, Scope(sample=0.1, seed=5))
        assert result.workers == 1
        assert read_sorted_ids(result) == list_drawn_ids(result)


def test_a_sample_of_a_period(tmp_path: Path) -> None:
    scope = Scope(
        since=datetime(2023, 1, 1, tzinfo=UTC), until=datetime(2024, 1, 1, tzinfo=UTC),
        sample=0.3, seed=4,
    )  # fmt: skip
    with start_hub(page_size=100) as server:
        result = run_fetch(server, tmp_path, scope)
    period_ids = {id_ for id_ in IDS if created_at(id_).year == 2023}
    assert read_sorted_ids(result) == [id_ for id_ in list_drawn_ids(result) if id_ in period_ids]
    assert 0.2 < result.models / len(period_ids) < 0.4


def test_interrupted_sample_resumes_with_the_same_draw(tmp_path: Path) -> None:
    with start_hub(page_size=100) as server:
        with pytest.raises(fetching.Stop):
            run_fetch(server, tmp_path, Scope(sample=0.05), progress=fetching.stop_at(30))
        result = run_fetch(server, tmp_path, Scope(sample=0.05), workers=4)
        assert read_sorted_ids(result) == list_drawn_ids(result)
        request_counts = Counter(urlsplit(request.target).query for request in server.requests)
        repeats = [query for query, count in request_counts.items() if count > 1]
        assert len(repeats) <= 1  # two ranges may both request the page after the last model


def test_models_are_drawn_equally_often() -> None:
    ids = [*IDS[::100], *(f"{0x63000000 + n * 86_400:08x}{n:016x}" for n in range(60))]
    counts = Counter(
        id_
        for seed in range(500)
        for id_ in ids
        if SamplingDesign.create(0.1, seed, None, NOW).includes(id_)
    )
    # 500 draws at 0.1: 50, give or take 6.7
    assert all(20 < counts[id_] < 85 for id_ in ids)
    assert 47 < sum(counts.values()) / len(ids) < 53


@settings(max_examples=60, deadline=None)
@given(
    probability=st.floats(0.001, 1),
    seed=st.integers(0, 2**31),
    days=st.integers(1, 800),
    second=st.integers(0, 10**8),
)
def test_drawn_models_lie_in_the_fetched_ranges(
    probability: float, seed: int, days: int, second: int
) -> None:
    design = SamplingDesign.create(probability, seed, NOW - timedelta(days=days), NOW)
    ranges = list(design.time_ranges())
    assert all(low < high for low, high in ranges)
    assert all(previous[1] <= current[0] for previous, current in pairwise(ranges))
    creation_second = int(design.since.timestamp()) + second % (days * 86_400)
    if design.includes(f"{creation_second:08x}{0:016x}"):
        assert any(low <= creation_second < high for low, high in ranges)
        strata = [start.timestamp() for start in design.strata()]
        assert len(strata) == design.ranges
        assert strata[0] <= creation_second
        assert all(previous < current for previous, current in pairwise(strata))
