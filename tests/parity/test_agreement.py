"""Checkpoints that agree, and differences that are found and described."""

import h5py
import numpy as np
import pytest

from hfscan.parity.result import all_agree


def index_by_case(results):
    return {
        (result.weights["file"], result.backend, result.load_method): result for result in results
    }


@pytest.mark.parametrize(
    "name",
    ["bert", "bert-sharded", "bert-tf-safetensors", "gpt2", "gpt2-sharded", "gpt2-tf-safetensors"],
)
def test_demo_agrees_in_every_direction(checkpoints, check, name):
    results = check(checkpoints[name])
    assert all_agree(results)
    assert not any("hfscan-parity" in result.reason for result in results)  # no scratch folder
    if name.endswith("-sharded"):
        direct = index_by_case(results)["tf_model.h5.index.json", "pytorch", "direct"]
        assert f"in directory {name}" in direct.reason
        files = ("model.safetensors", "pytorch_model.bin", "tf_model.h5")
        assert {result.weights["file"] for result in results} == {
            f"{file}.index.json" for file in files
        }
    for result in results:
        if result.verdict == "agree":
            errors = [row["rel_l2"] for row in result.outputs if row["region"] == "real"]
            assert max(errors) <= 1e-5
            assert result.generated_equal is (True if name.startswith("gpt2") else None)
            assert result.reference["backend_error"] < 1e-5
    if name.startswith("gpt2"):
        assert all(result.generation["distinct"] > 10 for result in results if result.generation)


def test_direct_load_failure_is_reported(checkpoints, check):
    results = index_by_case(check(checkpoints["bert"]))
    failure = results["tf_model.h5", "pytorch", "direct"]
    assert failure.verdict == "loads incompletely"
    assert failure.loading["unset"]
    assert results["model.safetensors", "tensorflow", "direct"].verdict == "does not load"
    assert results["tf_model.h5", "pytorch", "converted"].verdict == "agree"
    assert results["model.safetensors", "tensorflow", "converted"].verdict == "agree"


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_perturbed_weight_is_located(copy_checkpoint, check, rewrite_tensors, layer):
    folder = copy_checkpoint("bert", "model.safetensors", "tf_model.h5")
    name = f"bert.encoder.layer.{layer}.intermediate.dense.weight"
    rewrite_tensors(
        folder, lambda tensors: tensors.update({name: tensors[name] + np.float32(1e-3)})
    )
    result = index_by_case(check(folder))["tf_model.h5", "tensorflow", "direct"]
    assert result.verdict == "weights differ"
    assert name in result.reason
    assert result.first_divergent_layer == layer
    assert result.reference["suspect_backend"] is None  # the backend computes as it should


QUERY_WEIGHT = "bert.encoder.layer.1.attention.self.query.weight"


def transpose_query(tensors):
    tensors[QUERY_WEIGHT] = tensors[QUERY_WEIGHT].T


def swap_layers(tensors):
    for name in [name for name in tensors if ".layer.0." in name]:
        other_name = name.replace(".layer.0.", ".layer.1.")
        tensors[name], tensors[other_name] = tensors[other_name], tensors[name]


def swap_query_and_key(tensors):
    key = QUERY_WEIGHT.replace("query", "key")
    tensors[QUERY_WEIGHT], tensors[key] = tensors[key], tensors[QUERY_WEIGHT]


def round_to_half(tensors):
    for name, array in tensors.items():
        tensors[name] = array.astype(np.float16).astype(np.float32)


def flip_bit(tensors):
    tensors[QUERY_WEIGHT] = tensors[QUERY_WEIGHT].copy()
    tensors[QUERY_WEIGHT].view(np.uint32)[2, 3] ^= 1 << 5


def drop_layer(tensors):
    del tensors[QUERY_WEIGHT]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (transpose_query, "transposed"),
        (swap_layers, "layers 0 and 1 are swapped"),
        (swap_query_and_key, f"key.weight and {QUERY_WEIGHT} are swapped"),
        (round_to_half, "rounded to float16"),
        (flip_bit, "one flipped bit (bit 5 of element [2, 3])"),
    ],
)
def test_altered_weights_are_described(copy_checkpoint, check, rewrite_tensors, change, message):
    folder = copy_checkpoint("bert", "model.safetensors", "tf_model.h5")
    rewrite_tensors(folder, change)
    result = index_by_case(check(folder))["tf_model.h5", "tensorflow", "direct"]
    assert result.verdict == "weights differ"
    assert message in result.reason


def test_missing_tensor_is_named(copy_checkpoint, check, rewrite_tensors):
    folder = copy_checkpoint("bert", "model.safetensors")
    rewrite_tensors(folder, drop_layer)
    results = check(folder)
    assert {
        result.verdict
        for result in results
        if result.load_method == "direct" and result.backend == "pytorch"
    } == {"loads incompletely"}
    assert any(QUERY_WEIGHT in result.reason for result in results)
    assert not all_agree(results)


def test_missing_head_is_a_failure(copy_checkpoint, check, set_config):
    folder = copy_checkpoint("bert", "pytorch_model.bin")
    set_config(folder, architectures=["BertForSequenceClassification"])
    results = check(folder)
    assert not any(result.verdict == "agree" for result in results)
    assert all("classifier" in " ".join(result.loading["missing"]) for result in results)


@pytest.mark.parametrize("damaged_file", ["model.safetensors", "tf_model.h5", "both"])
def test_nan_on_any_side_fails(copy_checkpoint, check, rewrite_tensors, damaged_file):
    folder = copy_checkpoint("bert", "model.safetensors", "tf_model.h5")

    def insert_nan(tensors):
        tensors["bert.encoder.layer.0.output.dense.bias"][0] = np.nan

    if damaged_file != "tf_model.h5":
        rewrite_tensors(folder, insert_nan)
    if damaged_file != "model.safetensors":
        with h5py.File(folder / "tf_model.h5", "r+") as file:
            file["bert/tf_bert_for_masked_lm/bert/encoder/layer_._0/output/dense/bias:0"][0] = (
                np.nan
            )
    results = check(folder)
    assert not all_agree(results)
    files_with_nan = {
        result.weights["file"] for result in results if result.verdict == "not finite"
    }
    assert files_with_nan == (
        {"model.safetensors", "tf_model.h5"} if damaged_file == "both" else {damaged_file}
    )


def test_padding_is_shown_without_tolerance(checkpoints, check):
    result = check(checkpoints["bert"])[0]
    rows_by_region = {row["region"]: row for row in result.outputs}
    assert rows_by_region["padding"]["tolerance"] is None
    assert rows_by_region["real"]["tolerance"] == 1e-5


def test_pytorch_is_timed_in_its_own_environment(checkpoints, check_with_settings):
    results = check_with_settings(checkpoints["bert"], measure=True, rounds=1)
    (timed,) = (result for result in results if result.backend == "pytorch" and result.latency_ms)
    assert not any("run in the environment" in note for note in timed.notes)
