"""The GPU check, tried on the CPU: only the device differs."""

import json

import pytest

from hfscan.parity import gpu_check
from hfscan.parity.environments import choose_interpreter


def run_check(monkeypatch, out, *arguments):
    command = ["gpu_check", "--rounds", "1", "--out", str(out), *arguments]
    monkeypatch.setattr("sys.argv", command)
    # this Python, which runs backends in forks
    monkeypatch.setattr("sys.executable", choose_interpreter("tensorflow", frozenset(), {}).path)
    code = gpu_check.main()
    return code, json.loads(out.read_text())


def test_gpu_check_finds_agreement(monkeypatch, tmp_path):
    names = ["--models", "tiny-gpt2", "--variants", "eager,export"]
    code, document = run_check(monkeypatch, tmp_path / "gpu.json", "--device", "cpu", *names)
    assert code == 0
    assert document["not_run"] == []
    assert document["environment"]["backends"]["pytorch"]["versions"]["torch"]
    inference = [row for row in document["results"] if row["mode"] == "inference"]
    assert len(inference) == 3 * 2 + 1 + 2  # precisions and attention, TF32, export
    for row in inference:
        assert row["verdict"] == "agree", row
        assert 0 < row["rel_l2"] < row["tolerance"]
        assert row["milliseconds"]["median"] > 0
    (rounded,) = {
        row["rel_l2"] > 1e-4 for row in inference if row["dtype"] in {"bfloat16", "float16"}
    }
    assert rounded
    # eager and exported
    assert [row["tokens_equal"] for row in inference if "tokens_equal" in row] == [True, True]
    training = [row for row in document["results"] if row["mode"] == "training"]
    assert len(training) == 3
    for row in training:
        assert row["losses"][1] < row["losses"][0]


def test_gpu_check_finds_a_difference(monkeypatch, tmp_path):
    monkeypatch.setattr(gpu_check, "find_tolerance", lambda *_: 1e-9)
    names = ["--models", "tiny-vit", "--variants", "export"]
    code, document = run_check(monkeypatch, tmp_path / "gpu.json", "--device", "cpu", *names)
    assert code == 1
    assert {row["verdict"] for row in document["results"]} == {"outputs differ"}


def test_gpu_check_compares_tokens(monkeypatch, tmp_path):
    monkeypatch.setattr(gpu_check.GpuCheck, "_generate", lambda _, backend, __: [id(backend)])
    names = ["--models", "tiny-gpt2", "--variants", "export"]
    code, document = run_check(monkeypatch, tmp_path / "gpu.json", "--device", "cpu", *names)
    assert code == 1
    verdicts = {row["dtype"]: row["verdict"] for row in document["results"]}
    assert verdicts == {"float32": "tokens differ", "bfloat16": "agree"}


def test_gpu_check_lists_what_it_had_no_time_for(monkeypatch, tmp_path):
    options = ["--device", "cpu", "--models", "tiny-vit", "--seconds", "0", "--variants", "eager"]
    code, document = run_check(monkeypatch, tmp_path / "gpu.json", *options)
    assert code == 1
    assert document["results"] == []
    assert len(document["not_run"]) == 10


def test_gpu_check_needs_a_gpu(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    code, document = run_check(monkeypatch, tmp_path / "gpu.json", "--models", "tiny-vit")
    assert code == 2
    assert "pytorch: it finds no GPU" in capsys.readouterr().err
    assert document["results"] == []


@pytest.mark.parametrize("option", ["--models=nothing", "--variants=nothing"])
def test_gpu_check_refuses_unknown_names(monkeypatch, tmp_path, option):
    with pytest.raises(SystemExit) as error:
        run_check(monkeypatch, tmp_path / "gpu.json", option)
    assert error.value.code == 2
