"""A fetch returns every model once, without needless requests, or ends in one clear error."""

import gzip
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from fetching import RETRY, Stop, read_ids, run_fetch, stop_at
from testhub import FakeHub, Faults, Population

from hfscan import hub
from hfscan.errors import (
    HfscanError,
    HubRefusedError,
    HubUnreachableError,
    InvalidResponseError,
)
from hfscan.hub.client import RefusedError
from hfscan.scope import Scope

POPULATION = Population.synthetic(1_000, seed=3)
IDS = list(POPULATION.ids)

start_hub = partial(FakeHub, POPULATION, page_size=100, quota=None)


def utc(*date: int) -> datetime:
    return datetime(*date, tzinfo=UTC)  # type: ignore[arg-type, misc]


def list_ids_within(scope: Scope) -> list[str]:
    low = f"{int(scope.since.timestamp()):08x}" if scope.since else ""
    high = f"{int(scope.until.timestamp()):08x}" if scope.until else "g"
    return [id_ for id_ in IDS if low <= id_ < high]


def test_full_fetch_requests_each_page_once(tmp_path: Path) -> None:
    with start_hub() as server:
        result = run_fetch(server, tmp_path)
        assert read_ids(result) == IDS
        assert result.models == len(IDS)
        assert len(result.pages) == 10
        assert len(server.requests) == result.requests == 10 + 1  # an empty page proves the end
        assert result.synthetic == POPULATION.description
        assert result.started_at <= result.finished_at
        assert {"tags", "siblings", "downloadsAllTime"} <= set(
            json.loads(gzip.decompress(result.pages[-1].read_bytes()))[-1]
        )


@pytest.mark.parametrize(
    "scope",
    [
        Scope(since=utc(2022, 1, 1), until=utc(2023, 1, 1)),
        Scope(since=utc(2023, 1, 1), until=utc(2024, 1, 1)),
        Scope(since=utc(2024, 6, 1)),
        Scope(until=utc(2022, 3, 3)),
        Scope(since=utc(2023, 3, 3, 12), until=utc(2023, 3, 4, 7, 30)),
    ],
)
def test_period_needs_only_the_pages_up_to_it(tmp_path: Path, scope: Scope) -> None:
    expected = list_ids_within(scope)
    with start_hub(page_size=10) as server:
        result = run_fetch(server, tmp_path, scope)
        result_ids = read_ids(result)
        assert result.models == len(expected)
        # from the end it starts at to the first page that reaches beyond the period
        first = server.requests[0].target
        order = IDS if "direction=1" in first else IDS[::-1]
        model_count = next(
            (n for n in range(10, len(order), 10) if is_beyond(order, n, scope)), len(order)
        )
        at_end = model_count == len(order)
        assert len(server.requests) == model_count // 10 + at_end
        # models outside the period are left out
        assert sorted(result_ids) == expected


def is_beyond(order: list[str], n: int, scope: Scope) -> bool:
    if order is IDS:
        return scope.until is not None and order[n - 1] >= f"{int(scope.until.timestamp()):08x}"
    return scope.since is not None and order[n - 1] < f"{int(scope.since.timestamp()):08x}"


def test_fetch_starts_at_the_nearer_end(tmp_path: Path) -> None:
    with start_hub() as server:
        run_fetch(server, tmp_path, Scope(since=utc(2022, 1, 1), until=utc(2023, 1, 1)))
        run_fetch(server, tmp_path, Scope(since=utc(2026, 6, 1)))
        ascending = ["direction=1&" in request.target for request in server.requests]
        assert ascending == [True, True, False][-len(ascending) :]


