"""Models without a creation date are a group of their own, and no report fails for them."""

import json

import pytest
from click.testing import CliRunner

from hfscan.cli import cli

DATED = {"id": "a/dated", "createdAt": "2022-05-01", "tags": ["pytorch"], "downloads": 5}


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    return run


@pytest.mark.parametrize(
    "undated",
    [{}, {"createdAt": None}, {"createdAt": "soon"}, {"createdAt": "9999-12-31T23:59:59Z"}],
    ids=str,
)
def test_undated_models_are_a_group(tmp_path, run, undated):
    rows = [DATED, {"id": "b/undated", "tags": ["tf"], "downloads": 7, **undated}]
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, rows)))
    run("import", "d.jsonl", "--observed-at", "2024-07-11")
    for by, group in (("year", "2022"), ("month", "2022-05")):
        for weight, counts in (("models", [1, 1]), ("downloads", [5, 7]), ("authors", [1, 1])):
            rows = json.loads(
                run("query", "exclusivity", "--param", f"by={by}", "--param", f"weight={weight}",
                    "--format", "json")
            )  # fmt: skip
            sizes = {row["group"]: row["denominator"] for row in rows if row["name"] == "shared"}
            assert sizes == dict(zip([group, "(unknown)"], counts, strict=True))
            assert "(unknown)" in run("report", "--by", by, "--weight", weight)
    run("report")
    assert "(unknown)" not in run("report", "--year", "2022")
    assert "(unknown)" not in run("trend")
    run("export", "exported")
    run("import", "exported", "--db", "again.duckdb")
    again = run("query", "exclusivity", "--param", "by=year", "--db", "again.duckdb")
    assert again == run("query", "exclusivity", "--param", "by=year")
