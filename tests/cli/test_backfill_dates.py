"""`hfscan backfill-dates`: creation dates of models older than the creation-date cutoff."""

import os
import random
import signal
import time
from collections import Counter
from datetime import datetime
from typing import Any

import pytest
from testhub import FakeHub, Faults, Population

DATES_SQL = "SELECT id, created_at, moved_to FROM creation_dates ORDER BY id"
CUTOFF = datetime(2022, 3, 2, 23, 29)


def list_commit_requests(hub: FakeHub) -> list[str]:
    return [request.target for request in hub.requests if "/commits/" in request.target]


def list_cutoff_models(population: Population) -> list[dict[str, Any]]:
    return [model for model in population if ".first_commit" in model]


def list_true_dates(population: Population) -> list[tuple[str, datetime, None]]:
    return sorted(
        (model["id"], datetime.fromisoformat(model[".first_commit"]).replace(tzinfo=None), None)
        for model in list_cutoff_models(population)
    )


@pytest.fixture
def hub(crawl):
    with FakeHub(Population.synthetic(1_500, seed=4), quota=None) as hub:
        crawl.endpoint = hub.url
        assert crawl()[0] == 0
        yield hub


def test_backfill_starts_with_most_downloaded(crawl, hub) -> None:
    code, out, err = crawl("--limit", "10", command="backfill-dates")
    assert (code, err) == (0, "")
    assert f"Fetched the first commits of 10 models from {hub.url} in " in out
    ranked_models = sorted(
        list_cutoff_models(hub.population), key=lambda model: (-model["downloads"], model["id"])
    )
    names = list(
        dict.fromkeys(target.split("/commits/")[0] for target in list_commit_requests(hub))
    )
    assert names == [f"/api/models/{model['id']}" for model in ranked_models[:10]]
    assert len(list_commit_requests(hub)) <= 20

    assert crawl(command="backfill-dates")[0] == 0
    assert crawl.query(DATES_SQL) == list_true_dates(hub.population)
    assert max(Counter(list_commit_requests(hub)).values()) == 1
    request_count = len(hub.requests)
    assert crawl(command="backfill-dates")[1] == "No model in the database needs a creation date.\n"
    assert len(hub.requests) == request_count
    assert not (crawl.folder / "hfscan.duckdb.journal").exists()


@pytest.mark.skipif(os.name != "posix", reason="needs kill -9")
def test_backfill_resumes_after_kill(crawl, hub) -> None:
    rng, kills = random.Random(5), 0
    hub.latency = 0.002
    while True:
        process = crawl.start(command="backfill-dates")
        stop_count = len(list_commit_requests(hub)) + rng.randrange(1, 20)
        while len(list_commit_requests(hub)) < stop_count and process.poll() is None:
            time.sleep(0.001)
        if kills < 3 and process.poll() is None:
            process.kill()
            kills += 1
        _, err = process.communicate(timeout=300)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, err
    assert kills == 3
    assert crawl.query(DATES_SQL) == list_true_dates(hub.population)
    # only the model being fetched at each kill is requested again
    assert sum(count - 1 for count in Counter(list_commit_requests(hub)).values()) <= 2 * kills


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_backfill_keeps_dates_when_interrupted(crawl, hub) -> None:
    hub.latency = 0.02
    process = crawl.start(command="backfill-dates")
    while len(list_commit_requests(hub)) < 20:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=300)
    assert process.returncode == 130
    assert len(crawl.query(DATES_SQL)) >= 9


def test_backfill_of_changed_models(crawl) -> None:
    rows: list[dict[str, Any]] = [
        {
            "_id": f"621ffdc036468d709f{number:06x}",
            "id": f"ann/model-{number}",
            "createdAt": "2022-03-02T23:29:04.000Z",
            "downloads": 100 - number,
            ".first_commit": f"20{19 + (number == 3) * 5}-02-0{number + 1}T00:00:00.000Z",
        }
        for number in range(6)
    ]
    with FakeHub(Population.from_rows(rows), quota=None) as hub:
        crawl.endpoint = hub.url
        assert crawl()[0] == 0
        hub.population.edit(rows[0]["_id"], id="bob/new name é")
        hub.population.delete(rows[1]["_id"])
        hub.population.edit(rows[2]["_id"], private=True)
        hub.population.edit(rows[4]["_id"], disabled=True)
        code, out, err = crawl(command="backfill-dates")
        assert (code, err) == (0, "")
        assert crawl.query(DATES_SQL) == [
            ("ann/model-0", datetime(2019, 2, 1), "bob/new name é"),
            ("ann/model-1", None, None),
            ("ann/model-2", None, None),
            ("ann/model-3", datetime(2024, 2, 4), None),
            ("ann/model-4", None, None),
            ("ann/model-5", datetime(2019, 2, 6), None),
        ]
        for message in ("2 have a date", "1 have a first", "3 are deleted", "1 have been"):
            assert message in out
        assert "needs" in crawl(command="backfill-dates")[1]


def test_backfill_retries_within_quota(crawl, hub) -> None:
    kinds = ("500", "502", "429-other", "error-object", "reset", "truncated", "truncated-json")
    hub.faults = Faults(dict.fromkeys(kinds, 0.03), seed=1)
    assert crawl("--limit", "10", command="backfill-dates")[0] == 0
    expected = {row[0]: row for row in list_true_dates(hub.population)}
    assert all(row == expected[row[0]] for row in crawl.query(DATES_SQL))
    with FakeHub(hub.population, quota=100, window=1) as limited_hub:
        crawl.endpoint = limited_hub.url
        assert crawl(command="backfill-dates")[0] == 0
        assert {request.status for request in limited_hub.requests} == {200}
    assert crawl.query(DATES_SQL) == list_true_dates(hub.population)


@pytest.mark.parametrize("options", [["--year", "2022"], ["--no-resume"], ["--author", "a"]])
def test_backfill_rejects_crawl_options(crawl, options) -> None:
    crawl.endpoint = "http://127.0.0.1:9"
    code, _, err = crawl(*options, command="backfill-dates")
    assert code == 2
    assert f"There is no option '{options[0]}'" in err
    assert crawl(command="backfill-dates")[0] == 6
