"""Verdicts on a run compared with another one."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from hfscan.parity import sections
from hfscan.parity.cases import Case
from hfscan.parity.checkpoint import open_checkpoint
from hfscan.parity.inputs import make_inputs
from hfscan.parity.model import ModelRunner
from hfscan.parity.result import Result
from hfscan.parity.verdict import Evaluator
from hfscan.parity.weights import read_tables


def compare_runs(runner, folder, case_b, inputs_b=make_inputs, dtype="float32", change=None):
    """Evaluate a second run, with its own inputs and precision, against a first direct run.

    `change` takes both runs and returns both.
    """
    checkpoint = open_checkpoint(folder)
    weights = {file.name: file for file in checkpoint.weights}
    inputs = make_inputs(checkpoint.config, checkpoint.architecture)
    files = read_tables(checkpoint.weights, runner.pool)

    def make_result(backend, dtype):
        file = {"file": case_b[0], "format": "", "sha256": ""}
        return Result(checkpoint.name, None, None, file, backend, "cpu", dtype, "direct")

    case_a = Case(weights["model.safetensors"], "pytorch", "direct")
    first = ModelRunner(runner.pool, checkpoint, inputs).run(
        case_a, make_result("pytorch", "float32")
    )
    case = Case(weights[case_b[0]], *case_b[1:])
    result = make_result(case.backend, dtype)
    other_inputs = inputs_b(checkpoint.config, checkpoint.architecture)
    second = ModelRunner(runner.pool, checkpoint, other_inputs).run(case, result)
    assert first is not None
    assert second is not None
    first, second = change(first, second) if change else (first, second)
    evaluator = Evaluator(files, inputs, (case_a, first), None, lambda: iter(()))
    evaluator.evaluate(case, second, result)
    return result


def test_generation_settings_are_not_applied(copy_checkpoint, check):
    """Not every backend and load method reads them: the greedy tokens must not depend on them."""
    folder = copy_checkpoint("gpt2", "model.safetensors", "tf_model.h5")
    settings = {
        "repetition_penalty": 3.0, "no_repeat_ngram_size": 2, "suppress_tokens": [5, 6, 7],
        "begin_suppress_tokens": [9], "forced_eos_token_id": 2, "min_length": 40, "do_sample": True,
        "eos_token_id": [7, 8],
    }  # fmt: skip
    (folder / "generation_config.json").write_text(json.dumps(settings))
    results = [result for result in check(folder) if result.generated_equal is not None]
    assert [result.verdict for result in results] == ["agree"] * 4
    for result in results:
        assert result.generation["tokens"] == 64
        expected = "without the checkpoint's begin_suppress_tokens, do_sample, "
        assert len([note for note in result.notes if expected in note]) == 1


def test_default_attention_is_checked_against_eager(
    copy_checkpoint, runner_with_version_4, runner, set_config
):
    """transformers 4.57's SDPA ignores this entry, in every load of PyTorch alike."""
    folder = copy_checkpoint("gpt2", "model.safetensors", "pytorch_model.bin")
    set_config(folder, scale_attn_by_inverse_layer_idx=True)
    results = list(runner_with_version_4.check(open_checkpoint(folder)))
    assert len(results) == 2
    for result in results:
        assert result.verdict == "outputs differ"
        assert result.first_divergent_layer == 1
        assert "its default attention, not with eager attention" in " ".join(result.notes)
    verdicts = {
        result.verdict
        for result in runner.check(open_checkpoint(folder))
        if result.backend == "pytorch"
    }
    version = runner.pool.process("pytorch").info["versions"]["transformers"]
    assert verdicts == {"agree" if version.startswith("5.") else "outputs differ"}


@pytest.mark.parametrize(
    ("architecture", "changes"),
    [
        ("MistralForCausalLM", {}),
        # only padding of the last layer attends to nothing
        ("Qwen2ForCausalLM", {"use_sliding_window": True, "max_window_layers": 1}),
    ],
)
def test_positions_that_attend_to_nothing_are_finite_in_float64(
    make_tiny_model, check_with_settings, architecture, changes
):
    """Padding and a short window hide everything from some positions."""
    folder = make_tiny_model(architecture, twin=False, sliding_window=4, **changes)
    (result,) = check_with_settings(folder, backends=("pytorch",))
    assert result.verdict == "agree", result.reason
    assert not [note for note in result.notes if "NaN" in note]


LONGROPE = {
    "rope_type": "longrope", "factor": 4.0, "original_max_position_embeddings": 64,
    "short_factor": [1.0] * 4, "long_factor": [1.0, 2.0, 4.0, 8.0],
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sliding_window": 200}, "too short for sliding_window 200"),
        ({"sliding_window": 20}, None),
        ({"sliding_window": None}, None),
    ],
)
def test_window_that_inputs_do_not_reach_is_noted(
    make_tiny_model, check_with_settings, changes, expected
):
    """Frameworks that ignore it agree on short texts only."""
    folder = make_tiny_model("MistralForCausalLM", twin=False, **changes)
    (result,) = check_with_settings(folder, backends=("pytorch",))
    assert result.verdict == "agree", result.reason
    assert [note for note in result.notes if "too short for" in note] == [
        note for note in result.notes if expected and note.endswith(expected)
    ]
    assert bool(expected) == any("too short for" in note for note in result.notes)


