"""Shares of downloads say where a single model decides them; a weighted report counts by weight."""

import json
import re

import pytest
from click.testing import CliRunner
from dumps import ingest_models

from hfscan.cli import cli
from hfscan.figures import SnapshotView
from hfscan.report import ReportRequest, build
from hfscan.report.summary import rank_caveats
from hfscan.store import Store

CREATED = {"createdAt": "2023-12-31T00:00:00.000Z"}
ALONE = "ann/big alone has 90.0 % of these downloads. Without it: PyTorch only 50.0 %."


def make_models():
    """One model has 900 of 1,000 downloads; without it, half are of PyTorch."""
    yield {"id": "ann/big", "tags": ["pytorch"], "downloads": 900, **CREATED}
    for number in range(10):
        yield {"id": f"bob/p{number}", "tags": ["pytorch"], "downloads": 5, **CREATED}
        yield {"id": f"cat/t{number}", "tags": ["tf"], "downloads": 5, **CREATED}
    for number in range(9):  # many models with few downloads
        yield {"id": f"dan/x{number}", "tags": ["pytorch"], "downloads": 0, **CREATED}


@pytest.fixture
def run_command(tmp_path):
    """Return a function that runs a command on the models: words of stdout and stderr."""
    db = tmp_path / "h.duckdb"
    ingest_models(db, make_models())

    def run(*arguments):
        result = CliRunner().invoke(cli, [*arguments, "--db", str(db)], catch_exceptions=False)
        assert result.exit_code == 0, result.stderr
        return " ".join((result.stdout + result.stderr).replace("\xa0", " ").split())

    return run


def read_report(run_command, *options):
    return json.loads(run_command("report", *options, "--format", "json"))


def test_weighted_headline_names_the_model_that_decides(run_command):
    options = ("report", "--year", "2023", "--weight", "downloads")
    summary = run_command(*options)
    assert (
        "Of the 1,000 downloads in 30 days of models created in 2023, 1,000 (100.0 %) are of "
        "models that support PyTorch or TensorFlow. Of these, 950 (95.0 % *) are of models that "
        "support PyTorch only, 50 (5.0 % *) TensorFlow only and 0 (0.0 % *) both."
    ) in summary
    assert f"- {ALONE}" in summary
    for format_ in ("md", "html"):
        page = re.sub(r"<[^>]+>|\\", "", run_command(*options, "--format", format_))
        assert ALONE in page
    title = (
        "PyTorch only: 95.0 % of the downloads of models that support PyTorch or TensorFlow "
        "(90.0 % of them of one model)"
    )
    assert title in page
    figure = read_report(run_command, "--year", "2023", "--weight", "downloads")["figures"][0]
    assert (figure["largest_model"], figure["largest_share"]) == ("ann/big", 0.9)
    assert figure["share_without_largest"] == 0.5


def test_year_report_says_it_where_it_quotes_downloads(run_command, tmp_path):
    with Store.open(tmp_path / "h.duckdb") as store:
        report = build(SnapshotView.choose(store, None), ReportRequest(2023))
    assert (
        "Weighted by downloads: PyTorch only 95.0 % * of 1,000 downloads (90.0 % of them of one "
        "model)."
    ) in [caveat.text for caveat in rank_caveats(report)]
    text = run_command("report", "--year", "2023", "--full")
    for title in ("Counting by downloads or authors", "Created in 2023, download-weighted"):
        assert ALONE in text.split(title)[1].split("By month")[0]
    page = run_command("report", "--year", "2023", "--format", "html")
    assert "95.0 % of downloads (90.0 % of them of one model)" in page


def test_groups_trends_and_comparisons_say_it(run_command, tmp_path):
    groups = run_command("report", "--year", "2023", "--by", "author", "--weight", "downloads")
    assert "ann, best evidence: ann/big alone has all of these downloads." in groups
    assert "only -" not in groups  # without it, there is no share
    assert f"2023, best evidence: {ALONE}" in run_command("trend", "--weight", "downloads")
    run_command("trend", "--weight", "downloads", "--out", str(tmp_path / "trend.html"))
    assert f"2023, best evidence: {ALONE}" in " ".join(
        (tmp_path / "trend.html").read_text("utf-8").split()
    )
    comparison = run_command("report", "--year", "2023", "--compare-year", "2022", "--weight",
        "downloads", "--full")  # fmt: skip
    assert f"2023: {ALONE}" in comparison
    assert "alone has" not in run_command("report", "--year", "2023", "--weight", "authors")


def test_no_model_is_named_where_downloads_are_spread(tmp_path):
    models = [
        {"id": f"ann/{n}", "tags": ["pytorch" if n % 2 else "tf"], "downloads": 5, **CREATED}
        for n in range(20)
    ]
    ingest_models(tmp_path / "h.duckdb", models)
    command = ["report", "--weight", "downloads", "--full", "--db", str(tmp_path / "h.duckdb")]
    assert "alone has" not in CliRunner().invoke(cli, command, catch_exceptions=False).stdout


