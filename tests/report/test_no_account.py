"""Models without an account, such as gpt2, have no common author: each is an author of its own."""

import json

import pytest
from click.testing import CliRunner
from dumps import ingest_models

from hfscan.cli import cli

RULE = "3 models in the snapshot have no account. Each counts as an author of its own."
MODELS = [
    {"id": "gpt2", "tags": ["pytorch"], "downloads": 500},
    {"id": "bert-base", "tags": ["tf"], "downloads": 300},
    {"id": "t5-small", "tags": ["tf"], "downloads": 20},
    {"id": "ann/a", "tags": ["pytorch"], "downloads": 100},
    {"id": "ann/b", "tags": ["pytorch"], "downloads": 300},
    {"id": "bob/c", "tags": ["tf"], "downloads": 60},
]
OLDER = {"id": "xlnet", "tags": ["tf"], "createdAt": "2022-03-02T23:29:04.000Z"}
"""Three models with 820 downloads have no account: together they would be the largest author."""


@pytest.fixture
def run_command(tmp_path):
    """Return a function that runs a command on the models, and returns its output in one line."""
    db = tmp_path / "h.duckdb"
    created = {"createdAt": "2023-12-31T00:00:00.000Z"}
    # one commit, as of a copied repository
    ingest_models(db, [{"sha": "0" * 40, **model, **created} for model in MODELS])

    def run(*arguments):
        result = CliRunner().invoke(cli, [*arguments, "--db", str(db)], catch_exceptions=False)
        assert result.exit_code == 0, result.stderr
        return " ".join(result.stdout.replace("\xa0", " ").split())

    return run


def count_exclusive(run_command, *options):
    """Return {framework: (numerator, denominator)} and the size of the population."""
    report = json.loads(run_command("report", "--definition", "tag", "--format", "json", *options))
    figures = [figure for figure in report["figures"] if figure["name"] == "exclusive"]
    counts = {
        figure["framework"]: (figure["numerator"], figure["denominator"]) for figure in figures
    }
    return counts, figures[0]["population_size"]


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, {"pytorch": (400, 780), "tensorflow": (380, 780)}),  # without gpt2
        (2, {"pytorch": (0, 380), "tensorflow": (380, 380)}),  # and without ann
        (3, {"pytorch": (0, 80), "tensorflow": (80, 80)}),  # and without bert-base
    ],
)
def test_largest_authors_are_excluded_one_by_one(run_command, count, expected):
    options = ("--weight", "downloads", "--exclude-top-authors", str(count))
    assert count_exclusive(run_command, *options)[0] == expected


def test_each_has_one_vote(run_command):
    expected = {"pytorch": (2, 5), "tensorflow": (3, 5)}
    assert count_exclusive(run_command, "--weight", "authors") == (expected, 5)


def test_each_is_ranked_by_itself(run_command):
    """So is a copy of another's model: all six have one commit."""
    query = ("query", "concentration", "--param", "weight=downloads", "--format", "json")
    rows = json.loads(run_command(*query))
    assert [(row["author"], row["numerator"], row["has_account"]) for row in rows] == [
        ("gpt2", 500, False), ("ann", 400, True),
    ]  # fmt: skip
    query = ("query", "top_shares", "--param", "per=author", "--format", "json")
    shares = {row["name"]: row["numerator"] for row in json.loads(run_command(*query))}
    assert shares["top 1"] == 500
    page = run_command("report", "--weight", "downloads", "--format", "html")
    assert "Model gpt2: 55.6 % * of the downloads of the models that support PyTorch only" in page
    models = run_command("report", "--format", "html")
    assert "Account ann: 66.7 % * of the models that support PyTorch only" in models


def test_account_with_the_name_of_a_model_is_another_author(tmp_path):
    db = tmp_path / "h.duckdb"
    ids = ("gpt2", "gpt2/x", "gpt2/y", "ann/a")
    ingest_models(db, [{"id": id_, "tags": ["pytorch"], "sha": "0" * 40} for id_ in ids])

    def run(*arguments):
        result = CliRunner().invoke(cli, [*arguments, "--format", "json", "--db", str(db)])
        return json.loads(result.stdout)

    rows = run("query", "concentration")
    assert [(row["author"], row["numerator"], row["has_account"]) for row in rows] == [
        ("gpt2", 2, True), ("gpt2", 1, False), ("ann", 1, True),
    ]  # fmt: skip
    figures = run("report", "--definition", "tag", "--weight", "authors")["figures"]
    assert figures[0]["population_size"] == 3


def test_output_states_the_rule(run_command):
    for options in (("--weight", "authors"), ("--exclude-top-authors", "1")):
        assert RULE in run_command("report", *options)
        assert RULE in run_command("report", *options, "--format", "md")
        created = RULE.replace("in the snapshot", "created in 2023")
        assert created in run_command("report", "--year", "2023", *options)
    assert RULE not in run_command("report")
    assert "A model without an account is ranked by itself." in run_command("report", "--full")


def test_note_counts_the_population_of_the_report(tmp_path):
    """The older model is in the snapshot, but not of 2023."""
    db = str(tmp_path / "h.duckdb")
    created = {"createdAt": "2023-12-31T00:00:00.000Z"}
    ingest_models(tmp_path / "h.duckdb", [OLDER, *({**model, **created} for model in MODELS)])

    def run(*options):
        command = ["report", "--weight", "authors", *options, "--db", db]
        result = CliRunner().invoke(cli, command, catch_exceptions=False)
        return " ".join(result.stdout.split())

    assert "4 models in the snapshot have no account." in run()
    assert "3 models created in 2023 have no account." in run("--year", "2023")


def test_table_by_author_names_the_models_without_account(run_command):
    for options in ((), ("--weight", "authors")):
        text = run_command("report", "--by", "author", *options)
        assert (
            "(no account): 3 models without an account, such as gpt2, as one group. Where authors "
            "count or the largest are left out, each is an author of its own."
        ) in text
        assert "(no account) 1 " in text
    query = ("query", "composition", "--param", "by=author", "--format", "json")
    rows = json.loads(run_command(*query))
    assert {row["group"]: row["numerator"] for row in rows}["(no account)"] == 3


def test_reports_by_downloads_say_how_many_models_they_leave_out(tmp_path, run_cli):
    db = tmp_path / "h.duckdb"
    fields = {"tags": ["pytorch"], "createdAt": "2023-12-31T00:00:00.000Z"}
    models = [{"id": f"ann/{n}", "downloads": None if n < 3 else n, **fields} for n in range(9)]
    ingest_models(db, models)
    rule = "DOWNLOADS: unknown for 3 models {}. Figures by downloads leave them out."
    for options, when in (
        (("--weight", "downloads"), "in the snapshot"),
        (("--full",), "in the snapshot"),
        (("--year", "2023", "--format", "md"), "created in 2023"),
        (("--name", "lineage", "--format", "json"), "in the snapshot"),
        (("--name", "ecosystem", "--format", "html"), "in the snapshot"),
    ):
        code, out, _ = run_cli("report", *options, "--db", db)
        assert code == 0
        assert rule.format(when) in " ".join(out.replace("\xa0", " ").split()), options
    assert "unknown for 3 models" not in run_cli("report", "--db", db)[1]