def test_exported_graph_of_one_length_is_noted(make_tiny_model, check_with_settings, set_config):
    """RoPE of longer texts is part of the graph, also for shorter ones."""
    folder = make_tiny_model("LlamaModel", twin=False, max_position_embeddings=256)
    set_config(folder, rope_scaling=LONGROPE)
    results = check_with_settings(folder, backends=("pytorch", "torch-export"))
    notes = {result.backend: " ".join(result.notes) for result in results}
    assert "a row alone gives other outputs" in notes["pytorch"]
    assert "a graph for other lengths, or for any, was not compared" in notes["torch-export"]


def test_module_after_pooling_is_noted(copy_checkpoint, check_with_settings):
    """An embedding is the output of all modules; hfscan applies those without own weights."""
    folder = copy_checkpoint("bert", "model.safetensors")
    places = {"Transformer": "", "Pooling": "1_Pooling", "Dense": "2_Dense"}
    modules = [{"type": f"models.{name}", "path": path} for name, path in places.items()]
    (folder / "modules.json").write_text(json.dumps(modules))
    (result,) = check_with_settings(folder, backends=("pytorch",))
    expected = "sentence embeddings not compared: Dense (2_Dense) of modules.json not applied"
    assert expected in result.notes


LOAD_AS_USERS_DO = """
import sys, numpy, torch, transformers
folder, inputs, output = sys.argv[1:]
names = ("input_ids", "attention_mask")
given = {name: torch.from_numpy(numpy.load(f"{inputs}/{name}.npy")) for name in names}
model = transformers.LlamaForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
with torch.inference_mode():
    logits = model(**given).logits
numpy.save(output, logits.float().numpy())
"""


def test_bfloat16_is_loaded_as_users_load_it(make_tiny_model, runner, tmp_path):
    """Loading keeps RoPE's frequencies in float32; casting the model afterwards rounds them."""
    folder = make_tiny_model("LlamaForCausalLM", twin=False, rope_theta=500_000.0)
    checkpoint = open_checkpoint(folder)
    inputs = make_inputs(checkpoint.config, checkpoint.architecture)
    file = {"file": "", "format": "", "sha256": ""}
    result = Result("", None, None, file, "pytorch", "cpu", "bfloat16", "direct")
    case = Case(checkpoint.weights[0], "pytorch", "direct")
    run = ModelRunner(runner.pool, checkpoint, inputs).run(case, result)
    for name, array in inputs.batch.items():
        np.save(tmp_path / f"{name}.npy", array)
    paths = (folder, tmp_path, tmp_path / "logits.npy")
    environment = os.environ | {"USE_TF": "0", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", LOAD_AS_USERS_DO, *paths], env=environment, check=True)
    difference = np.abs(run.outputs["logits"] - np.load(paths[-1]))
    real = difference[inputs.mask == 1]
    assert real.max() == 0


def test_padding_content_does_not_matter(runner, checkpoints):
    def make_other_padding(config, architecture):
        return make_inputs(config, architecture, padding_seed=7)

    case = ("tf_model.h5", "tensorflow", "direct")
    result = compare_runs(runner, checkpoints["bert"], case, make_other_padding)
    rows = {row["region"]: row for row in result.outputs}
    assert rows["padding"]["rel_l2"] > 0.1
    assert rows["real"]["rel_l2"] < 1e-5
    assert result.verdict == "agree"


def test_other_precision_is_a_difference(runner, checkpoints):
    case = ("pytorch_model.bin", "pytorch", "direct")
    result = compare_runs(runner, checkpoints["bert"], case, dtype="bfloat16")
    assert all(row["rel_l2"] < 3.2e-2 for row in result.outputs)
    assert result.verdict == "outputs differ"
    assert result.reason == "logits is bfloat16, not float32"


def test_devices_and_tf32_are_reported(runner, checkpoints):
    # results as of a GPU: whether backends return them can be tested on a GPU only
    def move_to_gpu(first, second):
        tf32_outputs = {
            name: array * np.float32(1 + 3e-4) for name, array in second.outputs.items()
        }
        return replace(first, device="cuda"), replace(second, tf32=tf32_outputs)

    case = ("tf_model.h5", "tensorflow", "direct")
    result = compare_runs(runner, checkpoints["bert"], case, change=move_to_gpu)
    assert result.verdict == "agree"
    assert "to pytorch on cuda (model.safetensors), " in result.reason
    assert result.tf32_rel_l2 == pytest.approx(3e-4, rel=1e-3)
    report = sections.new_report(sections.new_document([result], {}, datetime.now(UTC)))
    _, cases, details = report.sections
    assert cases.rows[0]["verdict"] == "agree"
    expected = "TF32 would change the outputs by relative L2 3.0e-04"
    assert details.rows[0]["details"].endswith(expected)


@pytest.mark.parametrize(("dtype", "min_error"), [("bfloat16", 1e-3), ("float16", 1e-4)])
def test_lower_precisions_have_own_tolerances(
    check_with_settings, copy_checkpoint, dtype, min_error
):
    folder = copy_checkpoint("gpt2", "model.safetensors", "pytorch_model.bin")
    results = check_with_settings(folder, dtype=dtype)
    assert {result.dtype for result in results} == {dtype}
    pytorch_results = [result for result in results if result.backend == "pytorch"]
    assert [result.verdict for result in pytorch_results] == ["agree", "agree"]
    for result in pytorch_results:
        (row,) = [
            row for row in result.outputs if row["region"] == "real" and "logits" in row["name"]
        ]
        assert row["dtype"] == dtype
        assert 1e-5 < row["tolerance"] < 0.04
        assert min_error < result.reference["backend_error"] < row["tolerance"]
    for result in (result for result in results if result.backend == "tensorflow"):
        assert result.verdict in {"not applicable", "does not load"}
    assert any(f"load {dtype} weights as float32" in result.reason for result in results)
