"""Loaders that lose weights of a file or make up some, which not every loader reports."""

import json
import subprocess

import h5py
import pytest
import torch
from safetensors.numpy import load_file, save_file

from hfscan.parity.checkpoint import open_checkpoint
from hfscan.parity.environments import choose_interpreter
from hfscan.parity.result import all_agree

SAVE_MIXTRAL = """
import sys, transformers
small = {"vocab_size": 96, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
experts = {"num_local_experts": 4, "num_attention_heads": 4, "num_key_value_heads": 2}
config = transformers.MixtralConfig(**small, **experts, max_position_embeddings=96, pad_token_id=0)
transformers.MixtralForCausalLM(config).save_pretrained(sys.argv[1])
"""
HEAD, EMBEDDINGS = "lm_head.weight", "transformer.wte.weight"


@pytest.fixture
def gpt2(copy_checkpoint):
    """A demo GPT-2 whose config does not say whether its head is tied."""
    return copy_checkpoint("gpt2", "model.safetensors", "tf_model.h5")


def get_verdicts(results, file="model.safetensors"):
    return {
        (result.backend, result.load_method): (result.verdict, result.reason)
        for result in results
        if result.weights["file"] == file
    }


def test_head_that_differs_from_the_embeddings_is_found(
    gpt2, check, rewrite_tensors, runner_with_version_4
):
    """Releases 4 of both frameworks compute with one matrix for both, without a word."""
    rewrite_tensors(gpt2, lambda tensors: tensors.update({HEAD: tensors[EMBEDDINGS] * 1.5}))
    results = check(gpt2)
    verdicts = get_verdicts(results)
    older = get_verdicts(runner_with_version_4.check(open_checkpoint(gpt2)))
    verdict, reason = older["pytorch", "direct"]
    assert verdict == "loads incompletely"
    assert "lm_head.weight differs from transformer.wte.weight" in reason
    verdict, reason = verdicts["tensorflow", "converted"]
    assert (verdict, reason) == ("loads incompletely", "lm_head.weight in the file but not loaded")
    assert not all_agree(results)


def test_head_equal_to_the_embeddings_is_no_fault(gpt2, check, rewrite_tensors):
    rewrite_tensors(gpt2, lambda tensors: tensors.update({HEAD: tensors[EMBEDDINGS].copy()}))
    results = check(gpt2)
    assert all_agree(results)


def test_untied_head_must_be_in_the_file(make_tiny_model, check_with_settings, rewrite_tensors):
    """Llama's classes do not tie the head: without a flag they make up a missing one."""
    folder = make_tiny_model("LlamaForCausalLM", twin=False)
    rewrite_tensors(folder, lambda tensors: tensors.pop(HEAD))
    (result,) = check_with_settings(folder, backends=("pytorch",))
    assert result.verdict == "loads incompletely"
    assert result.reason == "lm_head.weight not in the file and newly initialised"


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize(("theta", "verdict"), [(1e4, "agree"), (1e6, "loads incompletely")])
def test_frequencies_in_the_file_must_be_those_of_the_config(
    make_tiny_model, check_with_settings, rewrite_tensors, theta, verdict, dtype
):
    """Old releases saved what is computed from the config, in each layer."""
    folder = make_tiny_model("LlamaForCausalLM", twin=False)
    config = json.loads((folder / "config.json").read_text())
    size = config["hidden_size"] // config["num_attention_heads"]
    frequencies = 1 / theta ** (torch.arange(0, size, 2, dtype=torch.int64).float() / size)
    name = "model.layers.0.self_attn.rotary_emb.inv_freq"
    rewrite_tensors(
        folder, lambda tensors: tensors.update({name: frequencies.numpy().astype(dtype)})
    )
    results = check_with_settings(folder, backends=("pytorch", "torch-export"))
    assert [result.verdict for result in results] == [verdict] * 2, [r.reason for r in results]
    if verdict != "agree":
        assert results[0].reason == f"{name} in the file but not loaded"


def test_names_of_another_wrapper_are_named(gpt2, check_with_settings, rewrite_tensors):
    """Parallel training puts a name before each tensor; the loader then fills nothing."""

    def wrap(tensors):
        for name in list(tensors):
            tensors[f"_orig_mod.module.{name}"] = tensors.pop(name)

    rewrite_tensors(gpt2, wrap)
    (gpt2 / "tf_model.h5").unlink()
    (result,) = check_with_settings(gpt2, backends=("pytorch",))
    assert result.verdict == "loads incompletely"
    assert "not in the file and newly initialised; _orig_mod.module." in result.reason


def test_surplus_layers_are_found_in_every_backend(gpt2, check, set_config):
    """What a faulty native case does not use excuses no other case."""
    set_config(gpt2, n_layer=2)
    results = check(gpt2)
    for file in ("model.safetensors", "tf_model.h5"):
        for verdict, reason in get_verdicts(results, file).values():
            assert verdict in {"loads incompletely", "does not load"}, reason
    verdict, reason = get_verdicts(results)["tensorflow", "converted"]
    assert reason == "transformer.h.2.attn.c_attn.bias and 11 more in the file but not loaded"


def test_surplus_layer_of_h5_is_found(gpt2, check):
    (gpt2 / "model.safetensors").unlink()
    with h5py.File(gpt2 / "tf_model.h5", "r+") as file:
        names = []
        file.visit(names.append)
        layer = next(name for name in names if name.endswith("h_._2"))
        file.copy(layer, layer.replace("h_._2", "h_._3"))
    assert "agree" not in {result.verdict for result in check(gpt2)}


def test_tensor_that_differs_between_shards_is_found(
    checkpoints, copy_checkpoint, check_with_settings
):
    """Which of the two a loader takes depends on the order of the files."""
    source = checkpoints["gpt2-sharded"]
    files = [path.name for path in source.glob("model*.safetensors*")]
    folder = copy_checkpoint("gpt2-sharded", *files)
    first, second, *_ = sorted(folder.glob("model-*.safetensors"))
    name, array = next(iter(load_file(first).items()))
    save_file(load_file(second) | {name: array + 1}, second, {"format": "pt"})
    (result,) = check_with_settings(folder, backends=("pytorch",))
    assert result.verdict == "unreadable"
    assert result.reason == f"{name} has other values in each of two shards"


def test_baseline_without_reference_is_unchecked(gpt2, check_with_settings):
    (gpt2 / "model.safetensors").unlink()
    results = check_with_settings(gpt2, backends=("tensorflow",))
    assert [result.verdict for result in results] == ["baseline, unchecked"]
    assert "only compared with tensorflow itself" in results[0].reason
    assert not all_agree(results)


def test_tensors_that_transformers_5_joins_are_no_fault(tmp_path, check_with_settings):
    """Files of Mixtral have two tensors for each expert; the model has one for all experts."""
    interpreter = choose_interpreter("pytorch", frozenset(), {})
    if interpreter.environment is None:
        pytest.skip("needs the environment of PyTorch, which has transformers 5")
    subprocess.run([interpreter.path, "-c", SAVE_MIXTRAL, tmp_path], check=True)
    assert (
        len([name for name in load_file(tmp_path / "model.safetensors") if "experts" in name]) > 8
    )
    results = check_with_settings(tmp_path, backends=("pytorch",))
    assert {result.verdict for result in results} == {"agree"}, results[0].reason
