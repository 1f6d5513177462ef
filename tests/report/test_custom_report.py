"""Reports of the user's own, and reports on snapshots without models."""

import json
from datetime import UTC, datetime

import pytest
from dumps import A, B, ingest_models

from hfscan.scope import Scope


def write_spec(folder, query, keys=""):
    """Write the report `mine`, of one section about all models."""
    spec = folder / "reports" / "mine" / "report.toml"
    spec.parent.mkdir(parents=True)
    spec.write_text(
        'title = "Mine"\nheadline = "all"\n[[section]]\nname = "all"\ntitle = "All of them"\n'
        f'population = "existing"\nquery = "{query}"\n{keys}'
    )


@pytest.fixture
def report(run_cli, tmp_path):
    """Run `hfscan report` on a database of these models; return the result."""

    def run(models, *options):
        ingest_models(tmp_path / "h.duckdb", models)
        return run_cli("report", "--full", "--db", str(tmp_path / "h.duckdb"), *options)

    return run


def test_report_of_a_breakdown_only(report, tmp_path):
    write_spec(tmp_path, "breakdown")
    mine = ("--reports", str(tmp_path / "reports"), "--name", "mine")
    code, text, errors = report([A, B], *mine)
    assert code == 0, errors
    text = " ".join(text.split())
    assert "Of the 2 models in the snapshot: PyTorch only 1 (50.0 % *)" in text
    assert "TensorFlow only 1 2 50.0 % *" in text


def test_report_sets_its_definition_unless_one_is_requested(report, tmp_path):
    write_spec(tmp_path, "exclusivity")
    spec = tmp_path / "reports" / "mine" / "report.toml"
    spec.write_text('definition = "tag"\n' + spec.read_text())
    mine = ("--reports", str(tmp_path / "reports"), "--name", "mine")
    for options, definition in (((), "tag"), (("--definition", "best"), "best")):
        document = json.loads(report([A, B], *mine, "--format", "json", *options)[1])
        assert {figure["definition"] for figure in document["figures"]} == {definition}


def test_report_with_a_headline_without_figures(report, tmp_path):
    write_spec(tmp_path, "formats", 'parameters = { cutoff = "included" }')
    code, text, errors = report([A, B], "--reports", str(tmp_path / "reports"), "--name", "mine")
    assert code == 0, errors
    assert "All of them." in text


@pytest.mark.parametrize(
    ("models", "options", "message"),
    [
        ([], (), "Snapshot 1 has no models, so there are no groups by author."),
        ([A], ("--year", "2022"), "has no models created from 2 March to 31 December 2022, so"),
    ],
)
def test_grouping_of_no_models_is_refused(report, models, options, message):
    code, _, errors = report(models, *options, "--by", "author")
    assert code == 7
    assert message in " ".join(errors.split())


OVER_SNAPSHOTS = """
title = "Mine"

[[section]]
name = "licenses"
title = "Licenses"
population = "none"
query = "composition"
over = "snapshots"
zero_if_absent = "group"
each = { weight = ["models", "downloads"] }
split_by = "weight"
chart = "series x=observed_at y=share color=group"

[[section]]
name = "largest"
title = "Largest"
population = "none"
query = "composition"
over = "snapshots"
largest = { group = 1 }
pivot = { rows = "group", columns = "observed_at", cells = "share" }

[[section]]
name = "top"
title = "Top"
population = "requested"
query = "top_shares"

[[section.finding]]
row = { name = "none" }
text = "{numerator} of {denominator:model} ({share}) {when} have no downloads."
big = "{share}"
label = "no downloads"
small = "of {denominator:model}"

[[section.finding]]
row = { name = "top 50" }
text = "There are not so many models."

[[section]]
name = "sizes"
title = "Sizes of the models"
population = "requested"
query = "composition"
parameters = { by = "size" }
"""


def test_report_of_queries_over_snapshots(report, tmp_path):
    spec = tmp_path / "reports" / "mine" / "report.toml"
    spec.parent.mkdir(parents=True)
    spec.write_text(OVER_SNAPSHOTS)
    ingest_models(
        tmp_path / "h.duckdb", [{"id": "x", "tags": ["license:mit"], "downloads": 3}],
        day=datetime(2024, 7, 1, tzinfo=UTC),
    )  # fmt: skip
    mine = ("--reports", str(tmp_path / "reports"), "--name", "mine")
    models = [A, B, {"id": "x", "tags": ["license:mit"], "downloads": 4}]
    code, text, errors = report(models, *mine, "--format", "json")
    assert code == 0, errors
    document = json.loads(text)
    assert document["findings"] == ["1 of 3 models (33.3 %) in the snapshot have no downloads."]
    assert "not record what these need: Sizes of the models." in document["notes"][-1]
    licenses, largest, _ = document["tables"]
    assert [(row["group"], row["numerator"]) for row in largest["rows"]] == [("(none)", 2)]
    assert {(row["weight"], row["observed_at"], row["group"], row["numerator"], row["denominator"])
            for row in licenses["rows"]} == {
        ("models", "2024-07-01", "mit", 1, 1), ("models", "2024-07-11", "mit", 1, 3),
        ("models", "2024-07-01", "(none)", 0, 1), ("downloads", "2024-07-01", "(none)", 0, 3),
        ("models", "2024-07-11", "(none)", 2, 3), ("downloads", "2024-07-01", "mit", 3, 3),
        ("downloads", "2024-07-11", "mit", 4, 11), ("downloads", "2024-07-11", "(none)", 7, 11),
    }  # fmt: skip
    code, _, errors = report(models, *mine, "--out", str(tmp_path / "mine.html"))
    assert code == 0, errors
    page = (tmp_path / "mine.html").read_text("utf-8")
    assert "<b>33.3\N{NO-BREAK SPACE}%</b> <span>no downloads</span>" in page
    assert "hfscan query composition --per-snapshot --param weight=downloads" in page
    code, _, errors = report(models, *mine, "--frameworks", "jax")
    assert "The report mine does not depend on --frameworks. Omit it." in " ".join(errors.split())


