"""`hfscan report --name lineage`, on models counted by hand."""

import json
from datetime import UTC, datetime

import pytest
from dumps import ingest_models

from hfscan.report import FORMATS

MODELS = [
    {"id": "a/base", "tags": ["pytorch", "license:mit"], "downloads": 60},
    {"id": "a/chat", "tags": ["pytorch", "base_model:a/base", "license:mit"], "downloads": 30},
    {"id": "b/gguf", "tags": ["gguf", "base_model:quantized:a/chat"], "downloads": 10},
    {"id": "c/orphan", "tags": ["base_model:adapter:z/gone"], "downloads": 0},
]


@pytest.fixture
def run_report(run_cli, tmp_path):
    ingest_models(tmp_path / "h.duckdb", MODELS)

    def run(*options):
        code, out, err = run_cli(
            "report", "--name", "lineage", "--full", "--db", tmp_path / "h.duckdb", *options
        )
        assert code == 0, err
        return out

    return run


def test_lineage_report_counts_models_and_downloads(run_report):
    document = json.loads(run_report("--format", "json"))
    tables = {table["name"]: table["rows"] for table in document["tables"]}
    assert {(row["weight"], row["relation"]): row["numerator"] for row in tables["relations"]} == {
        ("models", "(none)"): 1, ("models", "finetune"): 1, ("models", "quantized"): 1,
        ("models", "adapter"): 1, ("downloads", "(none)"): 60, ("downloads", "finetune"): 30,
        ("downloads", "quantized"): 10, ("downloads", "adapter"): 0,
    }  # fmt: skip
    assert [(row["family"], row["numerator"], row["depth"]) for row in tables["families"]] == [
        ("a/base", 2, 2), ("z/gone", 1, 1),
    ]  # fmt: skip
    changes = [(row["before"], row["after"]) for row in tables["framework_changes"]]
    assert sorted(changes) == [("pytorch", "gguf"), ("pytorch", "pytorch")]
    assert {row["resolution"]: row["numerator"] for row in tables["parents"]} == {
        "exact": 2, "not in the snapshot": 1,
    }  # fmt: skip
    assert (
        "Quantised copies receive 10.0 % of the downloads in 30 days (10 of 100)."
        in document["findings"]
    )


def test_cross_table_of_growth_has_totals(run_cli, tmp_path):
    created = {"createdAt": "2023-05-06T07:08:09.000Z"}
    models = [model | created for model in MODELS] + [{"id": "d/untagged"} | created]
    ingest_models(tmp_path / "h.duckdb", models)
    _, out, _ = run_cli("report", "--name", "lineage", "--full", "--db", tmp_path / "h.duckdb")
    assert out.count("Totals: 2023: 3 (coverage 80.0 %).") == 2  # of 4 of 5 models


def test_lineage_report_names_what_is_not_known(run_cli, tmp_path):
    db = tmp_path / "h.duckdb"
    ingest_models(db, [{"id": "a/base"}, {"id": "b/x", "tags": ["base_model:a/base"]}])
    code, out, _ = run_cli("report", "--name", "lineage", "--full", "--db", db)
    assert "Of 1 model in the snapshot whose bases are known (50.0 % of all), 0 (0.0 %)" in out
    ingest_models(db, [{"id": "a/base", "siblings": []}], day=datetime(2024, 8, 1, tzinfo=UTC))
    code, _, errors = run_cli("report", "--name", "lineage", "--db", db)
    assert code != 0
    assert "does not record what these need: How models" in " ".join(errors.split())


@pytest.mark.parametrize("format_", FORMATS)
def test_lineage_report_has_every_format(run_report, format_):
    out = run_report("--format", format_)
    assert "z/gone" in out
    assert "Largest families" in out
