"""What changed between snapshots: models that came, went, were renamed, and changed licenses."""

import math
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from dumps import DAY
from model_history import OTHERS, model, write_history

import hfscan
from hfscan.figures import list_queries, load

ONE = model(1, "ann/a")


@pytest.fixture
def history(tmp_path):
    """Return `write_history` for the test's folder."""
    return partial(write_history, tmp_path)


def drop_id(other):
    return {key: value for key, value in other.items() if key != "_id"}


@pytest.mark.parametrize(
    ("new_name", "gone", "renamed"),
    [("ann/bert", 3, None), ("google-bert/bert-base-uncased", 2, 1)],
)
def test_changes_and_turnover_agree_without_ids(history, new_name, gone, renamed):
    """ann/x is renamed unnoticed, ann/y is another model, bert-base-uncased gets an account."""
    first, again = "2024-07-01T00:00:01.000Z", "2024-07-11T08:00:01.000Z"
    old = [{"id": "ann/x"}, {"id": "ann/y", "createdAt": first}, {"id": "bert-base-uncased"}]
    new = [{"id": "ann/z"}, {"id": "ann/y", "createdAt": again}, {"id": new_name}]
    path = history([*old, *map(drop_id, OTHERS)], [*new, *OTHERS])
    with hfscan.open_database(path) as database:
        turnover = {row["change"]: row["numerator"] for row in database.query("turnover")}
        changes = {row["change"]: row for row in database.query("changes")}
        transitions = list(database.query("transitions"))
    models = {change: row["models"] for change, row in changes.items()}
    assert (turnover["gone"], turnover["renamed"]) == (gone, renamed)
    assert (models["removed"], models["renamed"]) == (gone, renamed)
    assert models["added"] == sum(
        turnover[name] for name in ("born", "appeared", "undated", "back")
    )
    assert turnover["undated"] == models["added"] - 1  # it may be born meanwhile
    assert "unknown renames count as removed and added" in changes["renamed"]["meaning"]
    removed = [row["models"] for row in transitions if row["after"] == "(not in snapshot)"]
    assert removed == [gone]


def test_turnover_of_renamed_private_and_deleted_models(history):
    """By `_id`, a renamed model stays; a name that another model takes over is not the same."""
    a, b, c = (model(number, f"ann/{name}") for number, name in enumerate("abc", 1))
    later = (DAY + timedelta(hours=3)).isoformat()
    young, old = model(4, "ann/a", createdAt=later), model(5, "ann/was-private")
    days = [[a, b, c], [a | {"id": "ann/a2"}, young, old], [a | {"id": "ann/a2"}, b, old]]
    path = history(*([*models, *OTHERS] for models in days))
    with hfscan.open_database(path) as database:
        changes = [
            {
                row["change"]: row["numerator"]
                for row in database.query("turnover")
                if row["earlier"] == n
            }
            for n in (1, 2)
        ]
        survival = list(database.query("survival", every=1))
    assert changes == [
        {"born": 1, "appeared": 1, "undated": 0, "back": 0, "gone": 2, "renamed": 1},
        {"born": 0, "appeared": 0, "undated": 0, "back": 1, "gone": 1, "renamed": 0},
    ]
    # c dies at the age of 1.5 days, the young one at 0.875 + 0.5; b comes back
    assert [(row["age"], row["deaths"]) for row in survival] == [(1, 0), (2, 2), (3, 0)]
    assert survival[0]["model_days"] == 0.125


def test_name_without_id_is_another_model_if_created_later(history):
    def snapshot(created):
        return [{"id": "ann/a", "createdAt": created}, *map(drop_id, OTHERS)]

    first, again = "2024-07-01T00:00:01.000Z", "2024-07-12T00:00:01.000Z"
    path = history(snapshot(first), snapshot(again), snapshot(again))
    with hfscan.open_database(path) as database:
        counts = [row["numerator"] for row in database.query("turnover")]
        events = [row["event"] for row in database.events("ann/a")]
    assert counts == [1, 0, 0, 0, 1, None, 0, 0, 0, 0, 0, None]
    assert events == ["created", "first seen", "created"]


def test_license_changes_by_models_and_downloads(history):
    one, two, three = (model(number, f"ann/{number}") for number in (1, 2, 3))
    free = {"tags": ["license:apache-2.0"]}
    unknown = {"_id": three["_id"], "id": "ann/3", "downloads": 5}
    days = [[one, two, three], [one | free | {"id": "bob/1"}, two, unknown]]
    path = history(*([*models, *OTHERS] for models in days))
    with hfscan.open_database(path) as database:
        (row,) = database.query("license_changes")
    assert (row["before"], row["after"]) == ("mit", "apache-2.0")
    assert (row["numerator"], row["denominator"], row["downloads"]) == (1, 202, 10)
    assert row["downloads_share"] == round(10 / (30 + sum(m["downloads"] for m in OTHERS)), 9)
    assert row["coverage"] == round(202 / 203, 9)


