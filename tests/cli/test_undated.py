"""Models without a creation date are a group of their own, and no report fails for them."""

import json

import pytest
from click.testing import CliRunner

from hfscan.cli import cli

DATED_MODEL = {"id": "a/dated", "createdAt": "2022-05-01", "tags": ["pytorch"], "downloads": 5}


@pytest.fixture
def run_command(tmp_path, monkeypatch):
    """Return a function that runs a command in an empty folder and returns stdout."""
    monkeypatch.chdir(tmp_path)

    def run_command(*arguments: str) -> str:
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    return run_command


@pytest.mark.parametrize(
    "undated",
    [{}, {"createdAt": None}, {"createdAt": "soon"}, {"createdAt": "9999-12-31T23:59:59Z"}],
    ids=str,
)
def test_undated_models_are_a_group(tmp_path, run_command, undated):
    rows = [DATED_MODEL, {"id": "b/undated", "tags": ["tf"], "downloads": 7, **undated}]
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, rows)))
    run_command("import", "d.jsonl", "--observed-at", "2024-07-11")
    for by, group in (("year", "2022"), ("month", "2022-05")):
        for weight, counts in (("models", [1, 1]), ("downloads", [5, 7]), ("authors", [1, 1])):
            rows = json.loads(
                run_command(
                    "query", "exclusivity", "--param", f"by={by}", "--param", f"weight={weight}",
                    "--format", "json",
                )
            )  # fmt: skip
            counts_by_group = {
                row["group"]: row["denominator"] for row in rows if row["name"] == "shared"
            }
            assert counts_by_group == dict(zip([group, "(unknown)"], counts, strict=True))
            assert "(unknown)" in run_command("report", "--by", by, "--weight", weight)
    run_command("report")
    assert "(unknown)" not in run_command("report", "--year", "2022")
    assert "(unknown)" not in run_command("trend")
    run_command("export", "exported")
    run_command("import", "exported", "--db", "again.duckdb")
    reimported = run_command("query", "exclusivity", "--param", "by=year", "--db", "again.duckdb")
    assert reimported == run_command("query", "exclusivity", "--param", "by=year")


def test_models_at_the_cutoff_are_not_counted_as_2022(tmp_path, run_command):
    older = {"id": "c/older", "tags": ["pytorch"], "createdAt": "2022-03-02T23:29:04.000Z"}
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, [DATED_MODEL, older])))
    run_command("import", "d.jsonl", "--observed-at", "2024-07-11")
    for query in ("exclusivity", "breakdown"):
        for by, group in (("year", "2022"), ("month", "2022-05")):
            out = run_command("query", query, "--param", f"by={by}", "--format", "json")
            denominators = {row["group"]: row["denominator"] for row in json.loads(out)}
            assert {name: denominators[name] for name in ("(older)", group)} == {
                "(older)": 1, group: 1,
            }  # fmt: skip
    run_command("report", "--out", "chart.svg")
    assert ">(older)</text>" in (tmp_path / "chart.svg").read_text("utf-8")


def test_queries_of_a_period_leave_out_undated_models_as_the_report_does(tmp_path, run_command):
    older = {"id": "c/older", "tags": ["pytorch"], "createdAt": "2022-03-02T23:29:04.000Z"}
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, [DATED_MODEL, older])))
    run_command("import", "d.jsonl", "--observed-at", "2024-07-11")
    of_2022 = ("--param", "since=2022-01-01", "--param", "until=2023-01-01")

    def count(*parameters: str) -> tuple[int, bool]:
        arguments = ("query", "exclusivity", *parameters)
        (row, *_) = json.loads(run_command(*arguments, "--format", "json"))
        noted = CliRunner().invoke(cli, arguments).stderr
        return row["numerator"], "cutoff = excluded" in noted

    assert count() == (2, False)
    assert count(*of_2022) == (1, True)
    assert count("--param", "until=2023-01-01") == (2, False)  # the older models existed then
    assert count(*of_2022, "--param", "cutoff=included") == (2, False)
