"""Queries that compare two snapshots: which ones, in which order, and what they say of them."""

import json
import re
from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from dumps import ingest_models
from small_models import BERT, make_keras_model

import hfscan
from hfscan.figures import list_queries, load

COMPARISONS = [name for name in list_queries() if load(name).compares_snapshots]


@pytest.fixture
def query(run_cli, tmp_path):
    """Return a function that runs `hfscan query`: exit code, and stderr without line breaks."""

    def run(*arguments):
        code, _, err = run_cli("query", *arguments, "--db", tmp_path / "h.duckdb")
        return code, " ".join(err.split())

    return run


@pytest.fixture
def count_changes(run_command):
    """Return a function that runs `changes`: change -> models."""

    def run(*arguments):
        rows = json.loads(run_command("query", "changes", *arguments, "--format", "json"))
        return {row["change"]: row["models"] for row in rows if row["framework"] is None}

    return run


@pytest.fixture
def backwards(run_command):
    """Import two snapshots: first that of July, without ann/old and with three new models."""
    run_command.import_day("2024-07-11", BERT, *(make_keras_model(f"ann/{n}") for n in range(3)))
    run_command.import_day("2024-02-15", BERT, make_keras_model("ann/old"))


def test_every_query_with_two_snapshots_is_known():
    assert {
        "changes", "download_counters", "license_changes", "sudden_drops", "transitions",
    } <= set(COMPARISONS)  # fmt: skip
    assert not [
        name
        for name in list_queries()
        if "earlier" in load(name).defaults and name not in COMPARISONS
    ]


@pytest.mark.usefixtures("backwards")
def test_time_runs_forwards_whatever_was_imported_first(query, count_changes, tmp_path):
    changes = count_changes()
    assert (changes["removed"], changes["added"]) == (1, 3)
    assert "earlier = 2 (2024-02-15), later = 1 (2024-07-11)" in query("changes")[1]
    assert changes == count_changes("--param", "later=1") == count_changes("--param", "earlier=2")
    with hfscan.open_database(tmp_path / "h.duckdb") as database:
        rows = database.query("changes")
        assert {row["change"]: row["models"] for row in rows if not row["framework"]} == changes


@pytest.mark.usefixtures("backwards")
@pytest.mark.parametrize("name", COMPARISONS)
def test_page_names_both_snapshots_and_the_command(run_command, tmp_path, name):
    run_command("query", name, "--out", tmp_path / "page.html")
    markup = (tmp_path / "page.html").read_text("utf-8").replace("\xa0", " ")
    page = " ".join(re.sub("<[^>]+>", "", markup).split())
    assert "Snapshot 2 of 15 February 2024" in page
    assert "Snapshot 1 of 11 July 2024" in page
    assert "earlier = 2 (2024-02-15), later = 1 (2024-07-11)" in page
    assert f"hfscan query {name} --param earlier=2 --param later=1" in page


@pytest.mark.usefixtures("backwards")
@pytest.mark.parametrize("name", COMPARISONS)
def test_swapped_snapshots_are_refused(query, tmp_path, name):
    code, message = query(name, "--param", "earlier=1", "--param", "later=2")
    assert code == 2
    assert (
        "Snapshot 1 (earlier, 2024-07-11 00:00) is later than snapshot 2 (later, "
        "2024-02-15 00:00). Swap them."
    ) in message
    with (
        hfscan.open_database(tmp_path / "h.duckdb") as database,
        pytest.raises(hfscan.InvalidRequestError, match=r"Swap them\.$"),
    ):
        database.query(name, earlier=1, later=2)


@pytest.mark.usefixtures("backwards")
@pytest.mark.parametrize("selection", [("--snapshot", "2"), ("--as-of", "2024-03-01")])
def test_selection_of_one_snapshot_is_refused(query, tmp_path, selection):
    code, message = query("changes", *selection)
    assert code == 2
    assert (
        "changes compares two snapshots. To choose them, use --param earlier=ID and --param "
        "later=ID."
    ) in message
    with (
        hfscan.open_database(tmp_path / "h.duckdb") as database,
        pytest.raises(hfscan.InvalidRequestError, match="use the parameters earlier and later"),
    ):
        database.query("changes", snapshot=2)


@pytest.mark.usefixtures("backwards")
def test_nothing_lies_before_the_first_snapshot(query):
    code, message = query("changes", "--param", "later=2")
    assert code == 7
    assert "No snapshot was observed before snapshot 2." in message
    code, message = query("changes", "--param", "earlier=1")
    assert code == 7
    assert "No snapshot was observed after snapshot 1." in message


