"""Recorded snapshots of the Hub, replayed through `hfscan snapshot`, one per day."""

import csv
import itertools
from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from evidence import classify
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
FRAMEWORKS = {"pytorch", "tensorflow"}


@pytest.fixture(scope="module")
def days(shared_data) -> list[dict[str, dict]]:
    """The models of each recorded snapshot, by id, replayed without hfscan."""
    folder = shared_data / "hub-2026-08"
    with duckdb.connect() as connection:
        changes = connection.execute(
            f"SELECT seq, op, {', '.join(KEYS)} FROM '{folder}/changes.parquet' ORDER BY seq"
        ).fetchall()
    states, models, object_ids = [], {}, {}
    with (folder / "commits.csv").open(encoding="utf-8") as file:
        commits = list(csv.DictReader(file))
    for number, commit in enumerate(commits):
        for seq, operation, *values in changes:
            if seq != number:
                continue
            row = dict(zip(KEYS.values(), values, strict=True))
            if operation == "delete":
                del models[row["id"]]
                continue
            second = int(datetime.fromisoformat(row["createdAt"]).timestamp())
            key = object_ids.setdefault(row["id"], f"{second:08x}{len(object_ids):016x}")
            model = {name: value for name, value in row.items() if value is not None}
            models[row["id"]] = model | {"_id": key}
        assert len(models) == int(commit["models"])
        states.append(dict(models))
    return states


def describe_shares(*states) -> str:
    """Return the share of PyTorch only by best evidence, and its coverage, of each state."""
    shares, coverages = [], []
    for models in states:
        found = [
            FRAMEWORKS
            & (classify(model["tags"], model.get("library_name"), None, None)[-1] or set())
            for model in models.values()
        ]
        supporting = [frameworks for frameworks in found if frameworks]
        exclusive = sum(frameworks == {"pytorch"} for frameworks in supporting)
        shares.append(f"{100 * exclusive / len(supporting):.1f} %")
        coverages.append(f"{100 * len(supporting) / len(models):.1f} %")
    return f"pytorch-only {' -> '.join(shares)} (best evidence, coverage {' -> '.join(coverages)})"


def format_message(before, after) -> str:
    common_ids = before.keys() & after.keys()
    changed_count = sum(
        any(before[id].get(key) != after[id].get(key) for key in COMPARED) for id in common_ids
    )
    return (
        f"data: +{len(after.keys() - before.keys())} ~{changed_count} "
        f"-{len(before.keys() - after.keys())}, "
        f"{describe_shares(before, after)}"
    )


def apply_changes(population, before, after) -> None:
    for id in before.keys() - after.keys():
        population.delete(before[id]["_id"])
    for id, model in after.items():
        if before.get(id) != model:
            population.put(model)


def test_recorded_days_give_history_and_messages(days, tmp_path, skip_reports):
    skip_reports()
    population = Population.from_rows(days[0].values())
    folder, messages = tmp_path / "state", []
    today = datetime.now(UTC)
    with FakeHub(population, quota=None) as hub:
        for number, models in enumerate(days):
            if number:
                apply_changes(population, days[number - 1], models)
            options = SyncOptions(
                {"endpoint": hub.url, "token": None}, full=True, now=today + timedelta(days=number)
            )
            new_state, new = LocalTarget(folder).update(options)
            assert (new, new_state.models) == (True, len(models))
            messages.append(new_state.message)
    assert messages[0] == f"data: {len(days[0]):,} models, {describe_shares(days[0])}"
    assert messages[1:] == [format_message(*pair) for pair in itertools.pairwise(days)]

    with Store.open(folder / "hfscan.duckdb") as store:
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
        removed_rows = store.execute(
            "SELECT id, last_seen, first_absent_in FROM removed_models"
        ).fetchall()
    ids = [snapshot.id for snapshot in snapshots]
    assert sorted(removed_rows) == sorted(
        (id, ids[day], ids[next_day])
        for day, next_day in itertools.pairwise(range(len(days)))
        for id in days[day].keys() - days[next_day].keys()
    )
