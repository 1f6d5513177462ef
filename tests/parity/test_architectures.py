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
        "OPTForCausalLM",
        "RobertaForTokenClassification",
        "T5ForConditionalGeneration",
        "XLNetLMHeadModel",
    ],
)
def test_heads_agree_in_both_directions(tiny, check, architecture):
    found = {(r.weights["format"], r.backend): r for r in check(tiny(architecture))}
    if architecture == "BartForConditionalGeneration":
        # transformers' conversion silently omits buffers: here final_logits_bias
        lost = found.pop(("h5", "pytorch"))
        assert lost.verdict == "outputs differ"
        assert lost.reference["suspect_backend"] == "pytorch"
    assert len(found) >= 3
    for result in found.values():
        assert result.verdict == "agree", (result.backend, result.reason)
        assert result.architecture == architecture
        generates = architecture.endswith(("LM", "Generation", "LMHeadModel"))
        assert result.generated_equal is (True if generates else None)


def test_architecture_without_class_is_no_class(tiny, check):
    folder = tiny("GPTNeoForCausalLM", num_layers=2, attention_types=[[["global", "local"], 1]])
    verdicts = {r.backend: (r.verdict, r.reason) for r in check(folder)}
    assert verdicts["pytorch"][0] == "agree"
    assert verdicts["tensorflow"][0] == "no class"
    assert "TFGPTNeoForCausalLM" in verdicts["tensorflow"][1]


def test_greedy_mismatch_names_the_backend(tiny, check):
    # transformers' generate() counts RoBERTa's positions from 0, its forward pass from 2
    found = {(r.weights["format"], r.backend): r for r in check(tiny("RobertaForCausalLM"))}
    parted = found["h5", "tensorflow"]
    assert parted.verdict == "tokens differ"
    assert parted.generation["first_difference"] == 0
    assert parted.notes == [
        "pytorch does not generate the token that its own forward pass ranks highest"
    ]


def test_dropped_batch_norm_statistics_are_found(tiny, check):
    found = {(r.weights["format"], r.backend): r for r in check(tiny("ResNetModel"))}
    assert found["h5", "tensorflow"].verdict == "agree"
    assert found["safetensors", "tensorflow"].verdict == "agree"
    lost = found["h5", "pytorch"]
    assert lost.verdict == "loads incompletely"
    assert "running_mean" in lost.reason


def test_ignored_activation_is_named(tiny, check):
    # transformers' TFOpenAIGPT computes gelu whatever the config says
    found = {(r.weights["format"], r.backend): r for r in check(tiny("OpenAIGPTModel", afn="relu"))}
    off = found["h5", "tensorflow"]
    assert off.verdict == "outputs differ"
    assert off.first_divergent_layer == 0
    assert off.reference["suspect_backend"] == "tensorflow"
    (cause,) = off.notes
    assert "tensorflow computes with the activation gelu" in cause
    assert "afn 'relu'" in cause
    assert found["h5", "pytorch"].verdict == "agree"


def test_wrong_config_activation_is_named(altered, checkpoints, runner, set_config):
    folder = altered("bert", "model.safetensors")
    set_config(folder, hidden_act="relu")
    right = open_checkpoint(checkpoints["bert"])
    results = list(runner.check(with_baseline(open_checkpoint(folder), right)))
    assert results[0].verdict == "agree"
    wrong = [r for r in results if r.weights["file"] == "model.safetensors" and r.outputs]
    assert {r.backend for r in wrong} == {"pytorch", "tensorflow"}
    for result in wrong:
        assert result.verdict == "outputs differ"
        assert result.first_divergent_layer == 0
        (cause,) = result.notes
        assert "computes with the activation relu" in cause
        assert "the configs differ in hidden_act ('relu', not 'gelu')" in cause


def test_baseline_of_other_architecture_is_refused(checkpoints):
    with pytest.raises(CheckpointError, match=r"BertForMaskedLM.*GPT2LMHeadModel"):
        with_baseline(open_checkpoint(checkpoints["bert"]), open_checkpoint(checkpoints["gpt2"]))


@pytest.mark.parametrize("kind", ["model-*.safetensors", "pytorch_model-*.bin", "tf_model-*.h5"])
def test_missing_shard_is_named(checkpoints, check, altered, kind):
    here = checkpoints["bert-sharded"]
    shards = sorted(path.name for path in here.glob(kind))
    index = kind.replace("-*", "") + ".index.json"
    results = check(altered("bert-sharded", index, *shards[1:]))
    assert {r.verdict for r in results} == {"unreadable"}
    assert shards[0] in results[0].reason


def test_inputs_are_deterministic(checkpoints):
    checkpoint = open_checkpoint(checkpoints["gpt2"])
    config = json.loads((checkpoints["gpt2"] / "config.json").read_text())
    first, second = make_inputs(checkpoint), make_inputs(checkpoint)
    ids, mask = first.batch["input_ids"], first.batch["attention_mask"]
    assert np.array_equal(ids, second.batch["input_ids"])
    assert ids.max() < config["vocab_size"]
    assert mask.sum(axis=1).tolist() == sorted(mask.sum(axis=1).tolist(), reverse=True)
    assert set(mask.sum(axis=1)) != {ids.shape[1]}
