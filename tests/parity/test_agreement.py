"""What agrees is said to agree; what differs is found and named for what it is."""

import h5py
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from hfscan.parity.report import all_agree

PT = {"format": "pt"}


def by_way(results):
    return {(r.weights["file"], r.backend, r.route): r for r in results}


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
def test_demo_agrees_in_every_format_and_direction(checkpoints, check, name):
    results = check(checkpoints[name])
    assert all_agree(results)
    assert not any("hfscan-parity" in r.reason for r in results)  # its folder, which is gone
    if name.endswith("-sharded"):
        plain = by_way(results)["tf_model.h5.index.json", "pytorch", "plain"]
        assert f"in directory {name}" in plain.reason
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


def test_what_a_plain_call_meets_is_reported(checkpoints, check):
    found = by_way(check(checkpoints["bert"]))
    lost = found["tf_model.h5", "pytorch", "plain"]
    assert lost.verdict == "loads incompletely"
    assert lost.loading["unset"]
    assert found["model.safetensors", "tensorflow", "plain"].verdict == "does not load"
    assert found["tf_model.h5", "pytorch", "helper"].verdict == "agree"
    assert found["model.safetensors", "tensorflow", "helper"].verdict == "agree"


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_a_perturbed_weight_names_tensor_and_layer(altered, check, layer):
    folder = altered("bert", "model.safetensors", "tf_model.h5")
    name = f"bert.encoder.layer.{layer}.intermediate.dense.weight"
    rewrite(folder, lambda tensors: tensors.update({name: tensors[name] + np.float32(1e-3)}))
    found = by_way(check(folder))["tf_model.h5", "tensorflow", "plain"]
    assert found.verdict == "weights differ"
    assert name in found.reason
    assert found.first_divergent_layer == layer


ONE = "bert.encoder.layer.1.attention.self.query.weight"


def transpose(tensors):
    tensors[ONE] = tensors[ONE].T


def swap(tensors):
    for name in [n for n in tensors if ".layer.0." in n]:
        other = name.replace(".layer.0.", ".layer.1.")
        tensors[name], tensors[other] = tensors[other], tensors[name]


def to_half(tensors):
    for name, array in tensors.items():
        tensors[name] = array.astype(np.float16).astype(np.float32)


def flip_bit(tensors):
    tensors[ONE] = tensors[ONE].copy()
    tensors[ONE].view(np.uint32)[2, 3] ^= 1 << 5


def drop_layer(tensors):
    del tensors[ONE]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (transpose, "transposed"),
        (swap, "layers 0 and 1 are swapped"),
        (to_half, "rounded to float16"),
        (flip_bit, "one flipped bit (bit 5 of element [2, 3])"),
    ],
)
def test_altered_weights_are_named_for_what_they_are(altered, check, change, words):
    folder = altered("bert", "model.safetensors", "tf_model.h5")
    rewrite(folder, change)
    found = by_way(check(folder))["tf_model.h5", "tensorflow", "plain"]
    assert found.verdict == "weights differ"
    assert words in found.reason


def test_a_missing_tensor_fails_and_is_named(altered, check):
    folder = altered("bert", "model.safetensors")
    rewrite(folder, drop_layer)
    results = check(folder)
    assert {r.verdict for r in results if r.route == "plain" and r.backend == "pytorch"} == {
        "loads incompletely"
    }
    assert any(ONE in r.reason for r in results)
    assert not all_agree(results)


def test_a_missing_head_is_a_failure(altered, check, set_config):
    folder = altered("bert", "pytorch_model.bin")
    set_config(folder, architectures=["BertForSequenceClassification"])
    results = check(folder)
    assert not any(r.verdict == "agree" for r in results)
    assert all("classifier" in " ".join(r.loading["missing"]) for r in results)


@pytest.mark.parametrize("side", ["model.safetensors", "tf_model.h5", "both"])
def test_nan_on_one_side_or_both_always_fails(altered, check, side):
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


def test_padding_is_shown_and_not_judged(checkpoints, check):
    result = check(checkpoints["bert"])[0]
    regions = {row["region"]: row for row in result.outputs}
    assert regions["padding"]["tolerance"] is None
    assert regions["real"]["tolerance"] == 1e-5
