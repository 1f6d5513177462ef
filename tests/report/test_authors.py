"""Reports that count authors: each counts once, in every year or group that it has models in."""

import json

import pytest
from click.testing import CliRunner
from dumps import ingest_models

from hfscan.cli import cli

MODELS = [
    ("ann/a", "2023", ["pytorch"]),
    ("ann/b", "2024", ["tf"]),
    ("ann/c", "2024", ["tf"]),
    ("bob/a", "2023", ["pytorch"]),
    ("bob/b", "2023", ["gguf"]),
    ("cat/a", "2023", ["gguf"]),
    ("dan/a", "2024", ["pytorch", "tf"]),
    ("eve/a", "2023", None),
    ("gpt2", "2023", ["pytorch"]),
]
"""Six authors: four of models with a framework, one of others, one of unknown ones."""
COUNTS = {
    None: {"pytorch": (2.333333, 4), "tensorflow": (0.666667, 4), "shared": (1, 4), "none": (1, 5)},
    "2023": {"pytorch": (3, 3), "tensorflow": (0, 3), "shared": (0, 3), "none": (1, 4)},
    "2024": {"pytorch": (0, 2), "tensorflow": (1, 2), "shared": (1, 2), "none": (0, 2)},
}
"""Year of creation -> class -> numerator and denominator, by the Hub's tags."""


@pytest.fixture
def run_command(tmp_path):
    """Return a function that runs a command on the models, and returns its output in one line."""
    db = tmp_path / "h.duckdb"
    models = (
        {"id": id_, "tags": tags, "createdAt": f"{year}-05-05T00:00:00.000Z"}
        for id_, year, tags in MODELS
    )
    ingest_models(db, models)

    def run(*arguments):
        result = CliRunner().invoke(cli, [*arguments, "--db", str(db)], catch_exceptions=False)
        assert result.exit_code == 0, result.stderr
        return " ".join(result.stdout.replace("\xa0", " ").split())

    return run


def read_counts(figures):
    """Return {class: (numerator, denominator)} of the figures of one population."""
    return {
        (figure["framework"] or figure["name"]): (figure["numerator"], figure["denominator"])
        for figure in figures
        if figure["name"] != "available"
    }


def read_figures(run_command, *command):
    """Return the figures of authors: of a year, of the models created in it."""
    options = ("--weight", "authors", "--definition", "tag", "--format", "json")
    document = json.loads(run_command(*command, *options))
    figures = document if isinstance(document, list) else document["figures"]
    population = "created" if "--year" in command else "existing"
    return [
        figure
        for figure in figures
        if (figure["weight"], figure["population"]) == ("authors", population)
    ]


@pytest.mark.parametrize("year", COUNTS)
def test_every_author_is_in_one_class(run_command, year):
    """An author with models of two classes is divided, but is never of none as well."""
    period = () if year is None else ("--year", year)
    figures = read_figures(run_command, "report", *period)
    counts = read_counts(figure for figure in figures if figure["by"] is None)
    assert counts == COUNTS[year]
    known_authors = counts["none"][1]
    assert sum(numerator for numerator, _ in counts.values()) == pytest.approx(known_authors)


def test_trend_equals_the_report_of_each_year(run_command):
    trend = read_figures(run_command, "trend")
    years = sorted({figure["group"] for figure in trend})
    assert years == ["2023", "2024"]
    for year in years:
        of_year = [figure for figure in trend if figure["group"] == year]
        assert read_counts(of_year) == COUNTS[year]
        report = read_figures(run_command, "report", "--year", year)
        assert read_counts(of_year) == read_counts(
            figure for figure in report if figure["by"] is None
        )
        keys = ("name", "framework", "share", "coverage", "population_size", "small")
        values = [
            {tuple(figure[key] for key in keys) for figure in figures if figure["by"] in by}
            for figures, by in ((of_year, ("year",)), (report, (None,)))
        ]
        assert values[0] == values[1]


def test_groups_count_their_own_authors(run_command):
    """Groups of equally many authors are shown by their models; the others are one group."""
    figures = read_figures(run_command, "report", "--by", "year", "--top", "1")
    for by, expected in (
        ("year", {None: 4, "2023": 3, "(other)": 2}),
        ("author", {None: 4, "ann": 1, "(other)": 3}),
    ):
        figures = read_figures(run_command, "report", "--by", by, "--top", "1")
        assert {figure["group"]: figure["denominator"] for figure in figures
                if figure["name"] == "shared"} == expected  # fmt: skip
    text = run_command("report", "--by", "year", "--weight", "authors")
    assert "An author counts once in each group, so the groups can add up to more." in text


def test_single_framework_divides_no_author(run_command):
    text = run_command(
        "report", "--frameworks", "pytorch", "--definition", "tag", "--weight", "authors"
    )
    assert (
        "Of the 6 authors of models in the snapshot, 5 (83.3 %) have models with known tags. Of "
        "these, 4 (80.0 % *) have models that have the tag PyTorch, 1 (20.0 % *) have none."
    ) in text
    full = run_command("report", "--frameworks", "pytorch", "--weight", "authors", "--full")
    assert "divided equally among the author's models that support PyTorch." not in full


def test_summary_names_other_ways_to_count_authors(run_command):
    """By all evidence, the models tagged gguf support a runtime that is compared with `all`."""
    text = run_command("report", "--weight", "authors")
    assert "Authors of models that support PyTorch or TensorFlow" in text
    assert "Compared with all frameworks: PyTorch only 36.7 % * of 5 authors." in text


def test_each_count_leaves_out_its_own_largest_authors(run_command):
    """Of PyTorch and TensorFlow, ann has the most models; then bob, cat, ..., by all evidence."""
    options = ("report", "--exclude-top-authors", "1")
    text = run_command(*options)
    assert "Of the 6 models in the snapshot, without the largest author, 3 (50.0 %) support" in text
    assert "Compared with all frameworks, without their largest author: PyTorch only" in text
    full = run_command(*options, "--full")
    assert "Each row leaves out the largest authors by its own count." in full


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--weight", "authors"), "So models are counted, not authors."),
        (("--weight", "downloads"), "So models are counted, not downloads."),
        (("--exclude-top-authors", "1"), "So no author is left out."),
    ],
)
def test_year_without_creation_dates_counts_models(tmp_path, options, expected):
    older = {"id": "ann/a", "tags": ["pytorch"], "createdAt": "2022-03-02T23:29:04.000Z"}
    ingest_models(tmp_path / "h.duckdb", [older])
    command = ["report", "--year", "2021", "--db", str(tmp_path / "h.duckdb")]
    plain, text = (
        " ".join(CliRunner().invoke(cli, [*command, *more]).stdout.split("Next")[0].split())
        for more in ((), options)
    )
    answer = "The Hub has no creation dates for 2021."
    assert f"{answer} Of the 1 model older than the Hub's dates, 1 (100.0 %) support" in plain
    assert text == plain.replace(answer, f"{answer} {expected}")


def test_comparison_says_that_it_counts_authors(run_command):
    options = ("report", "--year", "2024", "--compare-year", "2023", "--weight", "authors")
    assert "Authors 2023 Total 2024 (to 11 July) Total Points" in run_command(*options)
    assert "Total: authors of models that support PyTorch" in run_command(*options, "--full")


def test_page_counts_authors_not_models(run_command):
    page = run_command("report", "--weight", "authors", "--definition", "tag", "--format", "html")
    assert "PyTorch only: 58.3 % of the authors of models that support PyTorch" in page
    assert "2.3 of 4 authors of models that support PyTorch or TensorFlow" in page