@pytest.mark.parametrize("limit", [1, 99, 100, 250])
def test_limit_selects_the_newest_models(tmp_path: Path, limit: int) -> None:
    with start_hub() as server:
        result = run_fetch(server, tmp_path, Scope(limit=limit))
        assert read_ids(result) == IDS[::-1][:limit]
        assert len(server.requests) == -(-limit // 100)


def test_a_limit_in_a_period_counts_only_the_period(tmp_path: Path) -> None:
    scope = Scope(since=utc(2023, 1, 1), until=utc(2024, 1, 1), limit=20)
    with start_hub(page_size=10) as server:
        result = run_fetch(server, tmp_path, scope)
    assert result.models == 20
    assert [id_ for id_ in read_ids(result) if id_ in list_ids_within(scope)] == list_ids_within(
        scope
    )[:20]


def test_author_task_and_files_filter_on_the_hub(tmp_path: Path) -> None:
    author = next(iter(POPULATION))["id"].split("/")[0]
    with start_hub() as server:
        result = run_fetch(server, tmp_path, Scope(author=author, files=False))
        models = [json.loads(gzip.decompress(page.read_bytes())) for page in result.pages]
        assert {model["author"] for page in models for model in page} == {author}
        assert all("siblings" not in model for page in models for model in page)
        assert run_fetch(server, tmp_path, Scope(author="nobody")).models == 0
        task = run_fetch(server, tmp_path, Scope(task="text-generation"))
        assert 0 < task.models < len(IDS)


@pytest.mark.parametrize("kind", sorted({"500", "502", "503", "504", "429-other", "error-object",
    "reset", "truncated", "truncated-gzip", "truncated-json", "short-page", "repeated-row",
    "empty-last-page", "odd-types", "bad-cursor", "drift"}))  # fmt: skip
def test_temporary_fault_loses_no_model(tmp_path: Path, kind: str) -> None:
    with start_hub(page_size=250, faults=Faults({kind: 1.0}, most=2)) as server:
        assert read_ids(run_fetch(server, tmp_path)) == IDS


def test_model_skipped_between_pages_is_detected(tmp_path: Path) -> None:
    with start_hub(page_size=250, faults=Faults({"skipped-row": 1.0}, most=2)) as server:
        result_ids = read_ids(run_fetch(server, tmp_path))
    assert result_ids[:750] == IDS[:750]  # a model skipped at the very end cannot be detected


@pytest.mark.parametrize("kind", ["stall", "stall-midway"])
def test_stalled_response_is_retried(tmp_path: Path, kind: str) -> None:
    retry_policy = replace(RETRY, read_timeout=0.5)
    with start_hub(page_size=500, faults=Faults({kind: 1.0}, most=1, stall=2)) as server:
        assert read_ids(run_fetch(server, tmp_path, retry_policy=retry_policy)) == IDS


@pytest.mark.parametrize("kind", ["429-spent", "429-spent-retry-after", "429-retry-after"])
def test_wait_follows_the_response_headers(tmp_path: Path, kind: str) -> None:
    messages: list[str] = []
    with start_hub(page_size=1000, faults=Faults({kind: 1.0}, most=1)) as server:
        result = run_fetch(server, tmp_path, progress=lambda state: messages.append(state.notice))
        assert read_ids(result) == IDS
        assert len(server.requests) == 4  # two pages, each requested twice
    assert any("waiting 2 s" in message for message in messages)


def test_the_quota_is_never_exceeded(tmp_path: Path) -> None:
    with start_hub(page_size=100, quota=8, window=1) as server:
        result = run_fetch(server, tmp_path)
        assert read_ids(result) == IDS
        assert {request.status for request in server.requests} == {200}


@pytest.mark.parametrize("seed", range(4))
def test_random_faults_lose_no_model(tmp_path: Path, seed: int) -> None:
    kinds = ["500", "502", "429-other", "error-object", "reset", "truncated", "truncated-json",
        "short-page", "repeated-row", "empty-last-page", "bad-cursor"]  # fmt: skip
    faults = Faults(dict.fromkeys(kinds, 0.06), seed=seed, most=3)
    with start_hub(page_size=50, faults=faults) as server:
        assert read_ids(run_fetch(server, tmp_path)) == IDS


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        ("500", HubUnreachableError, "answered 500"),
        ("502", HubUnreachableError, "to continue"),
        ("429-other", HubUnreachableError, "rate limit"),
        ("error-object", InvalidResponseError, "rate limited|gzip"),
        ("truncated-json", InvalidResponseError, "no page of models|part of a page|gzip"),
        ("repeated-row", InvalidResponseError, "against the order"),
        ("truncated", HubUnreachableError, "broke off its response"),
        ("truncated-gzip", InvalidResponseError, "part of a page"),
        ("foreign-link", InvalidResponseError, r"127\.0\.0\.2.*does not follow"),
        ("bad-cursor", HubRefusedError, "400"),
    ],
)
def test_permanent_fault_is_one_error_and_resumes(
    tmp_path: Path, kind: str, error: type[HfscanError], message: str
) -> None:
    with start_hub() as server:
        server.faults = Faults({kind: 1.0}, most=1_000)
        with pytest.raises(error, match=message) as excinfo:
            run_fetch(server, tmp_path)
        assert type(excinfo.value) in (error, RefusedError)
        server.faults = Faults()
        assert read_ids(run_fetch(server, tmp_path)) == IDS