@pytest.mark.parametrize("name", COMPARISONS)
def test_single_snapshot_is_not_compared(run_command, query, tmp_path, name):
    run_command.import_day("2024-07-11", BERT)
    code, error = query(name)
    message = f"{name} compares two snapshots, and the database has one. Import or crawl another."
    assert code == 7
    assert message in error
    with (
        hfscan.open_database(tmp_path / "h.duckdb") as database,
        pytest.raises(hfscan.NotFoundError, match=message),
    ):
        database.query(name)
    code, _ = query(name, "--param", "earlier=1", "--param", "later=1")
    assert code == 0


def test_newest_two_of_three_are_compared(run_command, count_changes):
    models = [make_keras_model(f"ann/{n}") for n in range(6)]
    for day, number in (("2024-03-01", 6), ("2024-01-01", 1), ("2024-02-01", 3)):
        run_command.import_day(day, BERT, *models[:number])
    assert count_changes()["added"] == 3
    assert count_changes("--param", "later=3")["added"] == 2
    assert count_changes("--param", "earlier=2")["added"] == 5
    assert count_changes("--param", "earlier=2", "--param", "later=3")["added"] == 2


def test_partial_snapshots_are_compared_last(run_command, count_changes, tmp_path):
    models = [make_keras_model(f"ann/{n}") for n in range(4)]
    run_command.import_day("2024-01-01", BERT, *models[:2])
    run_command.import_day("2024-02-01", BERT, *models)
    ingest_models(
        tmp_path / "h.duckdb", [BERT], day=datetime(2024, 3, 1, tzinfo=UTC), complete=False
    )
    changes = count_changes()
    assert (changes["removed"], changes["added"]) == (0, 2)
    run_command.invoke("delete", "1")
    assert count_changes()["removed"] == 4


def test_small_part_does_not_answer_for_the_whole(run_command, tmp_path):
    """A snapshot that lacks models answers only where it is asked for, or has as many."""
    db = tmp_path / "h.duckdb"
    models = [make_keras_model(f"ann/{n}") for n in range(19)]
    run_command.import_day("2024-01-01", BERT, *models)
    march = datetime(2024, 3, 1, tzinfo=UTC)
    ingest_models(db, [BERT, *models[:16]], day=march, complete=False)

    sql = ("query", "SELECT count(*) AS n FROM census", "--format", "json")
    assert json.loads(run_command(*sql)) == [{"n": 20}]
    with duckdb.connect(db, read_only=True) as other_client:
        assert other_client.execute("SELECT count(*) FROM census").fetchall() == [(20,)]
    assert json.loads(run_command(*sql, "--snapshot", "2")) == [{"n": 17}]
    assert "Snapshot 1 of" in run_command("report")
    assert "Snapshot 2 of" in run_command("report", "--snapshot", "2")
    ingest_models(db, [BERT, *models[:18]], day=march + timedelta(days=1), complete=False)
    assert json.loads(run_command(*sql)) == [{"n": 19}]
    with duckdb.connect(db, read_only=True) as other_client:
        assert other_client.execute("SELECT count(*) FROM census").fetchall() == [(19,)]


def test_report_compares_the_snapshots_that_its_query_does(run_command, tmp_path):
    """A report compares with the snapshot before, unless that is known to lack models."""
    db = tmp_path / "h.duckdb"
    run_command.import_day("2024-01-01", BERT, make_keras_model("ann/1"))
    run_command.import_day("2024-02-01", BERT, make_keras_model("ann/2"))
    ingest_models(db, [BERT], day=datetime(2024, 3, 1, tzinfo=UTC), complete=False)
    run_command.import_day("2024-04-01", BERT, make_keras_model("ann/3"))
    report = json.loads(run_command("report", "--format", "json"))
    (table,) = [table for table in report["tables"] if table["name"] == "transitions"]
    assert (table["parameters"]["earlier"], table["parameters"]["later"]) == (2, 4)
    rows = run_command("query", "transitions", "--format", "json")
    assert rows == run_command(
        "query", "transitions", "--param", "earlier=2", "--param", "later=4", "--format", "json"
    )
    ingest_models(db, [BERT], day=datetime(2024, 5, 1, tzinfo=UTC), synthetic="a test")
    later = json.loads(run_command("report", "--snapshot", "5", "--format", "json"))
    assert "transitions" not in {table["name"] for table in later["tables"]}
