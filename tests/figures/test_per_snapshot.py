"""Named queries over every snapshot of the entire Hub."""

import re
from datetime import UTC, datetime

import pytest
from dumps import ingest_models

import hfscan
from hfscan.errors import InvalidRequestError
from hfscan.scope import Scope


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    """Five snapshots: of June, twice of July, of one account, and of invented models."""
    path = tmp_path_factory.mktemp("per-snapshot") / "h.duckdb"
    many = [{"id": f"ann/{n}", "tags": ["license:mit"], "downloads": n} for n in range(10)]
    for models, day, fields in (
        (many, datetime(2024, 6, 1), {"synthetic": "made up"}),
        (many, datetime(2024, 6, 30), {}),
        (many[:3], datetime(2024, 7, 11), {}),
        (many[:1], datetime(2024, 7, 11, 9), {"scope": Scope(author="ann")}),
        (many, datetime(2024, 7, 11, 12), {}),
    ):
        ingest_models(path, models, day=day.replace(tzinfo=UTC), **fields)
    return path


def test_query_runs_over_the_snapshots_of_the_entire_hub(db):
    with hfscan.open_database(db) as database:
        rows = database.query("composition", per_snapshot=True, by="license")
    counts = {(row["snapshot"], row["observed_at"], row["numerator"]) for row in rows}
    assert counts == {(2, "2024-06-30 00:00", 10), (3, "2024-07-11 00:00", 3),
                      (5, "2024-07-11 12:00", 10)}  # fmt: skip
    # a part of the models of 11 July was missing at first
    assert {row["snapshot"]: row["flags"] for row in rows} == {2: [], 3: ["partial"], 5: []}
    assert [row["group"] for row in rows] == ["mit"] * 3


def test_query_over_snapshots_ends_at_a_day(db, run_cli):
    arguments = ("--per-snapshot", "--as-of", "2024-07-01", "--format", "csv", "--db", db)
    _, out, _ = run_cli("query", "composition", *arguments)
    assert [line.split(",")[:4] for line in out.splitlines()[1:]] == [
        ["2", "2024-06-30", "[]", "mit"]
    ]
    code, _, err = run_cli("query", "composition", "--per-snapshot", "--snapshot", "2", "--db", db)
    assert code == 2
    assert "--per-snapshot runs a named query over all" in err


@pytest.mark.parametrize("name", ["top_shares", "lorenz", "lineage_relations"])
def test_query_by_a_macro_runs_over_snapshots(db, name):
    """These read the models through a macro of the schema only."""
    with hfscan.open_database(db) as database:
        rows = database.query(name, per_snapshot=True)
    assert {row["snapshot"] for row in rows} == {2, 3, 5}


def test_query_without_one_snapshot_does_not_run_over_each(db):
    with hfscan.open_database(db) as database:
        with pytest.raises(InvalidRequestError, match="changes does not read the models of one"):
            database.query("changes", per_snapshot=True)
        with pytest.raises(InvalidRequestError, match="exclude each other"):
            database.query("composition", per_snapshot=True, snapshot=2)


def test_snapshots_of_one_time_are_told_apart(tmp_path, run_cli):
    """Of one moment there are two snapshots; the second lacks most models."""
    db = tmp_path / "h.duckdb"
    fields = {"downloads": 1, "createdAt": "2024-06-01T00:00:00.000Z"}
    models = [{"id": f"ann/{n}", "tags": ["pytorch"], **fields} for n in range(8)]
    models += [{"id": f"ann/{n}", "tags": ["tf"], **fields} for n in range(8, 10)]
    for count in (10, 5):
        ingest_models(db, models[:count], day=datetime(2024, 7, 11, tzinfo=UTC))
    run_cli("trend", "--by-snapshot", "--out", "trend.md", "--db", db)
    page = (tmp_path / "trend.md").read_text()
    assert "| 2024-07-11 00:00, snapshot 1 | 2024-07-11 00:00, snapshot 2 |" in page
    assert "PyTorch only | 80.0 % \\* | 100.0 % \\* |" in page
    assert "Totals: 2024-07-11 00:00, snapshot 1: 10; 2024-07-11 00:00, snapshot 2: 5." in page
    _, _, err = run_cli("trend", "--by-snapshot", "--db", db)
    assert "Implausible data: 2024-07-11 00:00, snapshot 2 (partial)." in err
    _, _, err = run_cli("trend", "--by-snapshot", "--weight", "downloads", "--db", db)
    for number in (1, 2):
        assert re.search(rf"2024-07-11 00:00, snapshot {number}, Hub tags: ann/\d alone", err)
    with hfscan.open_database(db) as database:
        times = {row["observed_at"] for row in database.trend(by_snapshot=True)}
    assert times == {"2024-07-11 00:00"}
