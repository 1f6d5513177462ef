"""`hfscan explain`, and the release of transformers that `loadable` assumes."""

import json

import pytest
from small_models import BERT, make_keras_model

from hfscan.errors import NotFoundError


def test_loadable_assumes_the_release_of_the_snapshot(run_command):
    run_command.import_day("2024-01-01", BERT)
    run_command.import_day("2026-02-01", BERT)

    def shares(*options):
        rows = json.loads(
            run_command("trend", "--definition", "loadable", "--format", "json", *options)
        )
        return {
            (row["transformers"], row["framework"]): row["share"]
            for row in rows
            if row["name"] == "available"
        }

    old, new = ("--snapshot", "1"), ("--snapshot", "2")
    assert shares(*old) == {(4, "pytorch"): 1.0, (4, "tensorflow"): 1.0}
    assert shares(*new) == {(5, "pytorch"): 1.0, (5, "tensorflow"): 0.0}
    assert shares(*new, "--transformers", "4") == shares(*old)
    assert shares(*old, "--transformers", "5") == shares(*new)
    by_snapshot = json.loads(
        run_command("trend", "--definition", "loadable", "--by-snapshot", "--format", "json")
    )
    shares_by_snapshot = {  # one series, one release
        row["snapshot"]: row["share"]
        for row in by_snapshot
        if (row["measure"], row["class"]) == ("exclusivity", "available")
        and row["framework"] == "tensorflow"
    }
    assert shares_by_snapshot == {1: 0.0, 2: 0.0}
    comparison = run_command(
        "report", "--snapshot", "1", "--compare-snapshot", "2", "--definition", "loadable"
    )
    assert "with transformers 5" in " ".join(comparison.split())
    assert "(+0.0 points)" in comparison or "(0.0 points)" in comparison
    query = ("query", "exclusivity", "--param", "definition=loadable", "--format", "json")
    for options, tensorflow in (((), 0), (old, 1), (("--param", "transformers=4"), 1)):
        rows = json.loads(run_command(*query, *options))
        found = {(row["name"], row["framework"]): row["numerator"] for row in rows}
        assert found["available", "tensorflow"] == tensorflow
    report = " ".join(run_command("report", "--full", "--definition", "loadable").split())
    assert "that framework can load it without conversion, with transformers 5. So" in report
    assert "Flax count that only transformers 4 opens: `hfscan query orphans` has" in report
    alone = run_command("report", "--definition", "loadable", "--frameworks", "pytorch", "--full")
    assert "only transformers 4 opens" not in " ".join(alone.split())
    assert "loadable (transformers 5)" in run_command("report", "--full")


def test_explain_assumes_a_release_of_transformers(run_command):
    run_command.import_day("2026-02-01", BERT, {"id": "ann/none", "tags": ["x"]})
    assert "loadable: PyTorch, safetensors" in run_command("explain", "ann/bert").replace(
        "LiteRT (TF Lite), ", ""
    )
    assert "TensorFlow" in run_command("explain", "ann/bert", "--transformers", "4")
    text = run_command("explain", "ann/none")
    assert "loadable: unknown, because its file names are not known" in text


def test_explain_under_each_definition(run_command):
    run_command.import_day("2024-01-01", BERT)
    rows = json.loads(run_command("explain", "ann/bert", "--format", "json"))
    evidence = {(row["definition"], row["framework"]): row for row in rows}
    assert evidence["tag", "PyTorch"]["evidence"] == "tag pytorch"
    assert evidence["weights", "LiteRT (TF Lite)"]["evidence"] == "file a/B.TFLITE"
    assert ("weights", "TensorFlow") not in evidence
    loadable_evidence = evidence["loadable", "JAX"]
    assert loadable_evidence["evidence"] == (
        "safetensors; transformers; file model.safetensors; BertModel"
    )
    assert "from_pretrained reads safetensors" in loadable_evidence["source"]
    text = run_command("explain", "ann/bert")
    assert "ann/bert in snapshot 1 of 2024-01-01:" in text
    assert "  tag: PyTorch\n" in text


def test_explain_names_what_is_missing(run_command):
    run_command.import_day("2024-01-01", BERT, make_keras_model("bob/k"))
    with pytest.raises(NotFoundError, match=r"has no model 'eve/BERT'. Similar names: ann/bert\."):
        run_command("explain", "eve/BERT")
    assert "weights: unknown, because its file names are not known" in run_command(
        "explain", "bob/k"
    )