def test_a_gzip_bomb_is_refused(tmp_path: Path) -> None:
    with start_hub(page_size=1_000, faults=Faults({"gzip-bomb": 1.0}, most=1)) as server:
        options: dict[str, Any] = {"endpoint": server.url, "token": None, "journal": tmp_path}
        for _ in range(2):  # each URL fails once: the page, and the one after it
            with pytest.raises(InvalidResponseError, match="no page is that large"):
                hub.fetch(Scope(), **options)
        with hub.fetch(Scope(), **options) as result:
            assert read_ids(result) == IDS


def test_interrupted_fetch_requests_no_page_twice(tmp_path: Path) -> None:
    with start_hub() as server:
        for pages in (3, 4, 9):
            with pytest.raises(Stop):
                run_fetch(server, tmp_path, progress=stop_at(pages))
        result = run_fetch(server, tmp_path)
        assert read_ids(result) == IDS
        assert max(Counter(request.target for request in server.requests).values()) == 1
        assert result.requests == 11
        assert result.requests_this_run == 2
        # a finished fetch sends no more requests
        assert read_ids(run_fetch(server, tmp_path)) == IDS
        assert len(server.requests) == 11
        assert read_ids(run_fetch(server, tmp_path, resume=False)) == IDS
        assert len(server.requests) == 22


def test_only_a_damaged_page_is_fetched_again(tmp_path: Path) -> None:
    with start_hub() as server:
        result = run_fetch(server, tmp_path)
        result.pages[4].write_bytes(b"damaged")
        assert read_ids(run_fetch(server, tmp_path)) == IDS
        assert len(server.requests) == 12


def test_changes_during_fetch_move_no_other_model(tmp_path: Path) -> None:
    population = Population.synthetic(500, seed=5)
    before = list(population.ids)
    deleted, new = before[260:320], "7" + "0" * 23

    def change(state: hub.Progress) -> None:
        if state.pages == 2:
            for id_ in deleted:
                population.delete(id_)
            population.put({"_id": new, "id": "new/model"})

    with FakeHub(population, page_size=100, quota=None) as server:
        result = run_fetch(server, tmp_path, progress=change)
    assert read_ids(result) == [id_ for id_ in before if id_ not in deleted] + [new]


def test_token_is_sent_to_the_hub_only(tmp_path: Path) -> None:
    token = "hf_" + "s" * 34
    with start_hub(tokens={token: "me"}) as server:
        with hub.fetch(Scope(), endpoint=server.url, token=token, journal=tmp_path) as result:
            assert result.models == len(IDS)
            assert {request.identity for request in server.requests} == {"me"}
        contents = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
        assert len(contents) > 10
        assert not any(token.encode() in data for data in contents)


@pytest.mark.parametrize(
    ("token", "message"), [("hf_wrong", "token was refused"), ("hf_a\nb", "no token has")]
)
def test_invalid_token_is_reported_but_not_printed(
    tmp_path: Path, token: str, message: str
) -> None:
    with start_hub() as server, pytest.raises(HubRefusedError, match=message) as excinfo:
        hub.fetch(Scope(), endpoint=server.url, token=token, journal=tmp_path, retry_policy=RETRY)
    assert token not in str(excinfo.value)


def test_unreachable_hub_is_reported_with_advice(tmp_path: Path) -> None:
    with pytest.raises(HubUnreachableError, match=r"127\.0\.0\.1:9 .*hfscan demo"):
        hub.fetch(
            Scope(),
            endpoint="http://127.0.0.1:9",
            token=None,
            journal=tmp_path,
            retry_policy=RETRY,
        )


@pytest.mark.parametrize("endpoint", ["huggingface.co", "ftp://hub", "", "http://", "http://[x"])
def test_invalid_endpoint_is_refused(tmp_path: Path, endpoint: str) -> None:
    with pytest.raises(HubRefusedError, match="no endpoint"):
        hub.fetch(Scope(), endpoint=endpoint, token=None, journal=tmp_path)


def test_estimated_total_follows_hub_growth(tmp_path: Path) -> None:
    states: list[hub.Progress] = []
    with start_hub() as server:
        run_fetch(server, tmp_path, Scope(until=utc(2024, 7, 1)), progress=states.append)
    totals = [state.total for state in states if state.total is not None]
    assert all(state.models <= (state.total or state.models) for state in states)
    assert totals[-1] == states[-1].models
    assert all(0.5 < total / totals[-1] < 2 for total in totals)
    assert all(a.models <= b.models for a, b in pairwise(states))
