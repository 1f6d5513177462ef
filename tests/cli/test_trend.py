"""`hfscan trend` per year of creation: its shares, texts and files."""

import csv
import io
import json
import re
from datetime import datetime

import pytest
from small_models import BERT, make_keras_model

from hfscan.errors import NotFoundError
from hfscan.scope import Scope


def test_trend_per_year_of_creation(run_command):
    run_command.import_day(
        "2024-01-01",
        BERT,
        make_keras_model("ann/k"),
        make_keras_model("ann/both", tags=["tf", "pytorch"]),
    )
    rows = json.loads(run_command("trend", "--format", "json"))
    shares = {
        (row["group"], row["name"], row["framework"]): (row["numerator"], row["denominator"])
        for row in rows
    }
    assert shares["2022", "exclusive", "pytorch"] == (1, 1)
    assert shares["2023", "exclusive", "tensorflow"] == shares["2023", "shared", None] == (1, 2)
    assert "2023" in run_command("trend", "--format", "md")


def test_trend_shows_tags_beside_the_best_evidence(run_command):
    untagged = make_keras_model(
        "ann/st", tags=["safetensors"], library_name="transformers", createdAt="2023-12-31"
    )
    run_command.import_day("2024-01-01", make_keras_model("ann/k"), untagged)
    rows = json.loads(run_command("trend", "--format", "json"))
    shares = {
        row["definition"]: (row["numerator"], row["denominator"])
        for row in rows
        if (row["name"], row["framework"]) == ("exclusive", "pytorch")
    }
    assert shares == {"tag": (0, 1), "best": (1, 2)}
    table = run_command("trend")
    assert table.index("2023, Hub tags") < table.index("2023, best evidence")
    assert "Coverage" in table
    lines = [line.split() for line in table.splitlines() if line.startswith("2023")]
    # the Hub's tags describe one of two models
    assert [" ".join(line[-3:]) for line in lines] == ["1 50.0 %", "2 100.0 %"]
    notes = run_command.invoke("trend").stderr
    assert "BREAK IN SERIES: since 2023" in notes
    assert "Models older than 2 March 2022 are left out" in notes
    by_downloads = run_command.invoke("trend", "--by-snapshot", "--weight", "downloads").stderr
    assert "docs/data-quality.md" in by_downloads
    assert "older than" not in by_downloads
    assert "BREAK" not in run_command.invoke("trend", "--definition", "best").stderr


def test_breaks_in_series_lie_within_the_data(run_command):
    """The Hub changed in September 2024: models end in June, in October, and begin in 2025."""
    text = "for models created after August 2024"
    for number, (day, created, since, is_named) in enumerate(
        (
            ("2024-09-15", "2024-06-15", None, False),
            ("2024-10-15", "2024-10-15", None, True),
            ("2025-06-15", "2025-06-15", datetime(2025, 1, 1), False),
        ),
        1,
    ):
        models = [make_keras_model(f"ann/{day}-{n}", createdAt=created) for n in range(100)]
        run_command.import_day(day, *models, scope=Scope(since=since))
        arguments = ("trend", "--definition", "best", "--snapshot", number)
        assert (text in run_command.invoke(*arguments).stderr) is is_named


def test_trend_without_dates_names_snapshots_that_have_them(run_command):
    run_command.import_day("2024-01-01", {"id": "ann/a", "tags": ["tf"]})
    with pytest.raises(NotFoundError, match=r"by year\. Use hfscan trend --by-snapshot\.$"):
        run_command("trend")
    run_command.import_day("2024-01-02", make_keras_model("ann/a"))
    with pytest.raises(NotFoundError, match=r"or a snapshot with creation dates \(2\)\.$"):
        run_command("trend", "--snapshot", "1")


def test_trend_of_one_framework_shows_its_share(run_command):
    run_command.import_day(
        "2024-01-01", *(make_keras_model(f"ann/k{n}") for n in range(3)),
        make_keras_model("ann/both", tags=["tf", "pytorch"]),
    )  # fmt: skip
    table = run_command("trend", "--frameworks", "pytorch", "--definition", "tag")
    assert "Year of creation PyTorch not PyTorch Total Coverage" in " ".join(table.split())
    row = next(line.split(")", 1)[1] for line in table.splitlines() if line.startswith("2023"))
    assert " ".join(row.split()) == "1 (25.0 % *) 3 (75.0 % *) 4 100.0 %"


EXPLAINED = {
    (): (
        "of the models created in the year that support PyTorch or TensorFlow (Total). Coverage "
        "is Total's share of all models created in the year.",
        "Hub tags: a model counts if the Hub tags it so.",
        "Best evidence: a model counts if its weight files say so, or",
    ),
    ("--per", "month", "--weight", "downloads"): (
        "of the downloads in 30 days of models created in the month that support PyTorch or",
    ),
    ("--definition", "loadable", "--frameworks", "jax"): (
        "of the models created in the year of which it is known what can load them (Total).",
        "Loadable: a model counts if its tags or weight files name that framework, or if that "
        "framework can load it without conversion, with transformers 4.",
    ),
    ("--formats",): (
        "of the models created in the year whose file names are known, or whose tags name a "
        "framework or format (Total). Coverage is Total's share of all models created in the year.",
        "Best evidence: a model counts if",
    ),
    ("--by-snapshot",): (
        "of the models in the snapshot that support PyTorch or TensorFlow (Total).",
        "of the models in the snapshot whose file names are known, or whose tags name a",
        "of all models in the snapshot (Total). Each model is in one class, by its best evidence.",
    ),
    ("--by-snapshot", "--definition", "loadable"): ("conversion, with transformers 4.",),
}  # fmt: skip


