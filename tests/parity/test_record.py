"""The results of a run in the database equal those in its JSON."""

import json

import duckdb
import numpy as np
import pytest
from processes import run_parity
from safetensors.numpy import load_file, save_file


@pytest.fixture
def altered_checkpoint(copy_checkpoint):
    folder = copy_checkpoint("bert", "model.safetensors", "pytorch_model.bin")
    tensors = load_file(folder / "model.safetensors")
    name = "bert.encoder.layer.1.intermediate.dense.weight"
    tensors[name] = tensors[name] + np.float32(1e-3)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder


def test_runs_cases_and_outputs_are_stored(altered_checkpoint, tmp_path):
    db = tmp_path / "h.duckdb"
    process = run_parity(
        altered_checkpoint, "--db", db, "--backends", "pytorch", "--format", "json", "--no-measure"
    )
    assert process.returncode == 1, process.stderr
    report = json.loads(process.stdout)
    second_process = run_parity("ann/none", "--db", db, HF_HUB_OFFLINE="1")
    assert second_process.returncode == 1
    with duckdb.connect(db, read_only=True) as connection:

        def fetch(sql):
            return connection.execute(sql).fetchall()

        assert fetch("SELECT id, agree FROM parity_runs ORDER BY id") == [(1, False), (2, False)]
        assert fetch("SELECT verdict FROM parity_cases WHERE run = 2") == [("unreadable",)]
        rows = fetch(
            "SELECT file, backend, load_method, verdict, reason, first_divergent_layer, "
            "backend_error, "
            "load_seconds, unset FROM parity_cases WHERE run = 1 ORDER BY number"
        )
        assert rows == [
            (
                case["weights"]["file"], case["backend"], case["load_method"], case["verdict"],
                case["reason"],
                None if case["first_divergent_layer"] is None
                else str(case["first_divergent_layer"]),
                case["reference"]["backend_error"],
                case["load_seconds"], case["loading"]["unset"],
            )
            for case in report["cases"]
        ]  # fmt: skip
        assert any(row[5] == "1" for row in rows)
        outputs = fetch("SELECT rel_l2 FROM parity_outputs WHERE run = 1 AND region = 'real'")
        assert sorted(error for (error,) in outputs) == sorted(
            row["rel_l2"]
            for case in report["cases"]
            for row in case["outputs"]
            if row["region"] == "real"
        )
        torch = fetch("SELECT environment ->> '$.backends.pytorch.versions.torch' FROM parity_runs")
        assert torch[0] == (report["environment"]["backends"]["pytorch"]["versions"]["torch"],)
        assert fetch("SELECT count(*) FROM snapshots") == [(0,)]


def test_invalid_database_is_reported_first(altered_checkpoint, tmp_path):
    db = tmp_path / "notes.txt"
    db.write_text("text " * 5000)
    process = run_parity(altered_checkpoint, "--db", db)
    assert process.returncode == 6
    assert "not a DuckDB database" in process.stderr
    assert "Checking" not in process.stderr
    assert db.read_text() == "text " * 5000
