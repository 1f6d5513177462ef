"""Timings: measured, stored, and used by claims."""

import io
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime

import duckdb
import pytest
from parity_runs import record_run

from hfscan.parity import sections
from hfscan.store import Store

BACKENDS = ("pytorch", "tensorflow")


@pytest.fixture(scope="module")
def training_document(runner, check_with_settings, maker, tmp_path_factory):
    """The document of a run that timed inference and training on images."""
    folder = tmp_path_factory.mktemp("trained") / "resnet"
    name = "ResNetForImageClassification"
    maker.call("make", architecture=name, into=str(folder), twin=False)
    started_at = datetime.now(UTC)
    results = check_with_settings(folder, measure=True, train=True, rounds=3)
    return sections.new_document(
        results, runner.pool.describe_environment(), started_at, list(runner.measurements)
    )


def test_every_variant_is_timed(copy_checkpoint, check_with_settings, runner):
    folder = copy_checkpoint("bert", "tf_model.h5")
    backends = ("tensorflow",)
    results = check_with_settings(folder, backends=backends, measure=True, variants=True, rounds=3)
    rows = list(runner.measurements)
    text = io.StringIO()
    environment = runner.pool.describe_environment()
    document = sections.new_document(results, environment, datetime.now(UTC), rows)
    sections.write(document, "md", text)
    timed_variants = [(row["mode"], row["variant"]) for row in rows]
    variants = ["eager", "function", "xla"]
    assert timed_variants == [("inference", variant) for variant in variants]
    assert all(row["ratio"]["to"] == "tensorflow eager" for row in rows)
    assert all(row["latency_ms"]["n"] == 3 and row["peak_rss_mb"] > 100 for row in rows)
    for variant in variants:
        assert f"| bert | TensorFlow | {variant} |" in text.getvalue()


def test_training_is_timed_in_own_processes(training_document):
    rows = {
        row["backend"]: row
        for row in training_document["measurements"]
        if row["mode"] == "training"
    }
    assert training_document["agree"]
    for backend in BACKENDS:
        info = training_document["environment"]["backends"][backend]
        assert info["libraries"][0]["name"] in info["math"]  # speed depends on them
        assert info["gemm_gflops"] > 0.1
    assert {backend: row["variant"] for backend, row in rows.items()} == {
        "pytorch": "eager",
        "tensorflow": "function",
    }
    for row in rows.values():
        assert "fault" not in row
        assert row["own_process"]
        assert row["latency_ms"]["n"] == 3
        assert min(row["losses"][1:]) < row["losses"][0]  # it learns
    first_losses = [row["losses"][0] for row in rows.values()]
    assert first_losses[0] == pytest.approx(first_losses[1], rel=1e-4)  # from the same inputs
    # a file of its own format, which it reads without PyTorch
    assert rows["tensorflow"]["file"] == "tf_model.h5"


def test_failing_variant_does_not_stop_others(
    copy_checkpoint, check_with_settings, runner, monkeypatch
):
    monkeypatch.setenv("CXX", shutil.which("false"))  # torch.compile needs a compiler
    monkeypatch.setenv("TORCHINDUCTOR_FORCE_DISABLE_CACHES", "1")
    folder = copy_checkpoint("bert", "model.safetensors")
    results = check_with_settings(
        folder, backends=("pytorch",), measure=True, variants=True, rounds=2
    )
    rows = {row["variant"]: row for row in runner.measurements}
    assert [result.verdict for result in results] == ["agree"]
    assert rows["eager"]["latency_ms"]["n"] == 2
    assert "latency_ms" not in rows["compile"]
    assert rows["compile"]["fault"]
    assert rows["mkldnn"]["latency_ms"]["n"] == 2


@pytest.fixture(scope="module")
def timing_db(training_document, tmp_path_factory):
    """A database with the run of `training_document`."""
    db = tmp_path_factory.mktemp("timed") / "h.duckdb"
    with Store.open(db, write=True) as store:
        record_run(store, training_document)
    return db


def test_timings_and_ratios_are_stored(timing_db, training_document):
    rows_by_backend = {
        (row["mode"], row["backend"]): row for row in training_document["measurements"]
    }
    assert set(rows_by_backend) == {
        (mode, backend) for mode in ("inference", "training") for backend in BACKENDS
    }
    with duckdb.connect(timing_db, read_only=True) as connection:
        timings = connection.execute(
            "SELECT mode, backend, variant, own_process, milliseconds, threads, "
            "inputs -> 'pixel_values', peak_rss_mb FROM parity_timings ORDER BY number"
        ).fetchall()
        ratios = connection.execute(
            "SELECT time_ratio, time_ratio_min, time_ratio_max, rounds, memory_ratio, cpu_ratio "
            "FROM parity_ratios WHERE mode = 'training' AND backend = 'tensorflow'"
        ).fetchall()
    assert [row[:4] for row in timings] == [
        ("inference", "pytorch", "eager", False),
        ("inference", "tensorflow", "eager", False),
        ("training", "pytorch", "eager", True),
        ("training", "tensorflow", "function", True),
    ]
    for mode, backend, _, own_process, milliseconds, threads, shape, memory_mb in timings:
        assert milliseconds == rows_by_backend[mode, backend]["milliseconds"]
        assert (len(milliseconds), threads, json.loads(shape)) == (3, 1, [4, 3, 64, 64])
        assert (memory_mb is not None) == own_process
    ((time_ratio, time_ratio_min, time_ratio_max, rounds, memory_ratio, cpu_ratio),) = ratios
    assert cpu_ratio == pytest.approx(
        rows_by_backend["training", "tensorflow"]["cpu_ratio"]["median"]
    )
    ratio = rows_by_backend["training", "tensorflow"]["ratio"]
    assert (time_ratio, time_ratio_min, time_ratio_max, rounds) == pytest.approx(
        (ratio["median"], ratio["min"], ratio["max"], 3)
    )
    peak_memory = [rows_by_backend["training", backend]["peak_rss_mb"] for backend in BACKENDS]
    assert memory_ratio == pytest.approx(peak_memory[1] / peak_memory[0])


