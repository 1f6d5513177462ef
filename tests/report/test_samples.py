"""Reports of a sample: every share has an interval, or the report says that it has none."""

import json
from datetime import UTC, datetime, timedelta
from math import sqrt

import pytest
from click.testing import CliRunner
from dumps import ingest_models

from hfscan.cli import cli

START = datetime(2022, 8, 1, tzinfo=UTC)


def sampled_models(year: int):
    """Twenty strata of ten models; of each third, every fourth is of TensorFlow."""
    for number in range(200):
        stratum = number // 10
        created = START.replace(year=year) + timedelta(days=stratum)
        yield {
            "_id": f"{int(created.timestamp()):08x}{number:016x}",
            "id": f"ann/{year}-{number}",
            "tags": ["tf" if (number * (year - 2019)) % 4 == 0 and stratum % 3 else "pytorch"],
            "createdAt": f"{created:%FT%T.000Z}",
            "downloads": 5 + number,
        }


@pytest.fixture
def ask(tmp_path):
    """Return a function that runs a command on a sample of two years, and on a census."""
    db = tmp_path / "h.duckdb"
    models = [*sampled_models(2022), *sampled_models(2023)]
    strata = [START.replace(year=y) + timedelta(days=n) for y in (2022, 2023) for n in range(20)]
    ingest_models(db, models, sample=0.1, sample_design="drawn by lot", sample_strata=strata)
    ingest_models(db, models, day=datetime(2024, 8, 1, tzinfo=UTC))

    def run(*arguments):
        result = CliRunner().invoke(cli, [*arguments, "--db", str(db)], catch_exceptions=False)
        assert result.exit_code == 0, result.stderr
        text = result.stdout + result.stderr
        return json.loads(result.stdout) if "json" in arguments else " ".join(text.split())

    return run


SAMPLE = ("--snapshot", "1")


def find_row(report, table, **wanted):
    (rows,) = (part["rows"] for part in report["tables"] if part["name"] == table)
    return next(row for row in rows if wanted.items() <= row.items())


def test_difference_of_years_has_an_interval(ask):
    options = ("report", *SAMPLE, "--year", "2022", "--compare-year", "2023")
    row = find_row(ask(*options, "--format", "json"), "models", framework="tensorflow")
    shares = []
    for year in ("2022", "2023"):
        figures = ask("report", *SAMPLE, "--year", year, "--format", "json")["figures"]
        shares.append(next(entry for entry in figures if entry["framework"] == "tensorflow"))
    first, second = shares
    assert row["interval"] == first["interval"]
    assert row["compared_interval"] == second["interval"]
    assert row["interval"] != row["compared_interval"]
    # of independent shares: the distances of the bounds from the shares add up as squares do
    low = sqrt(
        (second["share"] - second["interval"][0]) ** 2
        + (first["interval"][1] - first["share"]) ** 2
    )
    high = sqrt(
        (second["interval"][1] - second["share"]) ** 2
        + (first["share"] - first["interval"][0]) ** 2
    )
    difference = second["share"] - first["share"]
    assert row["points"] == pytest.approx(100 * difference)
    expected = [100 * (difference - low), 100 * (difference + high)]
    assert row["points_interval"] == pytest.approx(expected, abs=1e-3)
    text = ask(*options)
    assert f"{row['points']:+.1f} [{expected[0]:+.1f} - {expected[1]:+.1f}] points" in text
    assert "no interval" not in text.split("Download-weighted")[0]


def test_census_in_a_comparison_with_a_sample_is_exact(ask):
    options = ("report", *SAMPLE, "--compare-snapshot", "2", "--year", "2023")
    row = find_row(ask(*options, "--format", "json"), "models", framework="tensorflow")
    assert row["compared_interval"] is None
    sample_low, sample_high = row["interval"]
    assert row["points_interval"] == pytest.approx(
        [100 * (row["compared_share"] - bound) for bound in (sample_high, sample_low)], abs=1e-3
    )


def test_comparison_of_censuses_has_no_interval(ask):
    options = ("report", "--snapshot", "2", "--year", "2022", "--compare-year", "2023")
    row = find_row(ask(*options, "--format", "json"), "models", framework="tensorflow")
    assert not [key for key in row if "interval" in key]
    text = ask(*options)
    assert "TensorFlow only from 16.0 % * of 200" in text  # small counts
    assert "no interval" not in text


def test_formats_of_a_sample_have_intervals(ask):
    report = ask("report", *SAMPLE, "--year", "2023", "--format", "json")
    row = find_row(report, "formats", framework="tensorflow")
    figure = next(entry for entry in report["figures"] if entry["framework"] == "tensorflow")
    assert row["interval"] == figure["interval"]  # of models of the same two frameworks
    (trend,) = [
        entry
        for entry in ask("trend", *SAMPLE, "--formats", "--format", "json")
        if (entry["period"], entry["framework"]) == ("2023", "tensorflow")
    ]
    assert trend["interval"] == row["interval"]
    bounds = " - ".join(f"{bound:.1%}".replace("%", " %") for bound in row["interval"])
    assert bounds in ask("trend", *SAMPLE, "--formats")


@pytest.mark.parametrize("weight", ["downloads", "authors"])
def test_weighted_shares_of_a_sample_say_that_they_have_no_interval(ask, weight):
    """A few models or authors decide such shares, so that clusters say little of their error."""
    text = ask("report", "--full", *SAMPLE, "--year", "2023", "--weight", weight)
    assert text.count("Estimated from a sample, no interval.") > 2  # headline and sections
    assert "no interval" in ask("trend", *SAMPLE, "--weight", weight)
    comparison = ("--year", "2022", "--compare-year", "2023", "--weight", weight)
    headline = ask("report", "--full", *SAMPLE, *comparison).split("Snapshot 1 of")[0]
    assert "Estimated from a sample, no interval." in headline
    assert "no interval" not in ask("report", "--full", "--snapshot", "2", *comparison)


def test_accounts_of_a_sample_say_that_they_have_no_interval(ask):
    text = ask("report", "--full", *SAMPLE, "--year", "2023")
    accounts = text.split("Largest accounts")[1].split("Frameworks, formats")[0]
    assert "Estimated from a sample, no interval." in accounts
    by_month = text.split("By month of creation")[1].split("Largest accounts")[0]
    assert "[" in by_month
    assert "no interval" not in by_month


def test_page_of_a_sample_says_so_at_its_top(ask, tmp_path):
    for command in (("report",), ("trend",), ("query", "breakdown"), ("lineage", "ann/2022-0")):
        ask(*command, *SAMPLE, "--out", str(tmp_path / "page.html"))
        page = (tmp_path / "page.html").read_text("utf-8")
        assert "<strong>sample</strong>" in page.split("<h1>")[0], command
        ask(*command, "--snapshot", "2", "--out", str(tmp_path / "page.html"))
        assert "<strong>sample</strong>" not in (tmp_path / "page.html").read_text("utf-8")
    ask("report", *SAMPLE, "--out", str(tmp_path / "chart.svg"))
    assert "SAMPLE of the models" in " ".join((tmp_path / "chart.svg").read_text("utf-8").split())
