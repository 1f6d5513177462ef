"""`hfscan trend` and `hfscan explain` over small snapshots."""

import csv
import io
import json
import re
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from hfscan.cli import cli
from hfscan.errors import NotFoundError
from hfscan.scope import Scope
from hfscan.store import NewSnapshot, Store, ingest_files

BERT = {
    "id": "ann/bert",
    "tags": ["pytorch"],
    "library_name": "transformers",
    "createdAt": "2022-08-19T20:19:12.000Z",
    "config": {"model_type": "bert", "architectures": ["BertModel"]},
    "siblings": [{"rfilename": "model.safetensors"}, {"rfilename": "a/B.TFLITE"}],
}


@pytest.fixture
def ask(tmp_path):
    """Return a function that runs a command; its `observe` imports models of a day."""
    db = tmp_path / "h.duckdb"

    def observe(day, *models):
        dump = tmp_path / "dump.json"
        dump.write_text(json.dumps(models))
        at = datetime.fromisoformat(day).replace(tzinfo=UTC)
        with Store.open(db, write=True) as store:
            ingest_files(store, [dump], NewSnapshot("import", day, Scope(), at, at, None))

    def invoke(*arguments):
        command = [*map(str, arguments), "--db", str(db)]
        return CliRunner().invoke(cli, command, catch_exceptions=False)

    def run(*arguments):
        return invoke(*arguments).stdout

    run.observe, run.invoke = observe, invoke  # type: ignore[attr-defined]
    return run


def keras(name, **rest):
    return {"id": name, "tags": ["tf"], "createdAt": "2023-01-02T00:00:00.000Z"} | rest


def test_trend_per_year_of_creation(ask):
    ask.observe("2024-01-01", BERT, keras("ann/k"), keras("ann/both", tags=["tf", "pytorch"]))
    rows = json.loads(ask("trend", "--format", "json"))
    found = {
        (row["group"], row["name"], row["framework"]): (row["numerator"], row["denominator"])
        for row in rows
    }
    assert found["2022", "exclusive", "pytorch"] == (1, 1)
    assert found["2023", "exclusive", "tensorflow"] == found["2023", "shared", None] == (1, 2)
    assert "2023" in ask("trend", "--format", "md")


def test_trend_shows_tags_beside_the_best_evidence(ask):
    untagged = keras("ann/st", tags=["safetensors"], library_name="transformers")
    ask.observe("2024-01-01", keras("ann/k"), untagged)
    rows = json.loads(ask("trend", "--format", "json"))
    found = {
        row["definition"]: (row["numerator"], row["denominator"])
        for row in rows
        if (row["name"], row["framework"]) == ("exclusive", "pytorch")
    }
    assert found == {"tag": (0, 1), "best": (1, 2)}
    table = ask("trend")
    assert table.index("2023, Hub tags") < table.index("2023, best evidence")
    assert "BREAK IN SERIES: since 2023" in ask.invoke("trend").stderr
    assert "BREAK" not in ask.invoke("trend", "--definition", "best").stderr


def test_shares_by_snapshot_are_in_order_of_time(ask):
    ask.observe("2024-02-01", BERT, keras("ann/k"))
    ask.observe("2023-02-01", BERT)  # imported later, observed earlier
    rows = json.loads(ask("trend", "--per", "snapshot", "--definition", "tag", "--format", "json"))
    pytorch = [row for row in rows if (row["name"], row["framework"]) == ("exclusive", "pytorch")]
    assert [(row["group"], row["numerator"], row["denominator"]) for row in pytorch] == [
        ("2023-02-01, snapshot 2", 1, 1),
        ("2024-02-01, snapshot 1", 1, 2),
    ]


def test_report_has_transitions_of_earlier_models(ask):
    ask.observe("2023-02-01", BERT, keras("ann/k"))
    assert "transitions" not in ask("report", "--format", "json")  # nothing is earlier
    ask.observe("2024-02-01", BERT | {"tags": ["pytorch", "tf"]}, keras("ann/new"))
    for question in (["--year", "2022"], []):
        tables = json.loads(ask("report", *question, "--definition", "tag", "--format", "json"))[
            "tables"
        ]
        (table,) = [table for table in tables if table["name"] == "transitions"]
        assert {(row["before"], row["after"], row["models"]) for row in table["rows"]} == {
            ("pytorch", "pytorch + tensorflow", 1),
            ("tensorflow", "(not in snapshot)", 1),
            ("(not in snapshot)", "tensorflow", 1),
        }
    page = ask("report", "--definition", "tag", "--format", "html")
    assert "Models in the snapshot of 1 February 2023" in re.sub(r"</?span[^>]*>", "", page)
    assert 'aria-label="group -; before' not in page
    flow = "Before TensorFlow only; After (not in snapshot); Models 1"
    assert f'aria-label="{flow}"' in page


def test_trend_of_formats(ask):
    ask.observe("2024-01-01", BERT | {"tags": ["safetensors"]}, keras("ann/k"))
    rows = list(csv.DictReader(io.StringIO(ask("trend", "--formats", "--format", "csv"))))
    shares = {(row["period"], row["framework"]): row["share"] for row in rows}
    assert shares["2022", "safetensors"] == "1.0"
    assert shares["2023", "safetensors"] == "0.0"
    by_files = ask("trend", "--formats", "--definition", "weights", "--frameworks", "tflite")
    assert "LiteRT" in by_files
    assert "Safetensors" not in by_files


def test_explain_under_each_definition(ask):
    ask.observe("2024-01-01", BERT)
    rows = json.loads(ask("explain", "ann/bert", "--format", "json"))
    evidence = {(row["definition"], row["framework"]): row for row in rows}
    assert evidence["tag", "PyTorch"]["evidence"] == "tag pytorch"
    assert evidence["weights", "LiteRT (TF Lite)"]["evidence"] == "file a/B.TFLITE"
    assert ("weights", "TensorFlow") not in evidence
    by_class = evidence["loadable", "JAX"]
    assert by_class["evidence"] == "safetensors; transformers; BertModel"
    assert "from_pretrained reads safetensors" in by_class["source"]
    text = ask("explain", "ann/bert")
    assert "ann/bert in snapshot 1 of 2024-01-01:" in text
    assert "  tag: PyTorch\n" in text


def test_explain_names_what_is_missing(ask):
    ask.observe("2024-01-01", BERT, keras("bob/k"))
    with pytest.raises(NotFoundError, match=r"has no model 'eve/BERT'. Similar names: ann/bert\."):
        ask("explain", "eve/BERT")
    assert "weights: unknown, because its file names are not known" in ask("explain", "bob/k")


def test_partial_snapshot_is_used_with_a_note(tmp_path):
    dump, db = tmp_path / "dump.json", tmp_path / "h.duckdb"
    dump.write_text(json.dumps([BERT]))
    year = Scope(since=datetime(2022, 1, 1, tzinfo=UTC), until=datetime(2023, 1, 1, tzinfo=UTC))
    day = datetime(2024, 7, 1, tzinfo=UTC)
    with Store.open(db, write=True) as store:
        ingest_files(store, [dump], NewSnapshot("import", "dump.json", year, day, day, None))
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
