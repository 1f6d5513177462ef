"""Reports on snapshots that lack files, tags or models, and on earlier snapshots."""

import json
import re
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from dumps import ingest_models
from small_models import BERT, make_keras_model

from hfscan.cli import cli
from hfscan.errors import NotFoundError
from hfscan.scope import Scope


def test_report_has_transitions_of_earlier_models(run_command):
    run_command.import_day("2023-02-01", BERT, make_keras_model("ann/k"))
    assert "transitions" not in run_command("report", "--format", "json")  # nothing is earlier
    run_command.import_day(
        "2024-02-01", BERT | {"tags": ["pytorch", "tf"]}, make_keras_model("ann/new")
    )
    for options in (["--year", "2022"], []):
        tables = json.loads(
            run_command("report", *options, "--definition", "tag", "--format", "json")
        )["tables"]
        (table,) = [table for table in tables if table["name"] == "transitions"]
        assert {(row["before"], row["after"], row["models"]) for row in table["rows"]} == {
            ("pytorch", "pytorch + tensorflow", 1),
            ("tensorflow", "(not in snapshot)", 1),
            ("(not in snapshot)", "tensorflow", 1),
        }
    page = run_command("report", "--definition", "tag", "--format", "html")
    assert "Models in the snapshot of 1 February 2023" in re.sub(r"</?span[^>]*>", "", page)
    assert "Left: the snapshot of 1 February 2023. Right: that of 1 February 2024." in page
    assert 'aria-label="group -; before' not in page
    label = "Before TensorFlow only; After (not in snapshot); Models 1"
    assert f'aria-label="{label}"' in page


def test_unknown_files_are_not_counted_as_no_support(run_command):
    """A list without file names and format tags does not say what a model supports."""
    unknown = {"id": "ann/lora", "tags": ["lora"], "library_name": "diffusers",
               "createdAt": "2023-12-31T00:00:00.000Z"}  # fmt: skip
    run_command.import_day("2024-01-01", make_keras_model("ann/k"), unknown)
    report = run_command("report", "--year", "2023", "--frameworks", "tensorflow")
    assert (
        "Of the 2 models created in 2023, 1 (50.0 %) have known evidence. Of these, "
        "1 (100.0 % *) support TensorFlow, 0 (0.0 % *) do not."
    ) in " ".join(report.split())
    assert re.search(r"files unknown +1 ", report)


def test_weights_of_an_unknown_framework_are_not_counted_as_no_support(run_command):
    """Safetensors without a library can be of any framework, but are a known format."""
    day = {"createdAt": "2023-12-31T00:00:00.000Z"}
    models = [
        {"id": "ann/unknown", "tags": ["safetensors"], **day},
        {"id": "ann/torch", "tags": ["pytorch"], **day},
        {"id": "ann/gguf", "tags": ["gguf"], **day},
    ]
    run_command.import_day("2024-01-01", *models)
    pytorch = ["--frameworks", "pytorch"]
    report = run_command("report", "--year", "2023", *pytorch)
    assert (
        "Of the 3 models created in 2023, 2 (66.7 %) have known evidence. Of these, "
        "1 (50.0 % *) support PyTorch, 1 (50.0 % *) do not."
    ) in " ".join(report.split())
    assert re.search(r"framework unknown +1 ", report)
    # what the Hub tags is known of each model
    by_tag = " ".join(run_command("report", *pytorch, "--definition", "tag").split())
    assert "1 (33.3 % *) have the tag PyTorch, 2 (66.7 % *) do not." in by_tag
    authors = " ".join(run_command("report", *pytorch, "--weight", "authors").split())
    assert "1 (100.0 % *) have models that support PyTorch, 0 (0.0 % *) have none" in authors
    for frameworks, known in (
        ("pytorch", "whose frameworks are known (Total)."),
        ("safetensors", "whose file names are known, or"),
    ):
        alone = run_command("trend", "--formats", "--frameworks", frameworks)
        assert known in " ".join(alone.split())
        assert "of formats" not in alone
    formats = [" ".join(line.split()) for line in run_command("trend", "--formats").splitlines()]
    assert {
        "PyTorch 50.0 % *", "GGUF 50.0 % *", "Total 2", "Coverage 66.7 %",
        "safetensors 33.3 % *", "Total of formats 3", "Coverage of formats 100.0 %",
    } <= {*formats}  # fmt: skip


def test_transition_from_an_unknown_framework_is_not_one_from_none(run_command):
    model = {"_id": "6" * 24, "id": "ann/m", "createdAt": "2023-01-02T00:00:00.000Z"}
    run_command.import_day("2024-01-01", model | {"tags": ["safetensors"]})
    run_command.import_day("2024-02-01", model | {"tags": ["safetensors", "pytorch"]})
    parameters = ["--param", "earlier=1", "--param", "later=2"]
    (row,) = json.loads(run_command("query", "transitions", *parameters, "--format", "json"))
    assert (row["before"], row["after"], row["models"]) == ("(unknown)", "pytorch", 1)


def test_files_answer_without_tags(run_command):
    model = {"id": "ann/m", "createdAt": "2023-01-02T00:00:00.000Z",
             "siblings": [{"rfilename": "pytorch_model.bin"}]}  # fmt: skip
    run_command.import_day("2024-01-01", model)
    report = " ".join(run_command("report", "--full", "--year", "2023").split())
    assert "1 (100.0 % *) support PyTorch only" in report
    assert "The snapshot has no tags" in report
    assert "Hub tags" not in run_command("trend")


def test_partial_snapshot_is_used_with_a_note(tmp_path):
    db = tmp_path / "h.duckdb"
    scope = Scope(since=datetime(2022, 1, 1, tzinfo=UTC), until=datetime(2023, 1, 1, tzinfo=UTC))
    ingest_models(db, [BERT], day=datetime(2024, 7, 1, tzinfo=UTC), scope=scope)
    commands = [
        ["query", "SELECT id FROM census"],
        ["explain", "ann/bert"],
        ["trend"],
        ["export", str(tmp_path / "folder")],
    ]
    for command in commands:
        result = CliRunner().invoke(cli, [*command, "--db", str(db)], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        assert "only part of the Hub's models" in result.stderr
    with pytest.raises(NotFoundError, match="No snapshot covers models of every age"):
        CliRunner().invoke(cli, ["report", "--db", str(db)], catch_exceptions=False)


def test_comparison_names_the_snapshot_of_each_coverage(run_command):
    """Half of the older snapshot's models support a framework compared, all of the newer one's."""
    run_command.import_day("2024-01-01", BERT, make_keras_model("ann/g", tags=["gguf"]))
    run_command.import_day("2024-02-01", BERT)
    text = " ".join(run_command("report", "--snapshot", "1", "--compare-snapshot", "2").split())
    assert "2024-01-01: The shares describe 50.0 % of the models in the snapshot" in text
    assert "2024-02-01: The shares describe 100.0 % of the models in the snapshot" in text
