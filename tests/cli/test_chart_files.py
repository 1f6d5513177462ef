"""`--out` with the ending of an image draws the chart."""

from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from dumps import ingest_models

MODELS = [
    {
        "_id": f"63ffff{number:018x}",
        "id": f"ann/{number}",
        "tags": ["pytorch" if number % 10 else "tf", "base_model:ann/0"],
        "createdAt": f"{2022 + number % 2}-08-19T20:19:12.000Z",
        "downloads": number,
        "pipeline_tag": "fill-mask",
    }
    for number in range(300)
]
COMMANDS = [
    ("report", "--year", "2022"),
    ("trend",),
    ("trend", "--formats"),
    ("claims",),
    ("query", "formats"),
    ("query", "concentration"),
    ("lineage", "ann/0"),
]


@pytest.fixture
def run(run_cli, tmp_path):
    """Return a function that runs a command on 300 models."""
    db = tmp_path / "h.duckdb"
    ingest_models(db, MODELS, day=datetime(2024, 1, 1, tzinfo=UTC))
    return lambda *arguments: run_cli(*arguments, "--db", db)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_chart_is_written_as_svg_and_png(run, tmp_path, command):
    code, _, err = run(*command, "--out", "chart.svg")
    assert code == 0, err
    text = (tmp_path / "chart.svg").read_text("utf-8")
    root = ElementTree.fromstring(text)
    assert "var(" not in text
    assert "Source: hfscan" in " ".join(root.itertext())
    assert run(*command, "--out", "chart.png")[0] == 0
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_unknown_ending_is_a_usage_error(run, tmp_path, command):
    code, _, err = run(*command, "--out", "chart.gif")
    assert code == 2
    assert ".png" in err
    assert not (tmp_path / "chart.gif").exists()


@pytest.mark.parametrize("command", [("trend",), ("query", "formats")], ids=" ".join)
def test_result_is_written_to_files(run, tmp_path, command):
    for ending, start in (("html", "<!doctype html>"), ("csv", ""), ("json", "["), ("md", "|")):
        code, out, err = run(*command, "--out", f"result.{ending}")
        assert (code, out) == (0, ""), err
        text = (tmp_path / f"result.{ending}").read_text("utf-8")
        assert text.startswith(start)
        assert "pytorch" in text.lower()


def test_result_without_chart_is_refused(run):
    code, _, err = run("query", "SELECT 1 AS x", "--out", "chart.png")
    assert code == 2
    assert "has no chart" in err
    assert run("query", "--out", "chart.png")[0] == 2
    assert run("trend", "--format", "csv", "--out", "chart.png")[0] == 2
