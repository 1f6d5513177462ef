"""What a run finds is kept in DuckDB, as the report says it."""

import json
import shutil
import subprocess
import sys

import duckdb
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from hfscan.store import Store
from hfscan.store.parity import record

LANES = ("pytorch", "tensorflow")


def parity(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "hfscan", "parity", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def altered_bert(altered):
    folder = altered("bert", "model.safetensors", "pytorch_model.bin")
    tensors = load_file(folder / "model.safetensors")
    name = "bert.encoder.layer.1.intermediate.dense.weight"
    tensors[name] = tensors[name] + np.float32(1e-3)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder


def test_runs_cases_and_outputs_are_kept_beside_the_census(altered_bert, tmp_path):
    db = tmp_path / "h.duckdb"
    done = parity(
        altered_bert, "--db", db, "--lanes", "pytorch", "--format", "json", "--no-measure"
    )
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    again = parity(tmp_path / "none", "--db", db)
    assert again.returncode == 1
    with duckdb.connect(db, read_only=True) as connection:

        def rows(sql):
            return connection.execute(sql).fetchall()

        assert rows("SELECT id, agree FROM parity_runs ORDER BY id") == [(1, False), (2, False)]
        assert rows("SELECT verdict FROM parity_cases WHERE run = 2") == [("unreadable",)]
        kept = rows(
            "SELECT file, lane, route, verdict, reason, first_divergent_layer, lane_error, "
            "load_seconds, unset FROM parity_cases WHERE run = 1 ORDER BY number"
        )
        assert kept == [
            (
                case["weights"]["file"], case["lane"], case["route"], case["verdict"],
                case["reason"],
                None if case["first_divergent_layer"] is None
                else str(case["first_divergent_layer"]),
                case["reference"]["lane_error"],
                case["load_seconds"], case["loading"]["unset"],
            )
            for case in report["cases"]
        ]  # fmt: skip
        assert any(row[5] == "1" for row in kept)
        outputs = rows("SELECT rel_l2 FROM parity_outputs WHERE run = 1 AND region = 'real'")
        assert sorted(x for (x,) in outputs) == sorted(
            row["rel_l2"]
            for case in report["cases"]
            for row in case["outputs"]
            if row["region"] == "real"
        )
        torch = rows("SELECT environment ->> '$.lanes.pytorch.versions.torch' FROM parity_runs")
        assert torch[0] == (report["environment"]["lanes"]["pytorch"]["versions"]["torch"],)
        assert rows("SELECT count(*) FROM sources") == [(0,)]


def test_a_file_that_is_no_database_is_said_to_be_before_anything_runs(altered_bert, tmp_path):
    db = tmp_path / "notes.txt"
    db.write_text("mine " * 5000)
    done = parity(altered_bert, "--db", db)
    assert done.returncode == 6
    assert "not a DuckDB database" in done.stderr
    assert "Checking" not in done.stderr
    assert db.read_text() == "mine " * 5000


@pytest.fixture(scope="module")
def timed(trained, tmp_path_factory):
    """A database of one run that timed forward calls and training steps."""
    db = tmp_path_factory.mktemp("timed") / "h.duckdb"
    with Store.open(db, write=True) as store:
        record(store.connection, trained)
    return db


def test_timings_are_kept_round_by_round_and_their_ratios_can_be_asked_for(timed, trained):
    told = {(row["what"], row["lane"]): row for row in trained["measurements"]}
    assert set(told) == {(w, f) for w in ("inference", "training") for f in LANES}
    with duckdb.connect(timed, read_only=True) as connection:
        kept = connection.execute(
            "SELECT what, lane, variant, own_process, milliseconds, threads, "
            "inputs -> 'pixel_values', peak_rss_mb FROM parity_timings ORDER BY number"
        ).fetchall()
        ratios = connection.execute(
            "SELECT time_ratio, time_ratio_min, time_ratio_max, rounds, memory_ratio, cpu_ratio "
            "FROM parity_ratios WHERE what = 'training' AND lane = 'tensorflow'"
        ).fetchall()
    assert [row[:4] for row in kept] == [
        ("inference", "pytorch", "eager", False),
        ("inference", "tensorflow", "eager", False),
        ("training", "pytorch", "eager", True),
        ("training", "tensorflow", "function", True),
    ]
    for what, lane, _, own, milliseconds, threads, shape, memory in kept:
        assert milliseconds == told[what, lane]["milliseconds"]
        assert (len(milliseconds), threads, json.loads(shape)) == (3, 1, [4, 3, 64, 64])
        assert (memory is not None) == own
    ((median, least, most, rounds, memory, work),) = ratios
    assert work == pytest.approx(told["training", "tensorflow"]["cpu_ratio"]["median"])
    of = told["training", "tensorflow"]["ratio"]
    assert (median, least, most, rounds) == pytest.approx((of["median"], of["min"], of["max"], 3))
    peaks = [told["training", lane]["peak_rss_mb"] for lane in LANES]
    assert memory == pytest.approx(peaks[1] / peaks[0])


def claims(db, *arguments):
    done = subprocess.run(
        [sys.executable, "-m", "hfscan", "claims", "--db", str(db), "--format", "json", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    verdicts, *tables = json.loads(done.stdout)["tables"]
    return {
        one["name"]: one | {"rows": table["rows"], "lacking": table.get("lacking", [])}
        for one, table in zip(verdicts["rows"], tables, strict=True)
    }


def measured(claim):
    return {one["what"]: (one["ratio_low"], one["ratio_high"]) for one in claim["rows"]}


def test_claims_about_speed_and_memory_are_weighed_by_what_was_timed(timed):
    found = claims(timed)
    with duckdb.connect(timed, read_only=True) as connection:
        kept = {
            (what, lane): (milliseconds, memory)
            for what, lane, milliseconds, memory in connection.execute(
                "SELECT what, lane, milliseconds, peak_rss_mb FROM parity_timings"
            ).fetchall()
        }
    for what, name in (("training", "training-float32"), ("inference", "inference-float32")):
        ours, theirs = (kept[what, lane][0] for lane in LANES)
        ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
        ((told, one),) = measured(found[name]).items()
        assert told.endswith("on a CPU")
        assert one == pytest.approx((min(ratios), max(ratios)))
        verdict = "supported" if max(ratios) <= 1 else "contradicted" if min(ratios) > 1 else "open"
        assert found[name]["verdict"] == verdict
        assert "more could not be made" in found[name]["why"]  # those on a GPU, and compiled
        assert any("--device cuda" in one["why"] for one in found[name]["lacking"])
    (one,) = measured(found["memory-tensorflow"]).values()
    memory = kept["training", "pytorch"][1] / kept["training", "tensorflow"][1]
    assert one == pytest.approx((memory, memory))
    verdict = "supported" if memory >= 1 else "contradicted"
    assert found["memory-tensorflow"]["verdict"] == verdict
    assert found["onnx-grows"]["verdict"] == "not measured"  # without a census


def test_without_timings_a_claim_says_how_to_get_them(timed, tmp_path):
    db = tmp_path / "copy.duckdb"
    shutil.copyfile(timed, db)
    with duckdb.connect(db) as connection:
        connection.execute("DELETE FROM parity_timings")
    for name in ("training-float32", "inference-float32", "memory-tensorflow"):
        claim = claims(db)[name]
        assert claim["verdict"] == "not measured"
        assert "hfscan parity --db FILE" in claim["why"]
