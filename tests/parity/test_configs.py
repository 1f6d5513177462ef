"""Configs of other releases: what a backend does not read is translated, or withholds "agree"."""

import json
import shutil

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


def test_rope_parameters_are_translated(make_tiny_model, save_as_version_5, runner, tmp_path):
    """A RoPE base that 4.57 does not read: the direct loads compute another model."""
    older = make_tiny_model("MistralForCausalLM", rope_theta=THETA)
    newer = shutil.copytree(older, tmp_path / "newer")
    save_as_version_5(newer, rope_type="default", rope_theta=THETA)
    baseline = open_checkpoint(older)
    results = index_by_case(runner.check(with_baseline(open_checkpoint(newer), baseline)))
    for file, backend in (("model.safetensors", "pytorch"), ("tf_model.h5", "tensorflow")):
        direct, converted = (results[file, backend, m] for m in ("direct", "converted"))
        assert direct.verdict == "not judged"
        assert "does not read rope_parameters" in direct.reason
        assert converted.verdict == "agree", converted.reason
        assert "transformers 5.24.0 saved the config" in " ".join(converted.notes)
    save_as_version_5(newer, rope_type="default", rope_theta=THETA / 2)
    (newer / "tf_model.h5").unlink()
    results = index_by_case(runner.check(with_baseline(open_checkpoint(newer), baseline)))
    assert results["model.safetensors", "pytorch", "converted"].verdict == "outputs differ"


def test_scaled_rope_is_translated(make_tiny_model, save_as_version_5, check_with_settings):
    folder = save_as_version_5(
        make_tiny_model("LlamaForCausalLM", twin=False),
        rope_type="linear", rope_theta=THETA, factor=4.0,
    )  # fmt: skip
    results = check_with_settings(folder, backends=("pytorch",))
    assert [result.verdict for result in results] == ["not judged", "agree"]


@pytest.mark.parametrize(
    ("entries", "verdict"),
    [
        ({"logit_scale_of_another_release": 0.5}, "not judged"),
        ({"model_type": "gptj"}, "not judged"),
        ({"hidden_act": "relu"}, "not judged"),  # GPT-2 calls it activation_function
        ({"gradient_checkpointing": True, "_num_labels": 2, "new_entry": None}, "agree"),
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