def evaluate_claims(db, *arguments):
    process = subprocess.run(
        [sys.executable, "-m", "hfscan", "claims", "--db", str(db), "--format", "json", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return {claim["name"]: claim for claim in json.loads(process.stdout)["claims"]}


@pytest.fixture(scope="module")
def copy_as_networks(timing_db, tmp_path_factory):
    """Return a function that copies the timings as those of the networks that a claim is about."""

    def copy(training_device):
        db = tmp_path_factory.mktemp("networks") / "h.duckdb"
        shutil.copyfile(timing_db, db)
        with duckdb.connect(db) as connection:
            for number, name in enumerate(("AlexNet", "VGG19", "ResNet50", "MobileNet"), 1):
                connection.execute(
                    "INSERT INTO parity_timings SELECT * REPLACE (number + 10 * $number AS number, "
                    "$name AS checkpoint, $name AS architecture, "
                    "CASE mode WHEN 'training' THEN $device ELSE device END AS device) "
                    "FROM parity_timings WHERE number < 10",
                    {"number": number, "name": name, "device": training_device},
                )
        return db

    return copy


def test_training_claim_needs_the_networks_it_names(timing_db):
    claim = evaluate_claims(timing_db, "training-float32")["training-float32"]
    assert claim["verdict"] == "not_measured"
    assert "--demo-size vision" in claim["detail"]


def test_training_on_a_cpu_does_not_decide_a_claim_about_gpus(copy_as_networks):
    claim = evaluate_claims(copy_as_networks("cpu"), "training-float32")["training-float32"]
    assert claim["verdict"] == "not_measured"
    assert "--device cuda" in claim["detail"]
    (cpu,) = [
        row
        for row in claim["alternatives"]
        if "default modes" in row["reading"] and "AlexNet" in row["reading"]
    ]
    assert cpu["reading"].endswith("on a CPU")
    assert cpu["low"] > 0


def test_speed_claims_use_stored_timings(timing_db, copy_as_networks):
    claims = evaluate_claims(copy_as_networks("cuda"))
    with duckdb.connect(timing_db, read_only=True) as connection:
        timings = {
            (mode, backend): (milliseconds, memory)
            for mode, backend, milliseconds, memory in connection.execute(
                "SELECT mode, backend, milliseconds, peak_rss_mb FROM parity_timings"
            ).fetchall()
        }
    for mode, name in (("training", "training-float32"), ("inference", "inference-float32")):
        pytorch_times, tensorflow_times = (timings[mode, backend][0] for backend in BACKENDS)
        ratios = [a / b for a, b in zip(pytorch_times, tensorflow_times, strict=True)]
        primary = claims[name]["primary"]
        assert primary["reading"].endswith("on a GPU" if mode == "training" else "on a CPU")
        _, pytorch_math, tensorflow_math = primary["machine"].split("; ")
        assert pytorch_math  # PyTorch's BLAS depends on the platform
        assert tensorflow_math.endswith("Eigen")
        # of three rounds, drawn again and again, the median reaches every round's ratio
        interval = primary["low"], primary["high"]
        assert interval == pytest.approx((min(ratios), max(ratios)), abs=1e-6)
        verdict = "contradicted" if min(ratios) > 1 else "depends"
        verdict = "supported" if max(ratios) <= 1 else verdict
        assert claims[name]["verdict"] == verdict
        reasons = [row.get("reason", "") for row in claims[name]["alternatives"]]
        assert any("--device cuda" in reason for reason in reasons)
    memory = evaluate_claims(timing_db)[
        "memory-tensorflow"
    ]  # one checkpoint says nothing about others
    assert (memory["verdict"], memory["primary"]["low"]) == ("not_measured", None)
    assert "two checkpoints or more" in memory["detail"]
    assert claims["onnx-grows"]["verdict"] == "not_measured"  # without a snapshot


def test_claims_without_timings_name_the_command(timing_db, tmp_path):
    db = tmp_path / "copy.duckdb"
    shutil.copyfile(timing_db, db)
    with duckdb.connect(db) as connection:
        connection.execute("DELETE FROM parity_timings")
    for name in ("training-float32", "inference-float32", "memory-tensorflow"):
        claim = evaluate_claims(db)[name]
        assert claim["verdict"] == "not_measured"
        assert "hfscan parity --db FILE" in claim["detail"]
