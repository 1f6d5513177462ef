"""`hfscan trend --by-snapshot`: shares in each snapshot, and where they cannot be compared."""

import csv
import io
import json

from small_models import BERT, make_keras_model


def test_shares_by_snapshot_are_in_order_of_time(run_command):
    run_command.import_day("2024-02-01", BERT, make_keras_model("ann/k"))
    run_command.import_day("2023-02-01", BERT)  # imported later, observed earlier
    arguments = ("trend", "--by-snapshot", "--definition", "tag", "--format")
    rows = json.loads(run_command(*arguments, "json"))
    found = {
        (row["measure"], row["observed_at"], row["snapshot"]): (
            row["numerator"],
            row["denominator"],
        )
        for row in rows
        if (row["class"], row["framework"])
        in (("exclusive", "pytorch"), ("available", "pytorch"), ("pytorch_only", None))
        and (row["measure"], row["class"]) != ("exclusivity", "available")
    }
    counts = {("2023-02-01", 2): (1, 1), ("2024-02-01", 1): (1, 2)}
    measures = ("exclusivity", "formats", "breakdown")
    assert found == {(name, *place): n for name in measures for place, n in counts.items()}
    assert list(found) == [(name, *place) for name in measures for place in counts]
    assert {row["coverage"] for row in rows} == {1.0}
    assert len(list(csv.reader(io.StringIO(run_command(*arguments, "csv"))))) == len(rows) + 1


def test_trend_by_snapshot_of_one_framework_shows_models_with_and_without_it(run_command):
    run_command.import_day("2024-01-01", BERT, *(make_keras_model(f"ann/k{n}") for n in range(3)))
    table = run_command("trend", "--by-snapshot", "--frameworks", "pytorch", "--format", "md")
    assert "PyTorch only" not in table
    assert "\n| PyTorch | 25.0 % \\* | 25.0 % \\* |\n| not PyTorch | 75.0 % \\* |" in table
    assert "\n| Total | 4 | 4 |\n" in table


def test_trend_by_snapshot_shows_each_model_in_one_class(run_command):
    run_command.import_day("2024-01-01", BERT, make_keras_model("ann/k"))
    table = run_command("trend", "--by-snapshot", "--format", "md")
    names = [line.split(" | ")[0].strip("| ") for line in table.splitlines() if "|" in line]
    first, *classes = names[: names.index("Total")]
    assert first == ""
    assert classes[-3:] == ["PyTorch only", "TensorFlow only", "both"]
    assert "PyTorch (alone or with TensorFlow)" not in classes


def test_trend_by_snapshot_marks_flagged_days(run_command):
    """A part of the models of 8 February is missing, and one of these names no framework."""
    many = [make_keras_model(f"ann/k{n}") for n in range(9)]
    silent = make_keras_model("ann/silent", tags=[], createdAt="2024-01-31")
    run_command.import_day("2024-02-01", BERT, silent, *many)
    run_command.import_day("2024-02-08", BERT | {"tags": ["pytorch", "onnx"]}, silent)
    result = run_command.invoke("trend", "--by-snapshot", "--format", "md")
    parts = result.stdout.removeprefix("*").split("\n\n*")
    tables = {title: table for title, _, table in (part.split("\n\n") for part in parts)}
    exclusivity, formats, breakdown = tables.values()
    assert tables["Framework exclusivity*"] == exclusivity
    assert "| 2024-02-08, snapshot 2, partial, best evidence |" in exclusivity
    assert "\n| PyTorch only | 10.0 % \\* | 10.0 % \\* | 100.0 % \\* | 100.0 % \\* |" in exclusivity
    for table in (formats, breakdown):
        assert table.startswith("|  | 2024-02-01, snapshot 1 | 2024-02-08, snapshot 2, partial |")
    assert "\n| PyTorch | 10.0 % \\* | 100.0 % \\* |" in formats
    assert "\n| TensorFlow | 90.0 % \\* | 0.0 % \\* |" in formats
    assert formats.endswith("| Total | 10 | 1 |\n| Coverage | 90.9 % | 50.0 % |")
    assert "\n| PyTorch only | 9.1 % \\* | 50.0 % \\* |" in breakdown
    assert "\n| files unknown | 9.1 % \\* | 50.0 % \\* |" in breakdown
    assert "Implausible data: 2024-02-08 (partial)." in result.stderr
    only = run_command("trend", "--by-snapshot", "--formats", "--format", "md")
    assert only.partition("\n\n|")[2].rstrip() == formats.removeprefix("|")


def test_trend_by_snapshot_leaves_out_days_without_evidence(run_command):
    """Unknown tags are not a share of 0."""
    run_command.import_day("2024-02-01", {"id": "ann/x", "createdAt": "2023-01-02T00:00:00.000Z"})
    run_command.import_day("2024-03-01", BERT)
    arguments = ("trend", "--by-snapshot", "--definition", "tag", "--format", "json")
    rows = json.loads(run_command(*arguments))
    days = {measure: {row["observed_at"] for row in rows if row["measure"] == measure}
            for measure in ("exclusivity", "formats", "breakdown")}  # fmt: skip
    both = {"2024-02-01", "2024-03-01"}
    assert days == {"exclusivity": {"2024-03-01"}, "formats": {"2024-03-01"}, "breakdown": both}


def test_trend_by_snapshot_says_where_totals_differ(run_command):
    """Of one model without tags, the first list does not say whether it has weights."""
    silent = {"id": "ann/x", "tags": []}
    tagged = {"id": "ann/t", "tags": ["pytorch"]}
    run_command.import_day("2024-02-01", tagged, silent)
    files = [{"rfilename": "README.md"}]
    run_command.import_day("2024-03-01", tagged, silent | {"siblings": files})
    text = run_command.invoke("trend", "--by-snapshot").stderr
    assert "UNEVEN TOTALS: the lists of 2024-02-01 have no file names." in text
    assert (
        "UNEVEN" not in run_command.invoke("trend", "--by-snapshot", "--definition", "tag").stderr
    )
    rows = json.loads(run_command("trend", "--by-snapshot", "--formats", "--format", "json"))
    assert {(row["observed_at"], row["denominator"]) for row in rows} == {
        ("2024-02-01", 1), ("2024-03-01", 2),
    }  # fmt: skip


def test_trend_by_snapshot_tells_zero_from_unknown(run_command):
    """The list of 1 February has no file names, and only these show MindSpore."""
    run_command.import_day("2024-02-01", {"id": "ann/t", "tags": ["pytorch"]})
    files = [{"rfilename": "model.mindir"}]
    run_command.import_day("2024-03-01", {"id": "ann/m", "tags": [], "siblings": files})
    run_command.import_day("2024-04-01", BERT)
    arguments = ("trend", "--by-snapshot", "--formats", "--format", "json", "--frameworks")
    rows = json.loads(run_command(*arguments, "jax,mindspore"))
    shares = {(row["framework"], row["observed_at"]): row["share"] for row in rows}
    assert shares == {
        ("jax", "2024-02-01"): 0.0, ("jax", "2024-03-01"): 0.0, ("jax", "2024-04-01"): 0.0,
        ("mindspore", "2024-03-01"): 1.0, ("mindspore", "2024-04-01"): 0.0,
    }  # fmt: skip
    by_tags = json.loads(run_command(*arguments, "mindspore", "--definition", "tag"))
    assert by_tags == []
