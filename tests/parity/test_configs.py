"""Configs of other releases: what a backend does not read is translated, or withholds "agree"."""

import json
import shutil
import subprocess

import pytest

from hfscan.parity.checkpoint import open_checkpoint, with_baseline

THETA = 500_000.0


@pytest.fixture
def save_as_version_5(set_config):
    """Return a function that writes RoPE parameters into a config as transformers 5 does."""

    def save(folder, **parameters):
        path = folder / "config.json"
        config = json.loads(path.read_text())
        for key in ("rope_theta", "rope_scaling", "transformers_version"):
            config.pop(key, None)
        path.write_text(json.dumps(config))
        set_config(folder, rope_parameters=parameters, transformers_version="5.24.0")
        return folder

    return save


def index_by_case(results):
    return {
        (result.weights["file"], result.backend, result.load_method): result for result in results
    }


def test_rope_parameters_are_translated(
    make_tiny_model, save_as_version_5, runner, runner_with_version_4, tmp_path
):
    """A RoPE base that 4.57 does not read: the direct loads compute another model."""
    older = make_tiny_model("MistralForCausalLM", rope_theta=THETA)
    newer = shutil.copytree(older, tmp_path / "newer")
    save_as_version_5(newer, rope_type="default", rope_theta=THETA)
    checkpoint = with_baseline(open_checkpoint(newer), open_checkpoint(older))
    results = index_by_case(runner.check(checkpoint))
    results |= index_by_case(runner_with_version_4.check(checkpoint))
    for file, backend in (("model.safetensors", "pytorch"), ("tf_model.h5", "tensorflow")):
        direct, converted = (results[file, backend, m] for m in ("direct", "converted"))
        assert direct.verdict == "not judged"
        assert "does not read rope_parameters" in direct.reason
        assert converted.verdict == "agree", converted.reason
        assert "transformers 5.24.0 saved the config" in " ".join(converted.notes)
    save_as_version_5(newer, rope_type="default", rope_theta=THETA / 2)
    (newer / "tf_model.h5").unlink()
    checkpoint = with_baseline(open_checkpoint(newer), open_checkpoint(older))
    results = index_by_case(runner.check(checkpoint))
    assert results["model.safetensors", "pytorch", "converted"].verdict == "outputs differ"


def test_scaled_rope_is_translated(make_tiny_model, save_as_version_5, runner_with_version_4):
    folder = save_as_version_5(
        make_tiny_model("LlamaForCausalLM", twin=False),
        rope_type="linear", rope_theta=THETA, factor=4.0,
    )  # fmt: skip
    results = runner_with_version_4.check(open_checkpoint(folder))
    assert [result.verdict for result in results] == ["not judged", "agree"]


SAVE_MISTRAL = """
import sys, torch, transformers
torch.manual_seed(1)
config = transformers.MistralConfig(
    vocab_size=96, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=128, sliding_window=None, pad_token_id=0,
    rope_parameters={"rope_type": "default", "rope_theta": 500_000.0}, initializer_range=0.2,
)
transformers.MistralForCausalLM(config).save_pretrained(sys.argv[1])
"""
SAVE_GEMMA_4 = """
import sys, torch, transformers
torch.manual_seed(1)
text = transformers.Gemma4TextConfig(
    vocab_size=128, vocab_size_per_layer_input=128, hidden_size=32, intermediate_size=64,
    num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, num_kv_shared_layers=0,
    layer_types=["sliding_attention", "full_attention"], sliding_window=8,
    max_position_embeddings=64, hidden_size_per_layer_input=16, initializer_range=0.2,
)
config = transformers.Gemma4Config(text_config=text, vision_config=None, audio_config=None)
transformers.Gemma4ForConditionalGeneration(config).save_pretrained(sys.argv[1])
"""


@pytest.fixture
def save_with_version_5(runner, tmp_path):
    """Return a function that runs a script which saves a model with transformers 5."""

    def save(script):
        process = runner.pool.process("pytorch")
        process.start()
        if not process.info["versions"]["transformers"].startswith("5."):
            pytest.skip("PyTorch runs with transformers 4 here")
        command = [process.interpreter.path, "-c", script, tmp_path / "saved"]
        subprocess.run(command, check=True, capture_output=True)
        return tmp_path / "saved"

    return save


def test_weights_of_version_5_open_in_tensorflow(runner, save_with_version_5):
    """Also a RoPE base that the TensorFlow classes read under another name."""
    folder = save_with_version_5(SAVE_MISTRAL)
    config = json.loads((folder / "config.json").read_text())
    assert config["rope_parameters"]["rope_theta"] == THETA
    assert config["transformers_version"].startswith("5.")
    results = index_by_case(runner.check(open_checkpoint(folder)))
    for backend, method in (("pytorch", "direct"), ("tensorflow", "converted")):
        result = results["model.safetensors", backend, method]
        assert result.verdict == "agree", result.reason
    assert result.generated_equal


def test_composite_config_with_entries_per_layer(save_with_version_5, check_with_settings):
    """Its layers differ in `head_dim`, and its part for text names the tokens that end a text."""
    folder = save_with_version_5(SAVE_GEMMA_4)
    text = json.loads((folder / "config.json").read_text())["text_config"]
    assert text["per_layer_config"]["1"].keys() == {"head_dim"}
    for result in check_with_settings(folder, backends=("pytorch", "torch-export")):
        assert (result.verdict, result.notes) == ("agree", []), result.reason
        assert result.unread_config_keys == []
        assert result.generation["tokens"] > 0


def test_entry_that_a_config_keeps_under_another_name_is_read(make_tiny_model, check_with_settings):
    """transformers 5 takes T5's `tie_word_embeddings` as whether to scale the decoder's outputs."""
    folder = make_tiny_model("T5ForConditionalGeneration", twin=False, tie_word_embeddings=False)
    (result,) = check_with_settings(folder, backends=("pytorch",))
    assert result.verdict == "agree", result.reason
    assert result.unread_config_keys == []


@pytest.mark.parametrize(
    ("entries", "verdict"),
    [
        ({"logit_scale_of_another_release": 0.5}, "not judged"),
        ({"model_type": "gptj"}, "not judged"),
        ({"hidden_act": "relu"}, "not judged"),  # GPT-2 calls it activation_function
        ({"gradient_checkpointing": True, "_num_labels": 2, "new_entry": None}, "agree"),
        ({"num_image_tokens": 256}, "agree"),
    ],
)
def test_unknown_entries_withhold_agreement(
    copy_checkpoint, check_with_settings, set_config, entries, verdict
):
    folder = copy_checkpoint("gpt2", "model.safetensors")
    set_config(folder, **entries)
    (result,) = check_with_settings(folder, backends=("pytorch",))
    assert result.verdict == verdict
    if verdict == "not judged":
        assert next(iter(entries)) in result.reason
        assert "--backend-python pytorch=PYTHON" in result.reason
