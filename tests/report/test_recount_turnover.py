"""Turnover, survival, license changes and histories on the recorded snapshots equal a recount."""

import csv
import shutil
from datetime import UTC, datetime, timedelta
from itertools import combinations

import duckdb
import pytest
from dumps import encode_lines, ingest
from recount_turnover import (
    Snapshot,
    count_license_changes,
    count_survival,
    count_turnover,
    list_events,
    list_group,
)

from hfscan.figures import SnapshotView, load
from hfscan.store import Store

pytestmark = pytest.mark.slow
KEYS = {
    "id": "id", "created_at": "createdAt", "pipeline_tag": "pipeline_tag",
    "library": "library_name", "tags": "tags", "likes": "likes", "downloads_30d": "downloads",
    "gated": "gated", "removed": "removed",
}  # fmt: skip


@pytest.fixture(scope="module", params=["as recorded", "eight days apart"])
def august(shared_data, request) -> list[Snapshot]:
    """The snapshots of August 2026, replayed, without the models that were removed.

    As recorded, only the last three: the sample grew so fast that the others seem partial. With all
    seven eight days apart, none does.
    """
    folder = shared_data / "hub-2026-08"
    with duckdb.connect() as connection:
        changes = connection.execute(
            f"SELECT seq, op, {', '.join(KEYS)} FROM '{folder}/changes.parquet' ORDER BY seq"
        ).fetchall()
    with (folder / "commits.csv").open(encoding="utf-8") as file:
        times = [datetime.fromisoformat(row["commit_time"]) for row in csv.DictReader(file)]
    models, snapshots = {}, []
    for number, time in enumerate(times):
        for seq, operation, *values in changes:
            row = dict(zip(KEYS.values(), values, strict=True))
            if seq == number:
                models[row["id"]] = None if operation == "delete" else row
        present = {name: row for name, row in models.items() if row and not row["removed"]}
        snapshots.append(Snapshot(time.replace(tzinfo=None), present))
    if request.param == "as recorded":
        return snapshots[4:]
    return [
        Snapshot(snapshots[0].time + timedelta(days=8 * number), snapshot.models)
        for number, snapshot in enumerate(snapshots)
    ]


@pytest.fixture(scope="module")
def years(shared_data) -> list[Snapshot]:
    """The censuses of February 2022, without creation dates, and July 2024: what is compared."""

    def read(time, columns, file):
        licenses = "list_filter(tags, lambda tag: starts_with(tag, 'license:')) AS tags"
        with duckdb.connect() as connection:
            rows = connection.execute(f"SELECT {columns}, {licenses} FROM '{shared_data / file}'")
            names = [column[0] for column in rows.description]
            models = (dict(zip(names, row, strict=True)) for row in rows.fetchall())
            return Snapshot(time, {model["id"]: model for model in models})

    return [
        read(datetime(2022, 2, 15), "modelId AS id", "hub-2022-02.jsonl.gz"),
        read(datetime(2024, 7, 11), "id, createdAt, downloads", "hub-2024-07.parquet"),
    ]


def write_database(folder, snapshots):
    """Write complete snapshots to a database; return its path."""
    with Store.open(folder / "h.duckdb", write=True) as store:
        for snapshot in snapshots:
            dump = folder / "dump.jsonl"
            dump.write_bytes(encode_lines(snapshot.models.values()))
            ingest(store, dump, day=snapshot.time.replace(tzinfo=UTC), complete=True)
    return folder / "h.duckdb"


@pytest.fixture(scope="module")
def august_store(august, tmp_path_factory):
    with Store.open(write_database(tmp_path_factory.mktemp("august"), august)) as store:
        yield SnapshotView.latest(store).bind_census()


@pytest.fixture(scope="module")
def years_store(recorded_db, tmp_path_factory):
    """A store in which the two censuses are marked as complete."""
    path = tmp_path_factory.mktemp("years") / "h.duckdb"
    shutil.copy(recorded_db, path)
    with duckdb.connect(path) as connection:
        connection.execute("UPDATE snapshots SET complete = true WHERE id < 3")
    with Store.open(path) as store:
        yield store


def run(store, query, **parameters):
    return load(query).run(store, parameters)


def check_turnover(store, snapshots):
    expected = count_turnover(snapshots)
    rows = run(store, "turnover")
    for number, changes in enumerate(expected):
        part = [row for row in rows if row["earlier"] == number + 1]
        counts = {row["change"]: row["numerator"] or 0 for row in part}
        assert counts == changes
        before, after = (len(snapshots[n].models) for n in (number, number + 1))
        assert {row["denominator"] for row in part} == {before, after}
        added = sum(counts[change] for change in ("born", "appeared", "undated", "back"))
        assert before + added - counts["gone"] == after
    assert len(rows) == 6 * len(expected)
    return expected


def test_turnover_equals_a_recount(august, august_store):
    expected = check_turnover(august_store, august)
    assert sum(row["gone"] for row in expected) > 100
    if len(august) == 7:
        assert sum(row["back"] for row in expected) > 50


def test_turnover_of_years_equals_a_recount(years, years_store):
    (expected,) = check_turnover(years_store, years)
    assert expected["renamed"] > 50
    assert run(years_store, "survival") == []  # no model with a date was seen twice


