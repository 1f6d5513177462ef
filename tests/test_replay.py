"""Recorded snapshots of a real Hub, replayed through `hfscan snapshot`, one per day."""

import csv
import itertools
from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from testhub import FakeHub, Population

from hfscan.store import Store, list_snapshots
from hfscan.sync import LocalTarget, SyncOptions

pytestmark = pytest.mark.slow
KEYS = {
    "id": "id", "author": "author", "created_at": "createdAt", "updated_at": "lastModified",
    "pipeline_tag": "pipeline_tag", "library": "library_name", "tags": "tags", "likes": "likes",
    "downloads_30d": "downloads", "gated": "gated",
}  # fmt: skip
COMPARED = ("tags", "library_name", "pipeline_tag", "gated")
FRAMEWORKS = {"pytorch", "tf"}  # the Hub's tags of what the message speaks of


@pytest.fixture(scope="module")
def days(shared_data) -> list[dict[str, dict]]:
    """The models of each recorded snapshot, by id, replayed without hfscan."""
    recorded = shared_data / "hub-2026-08"
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT seq, op, {', '.join(KEYS)} FROM '{recorded}/changes.parquet' ORDER BY seq"
        ).fetchall()
    states, now, keys = [], {}, {}
    with (recorded / "commits.csv").open(encoding="utf-8") as file:
        commits = list(csv.DictReader(file))
    for number, commit in enumerate(commits):
        for seq, op, *values in found:
            if seq != number:
                continue
            row = dict(zip(KEYS.values(), values, strict=True))
            if op == "delete":
                del now[row["id"]]
                continue
            second = int(datetime.fromisoformat(row["createdAt"]).timestamp())
            key = keys.setdefault(row["id"], f"{second:08x}{len(keys):016x}")
            now[row["id"]] = {k: v for k, v in row.items() if v is not None} | {"_id": key}
        assert len(now) == int(commit["models"])
        states.append(dict(now))
    return states


def share(models) -> str:
    """What is PyTorch-only, of the models with either tag."""
    supported = [FRAMEWORKS & set(model["tags"]) for model in models.values()]
    either = [frameworks for frameworks in supported if frameworks]
    return f"{100 * sum(names == {'pytorch'} for names in either) / len(either):.1f} %"


def expected(before, after) -> str:
    both = before.keys() & after.keys()
    changed = sum(any(before[id].get(key) != after[id].get(key) for key in COMPARED) for id in both)
    return (
        f"data: +{len(after.keys() - before.keys())} ~{changed} "
        f"-{len(before.keys() - after.keys())}, pytorch-only {share(before)} -> {share(after)}"
    )


def serve(population, before, after) -> None:
    for id in before.keys() - after.keys():
        population.delete(before[id]["_id"])
    for id, model in after.items():
        if before.get(id) != model:
            population.put(model)


def test_recorded_days_give_history_and_messages(days, tmp_path, skip_reports):
    population = Population.from_rows(days[0].values())
    state, messages = tmp_path / "state", []
    today = datetime.now(UTC)
    with FakeHub(population, quota=None) as hub:
        for number, models in enumerate(days):
            if number:
                serve(population, days[number - 1], models)
            if number == 1:  # the reports of the first day are enough
                skip_reports()
            options = SyncOptions(
                {"endpoint": hub.url, "token": None}, full=True, now=today + timedelta(days=number)
            )
            updated, new = LocalTarget(state).update(options)
            assert (new, updated.models) == (True, len(models))
            messages.append(updated.message)
    assert messages[0] == f"data: {len(days[0]):,} models, pytorch-only {share(days[0])}"
    assert messages[1:] == [expected(*pair) for pair in itertools.pairwise(days)]

    with Store.open(state / "hfscan.duckdb") as store:
        snapshots = list_snapshots(store)
        assert len(snapshots) == len(days)
        for snapshot, models in zip(snapshots, days, strict=True):
            rows = store.execute(
                "SELECT _id, id, tags, library_name, pipeline_tag, downloads, likes, "
                f"gated <> 'false' FROM models_in({snapshot.id})"
            ).fetchall()
            assert {row[1]: row for row in rows} == {
                id: (
                    model["_id"], id, model["tags"], model.get("library_name"),
                    model.get("pipeline_tag"), model["downloads"], model["likes"], model["gated"],
                )
                for id, model in models.items()
            }  # fmt: skip
        removed = store.execute(
            "SELECT id, last_seen, first_absent_in FROM removed_models"
        ).fetchall()
    ids = [snapshot.id for snapshot in snapshots]
    assert sorted(removed) == sorted(
        (id, ids[day], ids[next_day])
        for day, next_day in itertools.pairwise(range(len(days)))
        for id in days[day].keys() - days[next_day].keys()
    )
