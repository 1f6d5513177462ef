"""`hfscan report --name parity`: the results that `hfscan parity --db` stored, in every format."""

import csv
import json
import re

import pytest
from click.testing import CliRunner
from parity_runs import REASON as HOSTILE
from parity_runs import make_case, make_run, make_timing, record_run

from hfscan.cli import cli
from hfscan.store import Store
from hfscan.text import sanitize


@pytest.fixture
def db(tmp_path):
    """A database of two runs: the second repeats a case of the first, which then agrees."""
    path = tmp_path / "h.duckdb"
    with Store.open(path, write=True) as store:
        record_run(
            store,
            make_run(
                "2026-01-01", make_case("ann/bert", "tensorflow", "outputs differ", error=0.5)
            ),
        )
        record_run(
            store,
            make_run(
                "2026-02-01",
                make_case("ann/bert", "pytorch"),
                make_case("ann/bert", "tensorflow", error=4e-7),
                make_case("bob/gpt", "tensorflow", "does not load"),
                make_case("bob/gpt", "tensorflow", load_method="converted"),
                make_case(HOSTILE, "pytorch", "outputs differ", error=0.25),
                make_case("eve/none", "none", "unsupported"),
                make_case("eve/alone", "tensorflow", "baseline, unchecked"),
                make_case("ann/bert", "onnx", "not applicable"),
                timings=[make_timing("pytorch", [2.0, 2.0]), make_timing("tensorflow", [3.0, 5.0])],
            ),
        )
    return path


def write_report(db, out, *formats):
    options = [word for name in formats for word in ("--format", name)]
    result = CliRunner().invoke(
        cli, ["report", "--name", "parity", "--db", str(db), *options, "--out", str(out)]
    )
    assert result.exit_code == 0, result.output


def test_newest_result_of_each_case_is_reported(db, tmp_path):
    write_report(db, tmp_path / "out", "json", "csv")
    document = json.loads((tmp_path / "out" / "parity.json").read_text("utf-8"))
    summary = document["summary"]
    assert (summary["files"], summary["agree"], summary["differ"]) == (4, 3, 1)
    assert (summary["checkpoints"], summary["backends"], summary["runs"]) == (3, 2, 1)
    assert summary["versions"] == "torch 2.13"
    tables = {table["name"]: table["rows"] for table in document["tables"]}
    backends = {
        (row["backend"], row["verdict"]): (row["files"], row["total"]) for row in tables["backends"]
    }
    assert backends == {
        ("pytorch", "agree"): (1, 2),
        ("pytorch", "outputs differ"): (1, 2),
        ("tensorflow", "agree"): (2, 2),
    }
    errors = {
        (row["checkpoint"], row["backend"], row["load_method"]): row for row in tables["cases"]
    }
    assert errors["ann/bert", "tensorflow", "direct"]["error"] == 4e-7  # on real positions, newest
    assert [row["verdict"] for row in tables["failing"]] == ["outputs differ", "does not load"]
    (speed,) = tables["speed"]
    assert (speed["time_ratio"], speed["time_ratio_min"], speed["time_ratio_max"]) == (2, 1.5, 2.5)
    with (tmp_path / "out" / "parity-csv" / "cases.csv").open(newline="") as file:
        assert {row["checkpoint"] for row in csv.DictReader(file)} >= {
            "ann/bert",
            "'" + sanitize(HOSTILE),
        }


def test_each_precision_counts(db, tmp_path):
    """Agreement in float32 does not hide a difference in another precision, or on a GPU."""
    with Store.open(db, write=True) as store:
        others = [
            make_case("ann/bert", "tensorflow", "outputs differ", error=0.5) | changes
            for changes in ({"dtype": "bfloat16"}, {"device": "cuda"})
        ]
        record_run(store, make_run("2026-03-01", *others))
    write_report(db, tmp_path / "out", "json")
    document = json.loads((tmp_path / "out" / "parity.json").read_text("utf-8"))
    summary = document["summary"]
    assert (summary["files"], summary["agree"], summary["differ"]) == (6, 3, 3)
    tables = {table["name"]: table["rows"] for table in document["tables"]}
    counts = {(row["backend"], row["verdict"]): row["files"] for row in tables["backends"]}
    assert counts["tensorflow", "outputs differ"] == 2


def test_sections_are_titled_by_their_findings(db, tmp_path):
    write_report(db, tmp_path / "out", "html")
    page = (tmp_path / "out" / "parity.html").read_text("utf-8")
    titles = re.findall(r"<h[12][^>]*>(.*?)(?: <a|</h)", page)
    assert titles[0] == "3 of 4 weight files agree by at least one load method"
    assert {
        "Fewest agree in PyTorch: 1 of 2 weight files",
        "2 cases do not agree",
        "2.00 times PyTorch&#39;s time (ann/bert, training in TensorFlow, eager)",
    } <= set(titles)
    plain = [re.sub(r"<[^>]+>", "", title) for title in titles]
    (error,) = (title for title in plain if title.startswith("Largest error: 2.5e-01 ("))
    assert error.endswith(" in PyTorch); tolerance 1.0e-05")


def test_interrupted_run_is_reported(db, tmp_path):
    """A run that was killed counts with what it stored, and the answer says that it is a part."""
    with Store.open(db, write=True) as store:
        record_run(
            store, make_run("2026-03-01", make_case("ann/bert", "tensorflow")), checkpoints=20
        )
    write_report(db, tmp_path / "out", "json", "md")
    document = json.loads((tmp_path / "out" / "parity.json").read_text("utf-8"))
    sentence = "Run 3 has not finished: the results of 1 of its 20 checkpoints are stored."
    assert document["summary"]["unfinished"] == f" {sentence}"
    assert sentence in (tmp_path / "out" / "parity.md").read_text("utf-8")
    assert document["summary"]["last_run"] == "2026-03-01"


def test_checkpoint_text_is_not_markup(db, tmp_path):
    write_report(db, tmp_path / "out", "md", "html", "terminal")
    files = {path.suffix: path.read_text("utf-8") for path in (tmp_path / "out").glob("parity.*")}
    assert "\x1b" not in "".join(files.values())
    page = re.sub(r"<script>.*?</script>", "", files[".html"], flags=re.DOTALL)
    assert "onerror" in page
    assert "<img" not in page
    assert "<img" not in files[".md"].replace("\\<", "")
    rows = [line for line in files[".md"].splitlines() if line.startswith("| bob/gpt")]
    assert len(rows) == 3


def test_missing_results_give_a_hint(tmp_path):
    db = tmp_path / "h.duckdb"
    Store.open(db, write=True).close()
    result = CliRunner().invoke(cli, ["report", "--name", "parity", "--db", str(db)])
    assert "run `hfscan parity CHECKPOINT... --db FILE` first" in str(result.exception)
