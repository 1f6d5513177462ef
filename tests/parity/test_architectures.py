"""Heads and architectures other than BERT and GPT-2, as tiny models with random weights."""

import json

import numpy as np
import pytest

from hfscan.parity.checkpoint import open_checkpoint, with_baseline
from hfscan.parity.configs import CheckpointError
from hfscan.parity.inputs import make_inputs


@pytest.mark.parametrize(
    "architecture",
    [
        "AlbertModel",
        "BartForConditionalGeneration",
        "DistilBertForQuestionAnswering",
        "ElectraForSequenceClassification",
        "MobileBertForMaskedLM",  # TensorFlow stores its tied head separately
        "OPTForCausalLM",
        "RobertaForTokenClassification",
        "T5ForConditionalGeneration",
        "XLNetLMHeadModel",
    ],
)
def test_heads_agree_in_both_directions(make_tiny_model, check, architecture):
    results = {
        (result.weights["format"], result.backend): result
        for result in check(make_tiny_model(architecture))
    }
    if architecture == "BartForConditionalGeneration":
        # transformers' conversion silently omits buffers: here final_logits_bias
        failure = results.pop(("h5", "pytorch"))
        assert failure.verdict == "outputs differ"
        assert failure.reference["suspect_backend"] == "pytorch"
    assert len(results) >= 3
    for result in results.values():
        assert result.verdict == "agree", (result.backend, result.reason)
        assert result.architecture == architecture
        generates = architecture.endswith(("CausalLM", "Generation", "LMHeadModel"))
        assert result.generated_equal is (True if generates else None)


def test_architecture_without_class_is_no_class(make_tiny_model, check):
    folder = make_tiny_model(
        "GPTNeoForCausalLM", num_layers=2, attention_types=[[["global", "local"], 1]]
    )
    verdicts = {result.backend: (result.verdict, result.reason) for result in check(folder)}
    assert verdicts["pytorch"][0] == "agree"
    assert verdicts["tensorflow"][0] == "no class"
    assert "TFGPTNeoForCausalLM" in verdicts["tensorflow"][1]


def test_greedy_mismatch_names_the_backend(make_tiny_model, check):
    # transformers' generate() counts RoBERTa's positions from 0, its forward pass from 2
    results = {
        (result.weights["format"], result.backend): result
        for result in check(make_tiny_model("RobertaForCausalLM"))
    }
    tokens_result = results["h5", "tensorflow"]
    assert tokens_result.verdict == "tokens differ"
    assert tokens_result.generation["first_difference"] == 0
    assert tokens_result.notes == [
        "pytorch does not generate the token that its own forward pass ranks highest"
    ]


def test_dropped_batch_norm_statistics_are_found(make_tiny_model, check):
    results = {
        (result.weights["format"], result.backend): result
        for result in check(make_tiny_model("ResNetModel"))
    }
    assert results["h5", "tensorflow"].verdict == "agree"
    assert results["safetensors", "tensorflow"].verdict == "agree"
    failure = results["h5", "pytorch"]
    assert failure.verdict == "loads incompletely"
    assert "running_mean" in failure.reason


def test_ignored_activation_is_named(make_tiny_model, check):
    # transformers' TFOpenAIGPT always computes gelu, for any config
    results = {
        (result.weights["format"], result.backend): result
        for result in check(make_tiny_model("OpenAIGPTModel", afn="relu"))
    }
    outputs_result = results["h5", "tensorflow"]
    assert outputs_result.verdict == "outputs differ"
    assert outputs_result.first_divergent_layer == 0
    assert outputs_result.reference["suspect_backend"] == "tensorflow"
    (cause,) = outputs_result.notes
    assert "tensorflow computes with the activation gelu" in cause
    assert "afn 'relu'" in cause
    assert results["h5", "pytorch"].verdict == "agree"


def test_wrong_config_activation_is_named(copy_checkpoint, checkpoints, runner, set_config):
    folder = copy_checkpoint("bert", "model.safetensors")
    set_config(folder, hidden_act="relu")
    baseline = open_checkpoint(checkpoints["bert"])
    results = list(runner.check(with_baseline(open_checkpoint(folder), baseline)))
    assert results[0].verdict == "agree"
    results_of_wrong_config = [
        result
        for result in results
        if result.weights["file"] == "model.safetensors" and result.outputs
    ]
    assert {result.backend for result in results_of_wrong_config} == {"pytorch", "tensorflow"}
    for result in results_of_wrong_config:
        assert result.verdict == "outputs differ"
        assert result.first_divergent_layer == 0
        (cause,) = (note for note in result.notes if "computes with the activation relu" in note)
        assert "the configs differ in hidden_act ('relu', not 'gelu')" in cause


def test_baseline_of_other_architecture_is_refused(checkpoints):
    with pytest.raises(CheckpointError, match=r"BertForMaskedLM.*GPT2LMHeadModel"):
        with_baseline(open_checkpoint(checkpoints["bert"]), open_checkpoint(checkpoints["gpt2"]))


@pytest.mark.parametrize("pattern", ["model-*.safetensors", "pytorch_model-*.bin", "tf_model-*.h5"])
def test_missing_shard_is_named(checkpoints, check, copy_checkpoint, pattern):
    folder = checkpoints["bert-sharded"]
    shards = sorted(path.name for path in folder.glob(pattern))
    index = pattern.replace("-*", "") + ".index.json"
    results = check(copy_checkpoint("bert-sharded", index, *shards[1:]))
    assert {result.verdict for result in results} == {"unreadable"}
    assert shards[0] in results[0].reason


def test_inputs_are_deterministic(checkpoints):
    checkpoint = open_checkpoint(checkpoints["gpt2"])
    config = json.loads((checkpoints["gpt2"] / "config.json").read_text())
    first, second = (make_inputs(checkpoint.config, checkpoint.architecture) for _ in range(2))
    ids, mask = first.batch["input_ids"], first.batch["attention_mask"]
    assert np.array_equal(ids, second.batch["input_ids"])
    assert ids.max() < config["vocab_size"]
    assert mask.sum(axis=1).tolist() == sorted(mask.sum(axis=1).tolist(), reverse=True)
    assert set(mask.sum(axis=1)) != {ids.shape[1]}
