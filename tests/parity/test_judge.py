"""One run held to another: what counts, what is only shown, and how it is told."""

import io
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from hfscan.parity import inputs, report, tables
from hfscan.parity.checkpoints import open_checkpoint
from hfscan.parity.judge import Judge
from hfscan.parity.plan import Case
from hfscan.parity.runs import Runner
from hfscan.parity.verdict import Result


def _held_to(sweep, folder, case_b, inputs_b=inputs.draw, dtype="float32", change=None):
    """Judge a second run, with inputs and precision of its own, by a first plain one.

    `change` takes both runs and returns both.
    """
    checkpoint = open_checkpoint(folder)
    weights = {one.name: one for one in checkpoint.weights}
    given = inputs.draw(checkpoint)
    files = tables.read_all(checkpoint.weights, sweep)

    def result(backend, dtype):
        file = {"file": case_b[0], "format": "", "sha256": ""}
        return Result(checkpoint.name, None, None, file, backend, "cpu", dtype, "plain")

    case_a = Case(weights["model.safetensors"], "pytorch", "plain")
    first = Runner(sweep, checkpoint, given).run(case_a, result("pytorch", "float32"))
    case = Case(weights[case_b[0]], *case_b[1:])
    judged = result(case.backend, dtype)
    second = Runner(sweep, checkpoint, inputs_b(checkpoint)).run(case, judged)
    assert first is not None
    assert second is not None
    first, second = change(first, second) if change else (first, second)
    judge = Judge(files, given, (case_a, first), None, lambda: iter(()))
    judge.judge(case, second, judged)
    return judged


def test_other_garbage_in_the_padding_is_no_difference(sweep, checkpoints):
    def other(checkpoint):
        return inputs.draw(checkpoint, padding_seed=7)

    case = ("tf_model.h5", "tensorflow", "plain")
    judged = _held_to(sweep, checkpoints["bert"], case, other)
    rows = {row["region"]: row for row in judged.outputs}
    assert rows["padding"]["rel_l2"] > 0.1
    assert rows["real"]["rel_l2"] < 1e-5
    assert judged.verdict == "agree"


def test_outputs_of_another_precision_are_a_difference(sweep, checkpoints):
    case = ("pytorch_model.bin", "pytorch", "plain")
    judged = _held_to(sweep, checkpoints["bert"], case, dtype="bfloat16")
    assert all(row["rel_l2"] < 3.2e-2 for row in judged.outputs)
    assert judged.verdict == "outputs differ"
    assert judged.reason == "logits is bfloat16, not float32"


def test_two_devices_are_told_and_tf32_is_a_line_of_its_own(sweep, checkpoints):
    # what a GPU would give is put in by hand: that backends fill it in, only a GPU can show
    def on_gpu(first, second):
        moved = {name: array * np.float32(1 + 3e-4) for name, array in second.outputs.items()}
        return replace(first, device="cuda"), replace(second, tf32=moved)

    case = ("tf_model.h5", "tensorflow", "plain")
    judged = _held_to(sweep, checkpoints["bert"], case, change=on_gpu)
    assert judged.verdict == "agree"
    assert "of the tolerance, to pytorch on cuda on model.safetensors" in judged.reason
    assert judged.tf32_rel_l2 == pytest.approx(3e-4, rel=1e-3)
    text = io.StringIO()
    report.write_terminal(report.document([judged], {}, datetime.now(UTC)), text)
    _, verdict, tf32, *_ = text.getvalue().splitlines()
    assert "agree" in verdict
    assert "TF32" not in verdict
    assert tf32.endswith("(not judged)  with TF32 its outputs move by relative L2 3.0e-04")


@pytest.mark.parametrize(("dtype", "least"), [("bfloat16", 1e-3), ("float16", 1e-4)])
def test_lower_precisions_have_tolerances_of_their_own(check_with, altered, dtype, least):
    folder = altered("gpt2", "model.safetensors", "pytorch_model.bin")
    results = check_with(folder, dtype=dtype)
    assert {r.dtype for r in results} == {dtype}
    ran = [r for r in results if r.backend == "pytorch"]
    assert [r.verdict for r in ran] == ["agree", "agree"]
    for result in ran:
        (row,) = [
            row for row in result.outputs if row["region"] == "real" and "logits" in row["name"]
        ]
        assert row["dtype"] == dtype
        assert 1e-5 < row["tolerance"] < 0.04
        assert least < result.reference["backend_error"] < row["tolerance"]
    for result in (r for r in results if r.backend == "tensorflow"):
        assert result.verdict in {"no class", "does not load"}
    assert any(f"load {dtype} weights as float32" in r.reason for r in results)
