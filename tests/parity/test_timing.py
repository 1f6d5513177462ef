"""Timings: measured, stored, and used by claims."""

import io
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime

import duckdb
import pytest

from hfscan.parity import sections
from hfscan.store import Store
from hfscan.store.parity import record_run

BACKENDS = ("pytorch", "tensorflow")


@pytest.fixture(scope="module")
def trained(runner, check_with, maker, tmp_path_factory):
    """The document of a run that timed inference and training on images."""
    folder = tmp_path_factory.mktemp("trained") / "resnet"
    name = "ResNetForImageClassification"
    maker.call("make", architecture=name, into=str(folder), twin=False)
    started = datetime.now(UTC)
    results = check_with(folder, measure=True, train=True, rounds=3)
    return sections.new_document(
        results, runner.pool.describe_environment(), started, list(runner.measurements)
    )


def test_every_variant_is_timed(altered, check_with, runner):
    folder = altered("bert", "tf_model.h5")
    backends = ("tensorflow",)
    results = check_with(folder, backends=backends, measure=True, variants=True, rounds=3)
    rows = list(runner.measurements)
    text = io.StringIO()
    environment = runner.pool.describe_environment()
    document = sections.new_document(results, environment, datetime.now(UTC), rows)
    sections.write(document, "md", text)
    timed = [(row["mode"], row["variant"]) for row in rows]
    variants = ["eager", "function", "xla"]
    assert timed == [("inference", variant) for variant in variants]
    assert all(row["ratio"]["to"] == "tensorflow eager" for row in rows)
    assert all(row["latency_ms"]["n"] == 3 and row["peak_rss_mb"] > 100 for row in rows)
    for variant in variants:
        assert f"| bert | tensorflow | {variant} |" in text.getvalue()


def test_training_is_timed_in_own_processes(trained):
    rows = {row["backend"]: row for row in trained["measurements"] if row["mode"] == "training"}
    assert trained["agree"]
    assert {backend: row["variant"] for backend, row in rows.items()} == {
        "pytorch": "eager",
        "tensorflow": "function",
    }
    for row in rows.values():
        assert "fault" not in row
        assert row["own_process"]
        assert row["latency_ms"]["n"] == 3
        assert min(row["losses"][1:]) < row["losses"][0]  # it does train
    first = [row["losses"][0] for row in rows.values()]
    assert first[0] == pytest.approx(first[1], rel=1e-4)  # and on the same thing
    # its own format, so that the process needs no PyTorch to read it
    assert rows["tensorflow"]["file"] == "tf_model.h5"


def test_failing_variant_does_not_stop_others(altered, check_with, runner, monkeypatch):
    monkeypatch.setenv("CXX", shutil.which("false"))  # without a compiler torch.compile cannot
    monkeypatch.setenv("TORCHINDUCTOR_FORCE_DISABLE_CACHES", "1")
    folder = altered("bert", "model.safetensors")
    results = check_with(folder, backends=("pytorch",), measure=True, variants=True, rounds=2)
    rows = {row["variant"]: row for row in runner.measurements}
    assert [r.verdict for r in results] == ["agree"]
    assert rows["eager"]["latency_ms"]["n"] == 2
    assert "latency_ms" not in rows["compile"]
    assert rows["compile"]["fault"]


@pytest.fixture(scope="module")
def timed(trained, tmp_path_factory):
    """A database with that run."""
    db = tmp_path_factory.mktemp("timed") / "h.duckdb"
    with Store.open(db, write=True) as store:
        record_run(store, trained)
    return db


def test_timings_and_ratios_are_stored(timed, trained):
    measured = {(row["mode"], row["backend"]): row for row in trained["measurements"]}
    assert set(measured) == {(w, f) for w in ("inference", "training") for f in BACKENDS}
    with duckdb.connect(timed, read_only=True) as connection:
        stored = connection.execute(
            "SELECT mode, backend, variant, own_process, milliseconds, threads, "
            "inputs -> 'pixel_values', peak_rss_mb FROM parity_timings ORDER BY number"
        ).fetchall()
        ratios = connection.execute(
            "SELECT time_ratio, time_ratio_min, time_ratio_max, rounds, memory_ratio, cpu_ratio "
            "FROM parity_ratios WHERE mode = 'training' AND backend = 'tensorflow'"
        ).fetchall()
    assert [row[:4] for row in stored] == [
        ("inference", "pytorch", "eager", False),
        ("inference", "tensorflow", "eager", False),
        ("training", "pytorch", "eager", True),
        ("training", "tensorflow", "function", True),
    ]
    for mode, backend, _, own, milliseconds, threads, shape, memory in stored:
        assert milliseconds == measured[mode, backend]["milliseconds"]
        assert (len(milliseconds), threads, json.loads(shape)) == (3, 1, [4, 3, 64, 64])
        assert (memory is not None) == own
    ((median, least, most, rounds, memory, work),) = ratios
    assert work == pytest.approx(measured["training", "tensorflow"]["cpu_ratio"]["median"])
    ratio = measured["training", "tensorflow"]["ratio"]
    assert (median, least, most, rounds) == pytest.approx(
        (ratio["median"], ratio["min"], ratio["max"], 3)
    )
    peaks = [measured["training", backend]["peak_rss_mb"] for backend in BACKENDS]
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
        claim["name"]: claim
        | {"rows": table["rows"], "unavailable_rows": table.get("unavailable_rows", [])}
        for claim, table in zip(verdicts["rows"], tables, strict=True)
    }


def measured(claim):
    return {row["what"]: (row["ratio_min"], row["ratio_max"]) for row in claim["rows"]}


def test_speed_claims_use_stored_timings(timed):
    found = claims(timed)
    with duckdb.connect(timed, read_only=True) as connection:
        stored = {
            (mode, backend): (milliseconds, memory)
            for mode, backend, milliseconds, memory in connection.execute(
                "SELECT mode, backend, milliseconds, peak_rss_mb FROM parity_timings"
            ).fetchall()
        }
    for mode, name in (("training", "training-float32"), ("inference", "inference-float32")):
        ours, theirs = (stored[mode, backend][0] for backend in BACKENDS)
        ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
        ((label, interval),) = measured(found[name]).items()
        assert label.endswith("on a CPU")
        assert interval == pytest.approx((min(ratios), max(ratios)))
        verdict = "contradicted" if min(ratios) > 1 else "inconclusive"
        verdict = "supported" if max(ratios) <= 1 else verdict
        assert found[name]["verdict"] == verdict
        assert "more could not be made" in found[name]["detail"]  # those on a GPU, and compiled
        assert any("--device cuda" in row["reason"] for row in found[name]["unavailable_rows"])
    (interval,) = measured(found["memory-tensorflow"]).values()
    memory = stored["training", "pytorch"][1] / stored["training", "tensorflow"][1]
    assert interval == pytest.approx((memory, memory))
    verdict = "supported" if memory >= 1 else "contradicted"
    assert found["memory-tensorflow"]["verdict"] == verdict
    assert found["onnx-grows"]["verdict"] == "not_measured"  # without a snapshot


def test_claims_without_timings_name_the_command(timed, tmp_path):
    db = tmp_path / "copy.duckdb"
    shutil.copyfile(timed, db)
    with duckdb.connect(db) as connection:
        connection.execute("DELETE FROM parity_timings")
    for name in ("training-float32", "inference-float32", "memory-tensorflow"):
        claim = claims(db)[name]
        assert claim["verdict"] == "not_measured"
        assert "hfscan parity --db FILE" in claim["detail"]
