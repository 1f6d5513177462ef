"""Checkpoints that agree, and differences that are found and described."""

import h5py
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from hfscan.parity.result import all_agree

PT = {"format": "pt"}


def by_case(results):
    return {(r.weights["file"], r.backend, r.load_method): r for r in results}


def rewrite(folder, change):
    """Change tensors of model.safetensors in place."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(
        {name: np.ascontiguousarray(a) for name, a in tensors.items()},
        folder / "model.safetensors",
        PT,
    )


@pytest.mark.parametrize(
    "name",
    ["bert", "bert-sharded", "bert-tf-safetensors", "gpt2", "gpt2-sharded", "gpt2-tf-safetensors"],
)
def test_demo_agrees_in_every_direction(checkpoints, check, name):
    results = check(checkpoints[name])
    assert all_agree(results)
    assert not any("hfscan-parity" in r.reason for r in results)  # no scratch folder
    if name.endswith("-sharded"):
        direct = by_case(results)["tf_model.h5.index.json", "pytorch", "direct"]
        assert f"in directory {name}" in direct.reason
        files = ("model.safetensors", "pytorch_model.bin", "tf_model.h5")
        assert {r.weights["file"] for r in results} == {f"{file}.index.json" for file in files}
    for result in results:
        if result.verdict == "agree":
            real = [row["rel_l2"] for row in result.outputs if row["region"] == "real"]
            assert max(real) <= 1e-5
            assert result.generated_equal is (True if name.startswith("gpt2") else None)
            assert result.reference["backend_error"] < 1e-5
    if name.startswith("gpt2"):
        assert all(r.generation["distinct"] > 10 for r in results if r.generation)


def test_direct_load_failure_is_reported(checkpoints, check):
    found = by_case(check(checkpoints["bert"]))
    lost = found["tf_model.h5", "pytorch", "direct"]
    assert lost.verdict == "loads incompletely"
    assert lost.loading["unset"]
    assert found["model.safetensors", "tensorflow", "direct"].verdict == "does not load"
    assert found["tf_model.h5", "pytorch", "converted"].verdict == "agree"
    assert found["model.safetensors", "tensorflow", "converted"].verdict == "agree"


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_perturbed_weight_is_located(altered, check, layer):
    folder = altered("bert", "model.safetensors", "tf_model.h5")
    name = f"bert.encoder.layer.{layer}.intermediate.dense.weight"
    rewrite(folder, lambda tensors: tensors.update({name: tensors[name] + np.float32(1e-3)}))
    found = by_case(check(folder))["tf_model.h5", "tensorflow", "direct"]
    assert found.verdict == "weights differ"
    assert name in found.reason
    assert found.first_divergent_layer == layer


QUERY_WEIGHT = "bert.encoder.layer.1.attention.self.query.weight"


def transpose(tensors):
    tensors[QUERY_WEIGHT] = tensors[QUERY_WEIGHT].T


def swap(tensors):
    for name in [n for n in tensors if ".layer.0." in n]:
        other = name.replace(".layer.0.", ".layer.1.")
        tensors[name], tensors[other] = tensors[other], tensors[name]


def to_half(tensors):
    for name, array in tensors.items():
        tensors[name] = array.astype(np.float16).astype(np.float32)


def flip_bit(tensors):
    tensors[QUERY_WEIGHT] = tensors[QUERY_WEIGHT].copy()
    tensors[QUERY_WEIGHT].view(np.uint32)[2, 3] ^= 1 << 5


def drop_layer(tensors):
    del tensors[QUERY_WEIGHT]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (transpose, "transposed"),
        (swap, "layers 0 and 1 are swapped"),
        (to_half, "rounded to float16"),
        (flip_bit, "one flipped bit (bit 5 of element [2, 3])"),
    ],
)
def test_altered_weights_are_described(altered, check, change, words):
    folder = altered("bert", "model.safetensors", "tf_model.h5")
    rewrite(folder, change)
    found = by_case(check(folder))["tf_model.h5", "tensorflow", "direct"]
    assert found.verdict == "weights differ"
    assert words in found.reason


def test_missing_tensor_is_named(altered, check):
    folder = altered("bert", "model.safetensors")
    rewrite(folder, drop_layer)
    results = check(folder)
    assert {r.verdict for r in results if r.load_method == "direct" and r.backend == "pytorch"} == {
        "loads incompletely"
    }
    assert any(QUERY_WEIGHT in r.reason for r in results)
    assert not all_agree(results)


def test_missing_head_is_a_failure(altered, check, set_config):
    folder = altered("bert", "pytorch_model.bin")
    set_config(folder, architectures=["BertForSequenceClassification"])
    results = check(folder)
    assert not any(r.verdict == "agree" for r in results)
    assert all("classifier" in " ".join(r.loading["missing"]) for r in results)


@pytest.mark.parametrize("side", ["model.safetensors", "tf_model.h5", "both"])
def test_nan_on_any_side_fails(altered, check, side):
    folder = altered("bert", "model.safetensors", "tf_model.h5")

    def poison(tensors):
        tensors["bert.encoder.layer.0.output.dense.bias"][0] = np.nan

    if side != "tf_model.h5":
        rewrite(folder, poison)
    if side != "model.safetensors":
        with h5py.File(folder / "tf_model.h5", "r+") as file:
            file["bert/tf_bert_for_masked_lm/bert/encoder/layer_._0/output/dense/bias:0"][0] = (
                np.nan
            )
    results = check(folder)
    assert not all_agree(results)
    bad = {r.weights["file"] for r in results if r.verdict == "not finite"}
    assert bad == ({"model.safetensors", "tf_model.h5"} if side == "both" else {side})


def test_padding_is_shown_without_tolerance(checkpoints, check):
    result = check(checkpoints["bert"])[0]
    regions = {row["region"]: row for row in result.outputs}
    assert regions["padding"]["tolerance"] is None
    assert regions["real"]["tolerance"] == 1e-5