def test_models_of_unknown_downloads_are_not_behind_a_share(tmp_path):
    """Of 300 models, 30 have known downloads: too few."""
    models = [
        {"id": f"{'abcdef'[n % 6]}/{n}", "tags": ["pytorch" if n % 2 else "tf"], **CREATED}
        | ({"downloads": 9} if n < 30 else {})
        for n in range(300)
    ]
    ingest_models(tmp_path / "h.duckdb", models)
    command = ["report", "--weight", "downloads", "--format", "json"]
    result = CliRunner().invoke(cli, [*command, "--db", str(tmp_path / "h.duckdb")])
    report = json.loads(result.stdout)
    shares = [*report["breakdown"], *report["figures"]]
    assert all(row["small"] for row in shares if row["share"] and row["group"] is None)


def test_breakdown_and_accounts_count_downloads(run_command):
    options = ("--year", "2023", "--weight", "downloads")
    text = run_command("report", *options)
    assert "All 1,000 downloads of models created in 2023, by framework" in text
    assert "PyTorch only 950 95.0 %" in text
    full = run_command("report", *options, "--full")
    assert "ann/big alone has 90.0 % of all these downloads." in full
    report = read_report(run_command, *options)
    assert {row["denominator"] for row in report["breakdown"]} == {1_000}
    (accounts,) = (part for part in report["tables"] if part["name"] == "concentration")
    assert accounts["title"] == "Largest accounts, by downloads"
    assert [(row["author"], row["numerator"]) for row in accounts["rows"]] == [
        ("ann", 900), ("bob", 50),
    ]  # fmt: skip
    page = run_command("report", *options, "--format", "html")
    assert "Above the columns: the number of downloads" in page
    title = "PyTorch only: 95.0 % * of the downloads of all models (90.0 % of them of one model)"
    assert title in page


@pytest.mark.parametrize("options", [("--weight", "authors"), ("--exclude-top-authors", "1")])
@pytest.mark.parametrize("period", [(), ("--year", "2023")], ids=str)
def test_report_on_authors_counts_nothing_else(run_command, options, period):
    """Sections that would count all models or all authors are left out, also with a grouping."""
    for by in ((), ("--by", "license")):
        report = read_report(run_command, *period, *options, *by)
        assert report["breakdown"] == []
        names = {part["name"] for part in report["tables"]}
        assert names.isdisjoint({"breakdown", "concentration", "formats", "cutoff"})
    text = run_command("report", *period, *options)
    assert "by framework" not in text
    assert "PyTorch only" in text
    if options[0] == "--exclude-top-authors":
        those = "Models that support PyTorch or TensorFlow"
        created = "Created in 2023" if period else those
        assert f"{created}, without the largest author" in text
    assert "Coverage The shares describe" in text


def test_largest_authors_of_downloads_have_the_most_downloads(run_command):
    """By models, dan and bob are larger than ann."""
    options = ("--year", "2023", "--exclude-top-authors", "1")
    by_downloads = read_report(run_command, *options, "--weight", "downloads")["figures"][0]
    assert (by_downloads["numerator"], by_downloads["denominator"]) == (50, 100)
    by_models = read_report(run_command, *options)["figures"][0]
    assert (by_models["numerator"], by_models["denominator"]) == (10, 20)
    text = run_command("report", *options)
    assert (
        "Of the 20 models created in 2023, without the largest author, 20 (100.0 %) support "
        "PyTorch or TensorFlow."
    ) in text
    page = run_command("report", *options, "--format", "html")
    assert "that support PyTorch or TensorFlow, without the largest author" in page


def test_authors_are_counted_in_one_population(tmp_path):
    """Of 4 authors 3 have a model with a framework; one has most models, and none with any."""
    models = [{"id": f"dan/{n}", "tags": ["x"], **CREATED} for n in range(90)]
    models += [{"id": "ann/1", "tags": ["pytorch"]}, {"id": "bob/1", "tags": ["pytorch"]}]
    models += [{"id": "cat/1", "tags": ["pytorch"]}, {"id": "cat/2", "tags": ["tf"]}]
    ingest_models(tmp_path / "h.duckdb", [{**CREATED, **model} for model in models])
    command = ["report", "--weight", "authors", "--definition", "tag"]
    command += ["--db", str(tmp_path / "h.duckdb")]
    text = CliRunner().invoke(cli, command, catch_exceptions=False).stdout
    assert (
        "Of the 4 authors of models in the snapshot, 3 (75.0 %) have models that support PyTorch "
        "or TensorFlow. Of these, 2.5 (83.3 % *) count for PyTorch only, 0.5 (16.7 % *) count for "
        "TensorFlow only and 0 (0.0 % *) count for both."
    ) in " ".join(text.split())
    assert "The shares describe 75.0 % of the authors" in " ".join(text.split())
