"""`--out` with the ending of an image draws the chart."""

import re
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from dumps import ingest_models

import hfscan

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
    markdown = "# " if command == ("trend",) else "|"  # a trend has its title and notes
    starts = {"html": "<!doctype html>", "csv": "", "json": "[", "md": markdown}
    for ending, start in starts.items():
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


def test_folder_that_is_made_is_named(run, tmp_path):
    code, _, err = run("trend", "--out", tmp_path / "new" / "deep" / "trend.md")
    assert code == 0
    assert f"Making the folder {tmp_path / 'new' / 'deep'}." in err
    assert "Making" not in run("trend", "--out", tmp_path / "new" / "deep" / "trend.md")[2]


def test_text_of_the_hub_is_drawn_as_it_is(run_cli, tmp_path):
    licenses = ["lr-0.0005", "var(--mine)", "var(--s1)", 'fill="var(--s1)"']
    models = [{"id": f"ann/{n}", "tags": [f"license:{name}"]} for n, name in enumerate(licenses)]
    ingest_models(tmp_path / "h.duckdb", models)
    for name in ("chart.svg", "chart.png"):
        code, _, err = run_cli(
            "query", "composition", "--param", "by=license", "--db", "h.duckdb", "--out", name
        )
        assert code == 0, err
    root = ElementTree.parse(tmp_path / "chart.svg").getroot()
    assert set(licenses) <= {"".join(node.itertext()) for node in root.iter()}
    labels = " ".join(node.get("aria-label", "") for node in root.iter())
    assert [name for name in licenses if name not in labels] == []
    colors = {node.get(key, "none") for node in root.iter() for key in ("fill", "stroke")}
    assert not any("var(" in color for color in colors)
    shapes = " ".join(node.get("d", "") for node in root.iter())
    assert re.search(r"\.\d\d", shapes)
    assert not re.search(r"\.\d{3}", shapes)


def test_line_over_time_leaves_older_models_out(tmp_path):
    older = [
        {"id": f"old/{n}", "tags": ["pytorch"], "createdAt": "2022-03-02T23:29:04.000Z"}
        for n in range(150)
    ]
    ingest_models(tmp_path / "h.duckdb", MODELS + older, day=datetime(2024, 1, 1, tzinfo=UTC))
    with hfscan.open_database(tmp_path / "h.duckdb") as database:
        report = database.report()
    groups = {row["group"] for row in report.table("by_year")}
    assert {"(older)", "2022", "2023"} <= groups
    drawn = [row["group"] for row in report.chart("by_year").rows]
    # the newest model is of August, so the data are not of the rest of the year
    assert drawn == ["2022 (from 2 March)", "2023 (to 19 August)"]
    assert "(older)</text>" not in report.chart("by_year").to_svg()
    assert "Not drawn: (older); the table has all." in report.to_html()