@pytest.mark.parametrize("arguments", EXPLAINED, ids=" ".join)
def test_trend_says_of_what_its_shares_are(run_command, tmp_path, arguments):
    """The table and the page name the total, the definition and the coverage."""
    run_command.import_day("2024-01-01", BERT, make_keras_model("ann/k"))
    run_command("trend", *arguments, "--out", tmp_path / "trend.html")
    page = re.sub("<[^>]+>", " ", (tmp_path / "trend.html").read_text("utf-8"))
    for source in (run_command("trend", *arguments), page):
        text = " ".join(source.replace("\xa0", " ").replace("&#39;", "'").split())
        for part in EXPLAINED[arguments]:
            assert part in text


@pytest.mark.parametrize("options", [("--formats",), ("--definition", "best")], ids=" ".join)
def test_command_on_the_page_of_a_trend_repeats_its_numbers(run_command, tmp_path, options):
    """By tags, the numbers are others: the safetensors are of no framework."""
    untagged = make_keras_model("ann/st", tags=["safetensors"], library_name="transformers")
    run_command.import_day("2024-01-01", make_keras_model("ann/k"), untagged)
    run_command("trend", *options, "--out", tmp_path / "trend.html")
    page = (tmp_path / "trend.html").read_text("utf-8")
    (command,) = re.findall("<code>hfscan (query [^\n<]+)", page)
    counts = [
        {(row["framework"], row["numerator"], row["denominator"]) for row in json.loads(text)}
        for text in (
            run_command("trend", *options, "--format", "json"),
            run_command(*command.split(), "--format", "json"),
        )
    ]
    assert counts[0] == counts[1]
    assert ("pytorch", 1, 2) in counts[0]


def test_trend_of_formats(run_command):
    run_command.import_day(
        "2024-01-01", BERT | {"tags": ["safetensors"]}, make_keras_model("ann/k")
    )
    rows = list(csv.DictReader(io.StringIO(run_command("trend", "--formats", "--format", "csv"))))
    shares = {(row["period"], row["framework"]): row["share"] for row in rows}
    assert shares["2022", "safetensors"] == "1.0"
    assert shares["2023", "safetensors"] == "0.0"
    weights_text = run_command(
        "trend", "--formats", "--definition", "weights", "--frameworks", "tflite"
    )
    assert "LiteRT" in weights_text
    assert "Safetensors" not in weights_text


def test_trend_of_formats_has_totals_and_its_snapshot(run_command):
    silent = make_keras_model("ann/silent", tags=[])
    run_command.import_day("2024-01-01", BERT, make_keras_model("ann/k"), silent)
    result = run_command.invoke("trend", "--formats", "--format", "md")
    rows = [line.strip("| ").split(" | ") for line in result.stdout.splitlines()]
    table = {row[0]: row[1:] for row in rows}
    assert table["Total"] == ["1", "1"]
    assert table["Coverage"] == ["100.0 %", "50.0 %"]  # of two models of 2023, one is known
    assert result.stderr.startswith("Snapshot 1 of 1 January 2024, 3 models.\n")


@pytest.mark.parametrize("arguments", [(), ("--formats",), ("--by-snapshot",)], ids=" ".join)
@pytest.mark.parametrize("name", ["trend.md", "trend.txt"])
def test_trend_in_a_file_has_title_snapshot_notes_and_totals(
    run_command, tmp_path, arguments, name
):
    run_command.import_day("2024-01-01", BERT, make_keras_model("ann/k"))
    run_command("trend", *arguments, "--out", tmp_path / name)
    text = " ".join((tmp_path / name).read_text("utf-8").replace("\\", "").split())
    assert text.removeprefix("# ").startswith("How the frameworks of the Hub's models change")
    assert "Snapshot 1 of 1 January 2024: import of dump, 2 models." in text
    assert "BREAK IN SERIES" in text or "--formats" in arguments
    assert "Total" in text
    assert "* Small counts" in text


def test_chart_of_one_framework_has_its_share(run_command, tmp_path):
    """Almost all models lack JAX: its share is drawn, and the title names it."""
    run_command.import_day(
        "2024-01-01",
        *(make_keras_model(f"ann/k{n}") for n in range(9)),
        make_keras_model("ann/flax", tags=["jax"]),
    )
    run_command("trend", "--frameworks", "jax", "--definition", "tag", "--out", tmp_path / "c.svg")
    text = " ".join(re.findall(r">([^<>]+)</text>", (tmp_path / "c.svg").read_text("utf-8")))
    assert "JAX: 10.0 % in 2023" in text
    assert "90" not in text


def test_comparison_of_years_of_one_framework_has_its_share(run_command):
    tags = [("2022", "tf")] * 3 + [("2022", "pytorch"), ("2023", "tf"), ("2023", "pytorch")]
    models = [
        make_keras_model(f"ann/{number}", tags=[tag], createdAt=f"{year}-06-01")
        for number, (year, tag) in enumerate(tags)
    ]
    run_command.import_day("2023-12-31", *models)
    options = ("--year", 2022, "--compare-year", 2023, "--definition", "tag", "--format", "md")
    text = run_command("report", "--frameworks", "pytorch", *options)
    assert "PyTorch from 25.0 % \\* of 4 to 50.0 % \\* of 2 (+25.0 points)" in text
    assert "Total: models with known tags." in text
    assert "support PyTorch" not in text.split("## By the Hub")[0]