def test_zeros_are_added_to_groups_of_their_own_kind(report, tmp_path):
    write_spec(
        tmp_path, "composition",
        'over = "snapshots"\nzero_if_absent = "group"\neach = { by = ["license", "task"] }',
    )  # fmt: skip
    old = {"id": "x", "tags": ["license:mit"], "pipeline_tag": "fill-mask"}
    ingest_models(tmp_path / "h.duckdb", [old], day=datetime(2024, 7, 1, tzinfo=UTC))
    mine = ("--reports", str(tmp_path / "reports"), "--name", "mine", "--format", "json")
    code, text, errors = report([old | {"tags": ["license:gpl"]}], *mine)
    assert code == 0, errors
    (table,) = json.loads(text)["tables"]
    assert [(row["by"], row["group"], row["share"]) for row in table["rows"]] == [
        ("license", "mit", 1.0), ("license", "gpl", 0.0), ("license", "gpl", 1.0),
        ("license", "mit", 0.0), ("task", "fill-mask", 1.0), ("task", "fill-mask", 1.0),
    ]  # fmt: skip


def test_report_by_groups_of_accounts(report, run_cli, tmp_path):
    table = tmp_path / "kinds.csv"
    table.write_text("organisation_type,account\nuniversity,ann\ncompany,zoe\n")
    ecosystem = ("--name", "ecosystem", "--account-groups", str(table))
    code, text, errors = report([A, B], *ecosystem, "--format", "json")
    assert code == 0, errors
    *_, section = json.loads(text)["tables"]
    assert section["title"] == "By organisation_type of the account"
    assert [(row["group"], row["numerator"], row["coverage"]) for row in section["rows"]] == [
        ("university", 1, 0.5), ("(unknown)", 1, 0.5),
        ("university", 7, 1), ("(unknown)", 0, 1),
    ]  # fmt: skip
    query = ("query", "composition", "--param", "by=account_group", "--format", "csv")
    _, text, _ = run_cli(*query, "--account-groups", table, "--db", tmp_path / "h.duckdb")
    assert [line.split(",")[:3] for line in text.splitlines()[1:]] == [
        ["university", "1", "1"], ["(unknown)", "1", "1"],
    ]  # fmt: skip
    code, _, errors = run_cli("report", "--account-groups", table, "--db", tmp_path / "h.duckdb")
    assert code == 2
    assert "does not depend on --account-groups" in " ".join(errors.split())
    table.write_text("account,kind\nAnn,company\n")
    code, _, errors = run_cli("report", *ecosystem, "--db", tmp_path / "h.duckdb")
    assert code == 2
    assert "Accounts are compared as they are spelled" in " ".join(errors.split())
    table.write_text("account,country,kind\nann,AT,company\n")
    assert "a first line with two columns" in run_cli(*query, "--account-groups", table)[2]


def test_report_on_a_part_of_the_hub_has_no_series_of_snapshots(run_cli, tmp_path):
    db = tmp_path / "h.duckdb"
    for month in (5, 6):
        ingest_models(db, [A, B], day=datetime(2024, month, 1, tzinfo=UTC))
    ingest_models(db, [A], scope=Scope(author="ann"))
    ecosystem = ("report", "--name", "ecosystem", "--format", "json", "--db", db)
    code, text, errors = run_cli(*ecosystem, "--snapshot", "3")
    assert code == 0, errors
    document = json.loads(text)
    assert not [table["name"] for table in document["tables"] if "over_time" in table["name"]]
    assert any("PARTIAL" in note for note in document["notes"])
    text = run_cli(*ecosystem, "--snapshot", "2")[1]
    assert "concentration_over_time" in [table["name"] for table in json.loads(text)["tables"]]


def test_sample_does_not_show_the_top_models(run_cli, tmp_path):
    db = tmp_path / "h.duckdb"
    models = [{"id": f"ann/{n}", "tags": [], "downloads": n} for n in range(300)]
    ingest_models(db, models, sample=0.1, sample_design="drawn by lot", sample_strata=[])
    code, text, errors = run_cli("report", "--name", "ecosystem", "--format", "json", "--db", db)
    assert code == 0, errors
    document = json.loads(text)
    assert "concentration" not in [table["name"] for table in document["tables"]]
    assert not [finding for finding in document["findings"] if "most downloaded" in finding]
    assert any("These need every model" in note for note in document["notes"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--by", "task"), "The report ecosystem cannot be grouped by task."),
        (("--weight", "downloads"), "does not depend on --weight. Omit it."),
        (("--year", "2023", "--compare-year", "2022"), "has no figures to compare."),
    ],
)
def test_options_of_frameworks_are_refused(report, options, message):
    later = A | {"id": "ann/later", "createdAt": "2022-08-02T03:04:05.000Z"}
    code, _, errors = report([A, B, later], "--name", "ecosystem", *options)
    assert code == 2
    assert message in " ".join(errors.split())