@pytest.mark.parametrize("every", [1, 7])
def test_survival_equals_a_recount(august, august_store, every):
    expected, coverage = count_survival(august, every)
    groups = {}
    for row in run(august_store, "survival", every=every, by="year"):
        values = tuple(row[key] for key in ("deaths", "model_days", "share", "survival"))
        groups.setdefault(row["created"], {})[row["age"]] = values
        assert row["coverage"] == coverage
    assert groups.keys() == expected.keys()
    for group, ages in expected.items():
        assert groups[group].keys() == ages.keys()
        for age, values in ages.items():
            assert groups[group][age] == pytest.approx(values, abs=2e-9)
    assert sum(deaths for deaths, *_ in groups["(all)"].values()) > 100


def check_license_changes(store, snapshots, pair):
    expected = count_license_changes(*(snapshots[number - 1] for number in pair))
    rows = run(store, "license_changes", earlier=pair[0], later=pair[1], unchanged=True)
    found = {
        (row["before"], row["after"]): (row["numerator"], row["denominator"], row["downloads"])
        for row in rows
    }
    assert found == {key: values[:3] for key, values in expected.items()}
    for row in rows:
        _, _, downloads, total = expected[row["before"], row["after"]]
        assert row["downloads_share"] == (round(downloads / total, 9) if total else None)
    changed = run(store, "license_changes", earlier=pair[0], later=pair[1])
    assert changed == [row for row in rows if row["before"] != row["after"]]
    return len(changed)


def test_license_changes_equal_a_recount(august, august_store, years, years_store):
    counts = [
        check_license_changes(august_store, august, pair)
        for pair in combinations(range(1, len(august) + 1), 2)
    ]
    assert max(counts) > 10
    assert check_license_changes(years_store, years, (1, 2)) > 20


@pytest.fixture(scope="module")
def changed_names(august):
    """Models that were gone for a time, and every fortieth of the others."""
    names = sorted(set().union(*(snapshot.models for snapshot in august)))
    counts = {name: sum(name in snapshot.models for snapshot in august) for name in names}
    gone = [
        name for name in names
        if name in august[0].models and counts[name] < len(august) and name in august[-1].models
    ]  # fmt: skip
    return gone + names[::80]


def test_model_events_equal_a_recount(august, august_store, changed_names):
    kinds = set()
    for name in changed_names:
        rows = run(august_store, "model_events", model=name)
        events = [
            (
                row["event"], row["since"], row["until"],
                row["added"] and sorted(row["added"]), row["removed"] and sorted(row["removed"]),
            )
            for row in rows
        ]  # fmt: skip
        expected = [
            (*event[:3], *(values or ([] if values is not None else None) for values in event[3:]))
            for event in list_events(august, name)
        ]
        assert sorted(events, key=str) == expected, name
        kinds |= {row["event"] for row in rows}
    assert kinds >= {"created", "first seen", "gone", "tags"}
    if len(august) == 7:
        assert kinds >= {"back", "license", "task"}


def test_model_history_equals_a_recount(august, august_store, changed_names):
    for name in changed_names:
        rows = run(august_store, "model_history", model=name)
        first = next(n for n, snapshot in enumerate(august) if name in snapshot.models)
        assert [row["snapshot"] for row in rows] == list(range(first + 1, len(august) + 1))
        for row in rows:
            model = august[row["snapshot"] - 1].models.get(name)
            assert row["is_there"] == (model is not None)
            if model:
                values = (row["downloads"], row["likes"], row["tags"], row["task"], row["library"])
                assert values == (
                    model["downloads"], model["likes"], len(model["tags"]),
                    model["pipeline_tag"], model["library_name"],
                )  # fmt: skip
        seen = [row for row in rows if row["is_there"]]
        (summary,) = run(august_store, "model_summary", model=name)
        assert (summary["snapshots"], summary["downloads"]) == (len(seen), seen[-1]["downloads"])


def test_account_history_equals_a_recount(august, august_store):
    names = set().union(*(snapshot.models for snapshot in august))
    for author in sorted({name.split("/")[0] for name in names})[::80]:
        rows = run(august_store, "group_history", author=author)
        groups = [list_group(snapshot, author) for snapshot in august]
        assert [(row["models"], row["downloads"] or 0, row["likes"] or 0) for row in rows] == [
            (
                len(group),
                *(sum(model[key] or 0 for model in group) for key in ("downloads", "likes")),
            )
            for group in groups
        ]
        own = [
            Snapshot(snapshot.time, {model["id"]: model for model in group})
            for snapshot, group in zip(august, groups, strict=True)
        ]
        events = run(august_store, "group_events", author=author)
        for number, changes in enumerate(count_turnover(own)):
            found = {row["event"]: row["models"] for row in events if row["earlier"] == number + 1}
            assert found == {change: count for change, count in changes.items() if count}
        if any(groups):
            (summary,) = run(august_store, "group_summary", author=author)
            assert (summary["first_models"], summary["models"]) == (len(groups[0]), len(groups[-1]))
            assert summary["gone"] == sum(changes["gone"] for changes in count_turnover(own))


def test_names_are_found_in_any_snapshot(august, august_store):
    gone = sorted(august[0].models.keys() - august[-1].models.keys())
    for name in gone[:5]:
        found = {"kind": "model", "name": name, "exact_match": True}
        assert run(august_store, "subject", name=name) == [found]
    assert run(august_store, "subject", name=gone[0].split("/")[0])[0]["kind"] == "author"