def list_odd_numbers(rows):
    return [
        (name, value)
        for row in rows
        for name, value in row.items()
        if isinstance(value, float) and not math.isfinite(value)
    ]


@pytest.mark.parametrize(
    "days", [([ONE], [ONE], []), ([], [ONE], [ONE]), ([], [])], ids=["last", "first", "all"]
)
def test_no_query_divides_by_an_empty_snapshot(history, days):
    with hfscan.open_database(history(*days)) as database:
        for name in list_queries():
            given: dict[str, Any] = {"author": "ann"} if load(name).one_of else {}
            assert list_odd_numbers(database.query(name, **given)) == [], name
        assert all(row["share"] in (None, 0, 1) for row in database.query("turnover"))


def test_snapshots_of_one_time_are_ordered_by_number(history):
    """The last values are those of the snapshot that was stored last."""
    one, two, three = (model(number, f"ann/{number}") for number in (1, 2, 3))
    days = [*OTHERS, one, two, three], [*OTHERS, one, two], [*OTHERS, one, three | {"id": "ann/4"}]
    path = history(*days, **{f"day_{number}": {"day": DAY} for number in range(3)})
    with hfscan.open_database(path) as database:
        (group,) = database.query("group_summary", author="ann")
        (summary,) = database.query("model_summary", model="ann/4")
    assert [group[name] for name in ("first_models", "models", "downloads")] == [3, 2, 40]
    assert (summary["id"], summary["other_names"]) == ("ann/4", ["ann/3"])


def test_what_came_and_went_between_snapshots_of_one_time(history, run_cli):
    """Every answer takes the snapshot with the greater number for the later one."""
    one, two, three = (model(number, f"ann/{number}") for number in (1, 2, 3))
    days = [*OTHERS, one, two], [*OTHERS, one, three], [*OTHERS, one, two, three]
    path = history(*days, **{f"day_{number}": {"day": DAY} for number in range(3)})
    with hfscan.open_database(path) as database:
        counts = {
            (row["earlier"], row["change"]): row["numerator"]
            for row in database.query("turnover")
            if row["numerator"]
        }
        there = [[row["is_there"] for row in database.history(f"ann/{n}")] for n in (1, 2, 3)]
        events = [row["event"] for row in database.events("ann/2")]
        removed = list(
            database.query(
                "SELECT id, last_seen, first_absent_in, reappeared_in FROM removed_models"
            )
        )
        with pytest.raises(
            hfscan.InvalidRequestError, match=r"Snapshot 3 .* later than snapshot 1"
        ):
            database.query("changes", earlier=3, later=1)
    assert counts == {(1, "appeared"): 1, (1, "gone"): 1, (2, "back"): 1}
    assert there == [[True, True, True], [True, False, True], [True, True]]
    assert events == ["created", "first seen", "gone", "back"]
    assert removed == [{"id": "ann/2", "last_seen": 1, "first_absent_in": 2, "reappeared_in": 3}]


def test_last_of_two_snapshots_of_one_time_lacks_a_model(history, run_cli):
    one, two = model(1, "ann/a"), model(2, "ann/b")
    path = history([*OTHERS, one, two], [*OTHERS, two], day_1={"day": DAY})
    text = " ".join(run_cli("show", "ann/a", "--db", path)[1].split())
    assert "It is in the snapshot of 11 July 2024, but not in a later one of that day:" in text
    text = " ".join(run_cli("show", "ann", "--db", path)[1].split())
    assert "1 model in the snapshot of 11 July 2024; 2 in the first one of that day." in text


def test_partial_snapshot_beside_another_of_its_time(history):
    for days, few in (([OTHERS[:50], OTHERS], 1), ([OTHERS, OTHERS[:50]], 2)):
        path = history(*days, day_1={"day": DAY})
        with hfscan.open_database(path) as database:
            assert [row["snapshot"] for row in database.query("partial_snapshots")] == [few]
            assert [row["numerator"] for row in database.query("turnover")] == []
        path.unlink()


def test_group_that_is_gone_is_no_empty_answer(history):
    path = history([model(1, "ann/a"), *OTHERS], OTHERS)
    with hfscan.open_database(path) as database:
        rows = database.query("group_summary", author="ann")
    assert [(row["first_models"], row["models"]) for row in rows] == [(1, 0)]
    assert list(rows.notes) == []
