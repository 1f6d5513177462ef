"""`hfscan import` refuses files that are no snapshot, and reports skipped rows."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hfscan.cli import cli
from hfscan.errors import ImportFileError, SuspiciousDropError
from hfscan.store import Store, list_snapshots


def make_models(count: int, **fields: object) -> list[dict]:
    return [
        {"id": f"a/{n:03}", "tags": ["pytorch"], "downloads": 10} | fields for n in range(count)
    ]


@pytest.fixture
def run_import(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run_import(rows: object, day: str, *options: str, name: str = "dump.json") -> Result:
        text = rows if isinstance(rows, str) else json.dumps(rows)
        Path(name).write_text(text)
        return CliRunner().invoke(cli, ["import", name, "--observed-at", day, *options])

    return run_import


def assert_refused(result: Result, error: type[Exception], *messages: str) -> None:
    assert isinstance(result.exception, error)
    for message in messages:
        assert message in str(result.exception)


def list_counts() -> list[tuple[int, int]]:
    with Store.open(Path("hfscan.duckdb")) as store:
        return [(snapshot.id, snapshot.models) for snapshot in list_snapshots(store)]


@pytest.mark.parametrize("rows", [[], {"models": []}, make_models(3, private=True)])
@pytest.mark.parametrize("option", [None, "--complete", "--partial"])
def test_no_models_are_refused(run_import, rows, option):
    options = [option] if option else []
    assert_refused(
        run_import(rows, "2024-01-01", *options), SuspiciousDropError, "no models", "--allow-drop"
    )
    assert not Path("hfscan.duckdb").exists()
    assert run_import(rows, "2024-01-01", *options, "--allow-drop").exit_code == 0
    assert list_counts() == [(1, 0)]


def test_refused_file_leaves_database_alone(run_import):
    assert run_import(make_models(5), "2024-01-01", "--complete").exit_code == 0
    initial_bytes = Path("hfscan.duckdb").read_bytes()
    for rows in ({"error": "x"}, "<html>", ""):
        assert_refused(run_import(rows, "2024-01-02", "--complete"), ImportFileError, "dump.json")
    assert_refused(run_import([], "2024-01-02", "--complete"), SuspiciousDropError)
    assert list_counts() == [(1, 5)]
    assert len(initial_bytes) == len(Path("hfscan.duckdb").read_bytes())


def test_complete_import_must_not_drop(run_import):
    assert run_import(make_models(100), "2024-01-01", "--complete").exit_code == 0
    result = run_import(make_models(90), "2024-01-02", "--complete")
    assert_refused(result, SuspiciousDropError, "snapshot 1", "models 100 -> 90", "--allow-drop")
    assert run_import(make_models(99), "2024-01-03", "--complete").exit_code == 0
    assert run_import(make_models(50), "2024-01-04", "--complete", "--allow-drop").exit_code == 0
    assert [count for _, count in list_counts()] == [100, 99, 50]
    assert (
        run_import(make_models(20), "2023-01-01", "--complete").exit_code == 0
    )  # there is no earlier snapshot


def test_missing_field_is_no_drop(run_import):
    assert run_import(make_models(100), "2024-01-01", "--complete").exit_code == 0
    bare_rows = [{"id": row["id"]} for row in make_models(100)]
    assert run_import(bare_rows, "2024-01-02", "--complete").exit_code == 0


def test_partial_import_may_be_small(run_import):
    assert run_import(make_models(100), "2024-01-01", "--complete").exit_code == 0
    assert run_import(make_models(3), "2024-01-02", "--partial").exit_code == 0
    assert run_import(make_models(2), "2024-01-03").exit_code == 0
    assert [count for _, count in list_counts()] == [100, 3, 2]


def test_import_must_not_drop_within_its_series(run_import):
    assert run_import(make_models(100), "2024-01-01").exit_code == 0
    assert_refused(
        run_import(make_models(10), "2024-01-02"), SuspiciousDropError, "100 -> 10", "--partial"
    )
    assert run_import(make_models(10), "2024-01-02", "--partial").exit_code == 0


def test_import_lists_skipped_rows(run_import):
    rows = [
        *make_models(2),
        None,
        {"id": "a/x", "createdAt": "2024-01-01T00:00:00Z", "created_at": "2023-01-01T00:00:00Z"},
        {"id": "a/huge", "sha": "x" * 17_000_000},
    ]
    result = run_import(rows, "2024-02-01")
    assert result.exit_code == 0
    assert "Snapshot 1: 3 models" in result.output
    assert "Skipped 1: no valid model id." in result.output
    assert "Skipped 1: larger than 16 MiB." in result.output
    assert "Skipped created_at of 1 model: it contradicts createdAt." in result.output


def test_damaged_row_is_no_removal(run_import):
    assert run_import(make_models(100), "2024-01-01", "--complete").exit_code == 0
    result = run_import([*make_models(99), {"tags": []}], "2024-01-02", "--complete")
    assert result.exit_code == 0
    assert "not marked as complete" in result.output
    with Store.open(Path("hfscan.duckdb")) as store:
        assert list_snapshots(store)[1].complete is False
        assert store.execute("FROM removed_models").fetchall() == []
    result = run_import([*make_models(50), None], "2024-01-03", "--complete")
    assert_refused(result, SuspiciousDropError, "snapshot 1", "100 -> 50")


@pytest.mark.parametrize("field", ["createdAt", "lastModified"])
@pytest.mark.parametrize("late", ["2024-07-11T10:00:00.000Z", 1720692000])
def test_dump_newer_than_its_time_is_refused(run_import, field, late):
    rows = [*make_models(98, **{field: "2023-12-31"}), {"id": "a/late", field: late}]
    assert_refused(
        run_import(rows, "2024-07-01"),
        ImportFileError,
        "1 of 99 rows have dates after the time of the dump, up to 2024-07-11",
        "--observed-at",
    )
    assert not Path("hfscan.duckdb").exists()
    assert run_import(rows, "2024-07-11").exit_code == 0


def test_few_wrong_dates_do_not_stop_an_import(run_import):
    few_late = [
        *make_models(200, createdAt="2024-06-30"),
        *make_models(1, createdAt="2024-07-11"),
    ]
    few_late[-1]["id"] = "a/late"
    result = run_import(few_late, "2024-07-01")
    assert "stored as unknown: created_at of 1 model, e.g. '2024-07-11'" in result.output
    placeholders = make_models(5, createdAt="9999-12-31")
    assert run_import(placeholders, "2024-07-02", "--partial").exit_code == 0


@pytest.mark.parametrize("option", [None, "--complete", "--partial"])
def test_dump_older_than_its_time_is_said(run_import, option):
    rows = make_models(3, createdAt="2022-01-02", lastModified="2024-07-11T10:00:00.000Z")
    options = [option] if option else []
    assert "newest date" not in run_import(rows, "2024-07-18", *options).output
    output = run_import(rows, "2024-08-18", *options).output
    message = "The newest date in the files is 2024-07-11, 37 days before the time of the snapshot."
    assert (message in output) == (option != "--partial")
    assert ("run hfscan delete 2 --db hfscan.duckdb and" in output) == (option != "--partial")


@pytest.mark.parametrize(
    ("first", "again", "state"),
    [
        (["--partial"], ["--complete"], "partial"),
        (["--complete"], ["--partial"], "complete"),
        ([], ["--complete"], "neither complete nor partial"),
        ([], [], None),
        (["--complete"], [], None),
    ],
)
def test_import_again_keeps_what_was_said_of_completeness(run_import, first, again, state):
    rows = make_models(3)
    run_import(rows, "2024-07-18", *first)
    output = run_import(rows, "2024-07-18", *again).output
    assert "These files are already snapshot 1 in hfscan.duckdb. Nothing was added." in output
    advice = "To change that, run hfscan delete 1 --db hfscan.duckdb and import the files again."
    assert (f"It stays {state}, as it was stored. {advice}" in output) == (state is not None)
    assert "skipped row" not in output
