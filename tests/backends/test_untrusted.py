"""A backend gets an untrusted checkpoint without code, kernels or other files."""

import json
import os

import pytest

from hfscan.parity.backends._tensors import total_memory_bytes
from hfscan.parity.checkpoint import open_checkpoint
from hfscan.parity.configs import CheckpointError, RefusedCheckpointError
from hfscan.parity.result import all_agree


@pytest.fixture
def set_config(folder):
    def write_config(**entries):
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | entries))

    return write_config


@pytest.fixture
def stage_checkpoint(folder, tmp_path):
    """Return the config and the other files in the folder that a backend gets."""

    def stage_folder():
        target = tmp_path / "staged"
        target.mkdir()
        open_checkpoint(folder).weights[0].stage(target)
        files = {path.name for path in target.iterdir()} - {"config.json"}
        return json.loads((target / "config.json").read_text()), files

    return stage_folder


REMOVED_ENTRIES = {
    "auto_map": {"AutoModel": "modeling_own.Model"},
    "custom_pipelines": {"own": {"impl": "own.Pipeline"}},
    "_attn_implementation": "kernels-community/flash-attn",
    "attn_implementation": "kernels-community/flash-attn",
    "_attn_implementation_internal": "own/kernels",
    "_name_or_path": "/home/someone/private",
    "base_model_name_or_path": "someone/else",
    "tokenizer_name_or_path": "someone/else",
    "torchscript": True,
    "use_pretrained_backbone": True,
    "trust_remote_code": True,
    "tokenizer_file": "/etc/passwd",
    "index_path": "/etc/passwd",
    "passages_path": "../../secret",
    "adapter_path": "somewhere",
    "image_tower": "https://example.org/model",
    "home": "~/secret",
    "drive": "C:\\secret",
}


@pytest.mark.parametrize("key", REMOVED_ENTRIES)
@pytest.mark.parametrize("is_nested", [False, True])
def test_config_code_and_paths_are_removed(set_config, stage_checkpoint, key, is_nested):
    entries = {key: REMOVED_ENTRIES[key]}
    set_config(**({"text_config": {"layers": [entries]}} if is_nested else entries))
    config, _ = stage_checkpoint()
    assert key not in json.dumps(config)
    assert config["vocab_size"] == 50


def test_removed_entries_are_noted(set_config, check, fake_backend):
    set_config(
        auto_map={"AutoModel": "own.Model"}, text_config={"attn_implementation": "own/kernels"}
    )
    result = check(fake_backend())
    assert "removed from its config: auto_map, text_config.attn_implementation" in result.notes


def test_common_entries_are_removed_silently(set_config, check, fake_backend):
    set_config(_name_or_path="bert-base-uncased", _attn_implementation="sdpa", torchscript=False)
    assert check(fake_backend()).notes == []


def test_labels_are_not_removed(set_config, stage_checkpoint):
    labels = {"0": "/m/09x0r", "1": "..", "2": "https://example.org", "auto_map": "x"}
    set_config(id2label=labels, label2id={name: key for key, name in labels.items()})
    config, _ = stage_checkpoint()
    assert config["id2label"] == labels


def test_generation_config_is_cleaned(folder, stage_checkpoint, tmp_path):
    path = folder / "generation_config.json"
    path.write_text(json.dumps({"custom_generate": "own/code", "max_length": 20}))
    stage_checkpoint()
    config = json.loads((tmp_path / "staged" / "generation_config.json").read_text())
    assert config == {"max_length": 20}


@pytest.mark.parametrize("key", ["quantization_config", "compression_config"])
@pytest.mark.parametrize("is_nested", [False, True])
def test_quantized_checkpoints_are_refused(folder, set_config, key, is_nested):
    entries = {key: {"quant_method": "own-kernels"}}
    set_config(**({"text_config": entries} if is_nested else entries))
    with pytest.raises(RefusedCheckpointError, match="own-kernels"):
        open_checkpoint(folder)


def test_deeply_nested_configs_are_refused(folder):
    (folder / "config.json").write_text('{"a":' * 300 + "1" + "}" * 300)
    with pytest.raises(CheckpointError, match="levels deep"):
        open_checkpoint(folder)


CODE_FILES = [
    "modeling_own.py", "configuration_own.py", "tokenization_own.py", "tokenizer_own.py",
    "modules.json", "config_sentence_transformers.json", "adapter_config.json", "handler.py",
    "custom_generate.py", "task.json", "metadata.json", "preprocessor_config.json",
]  # fmt: skip


def test_staged_folder_has_only_weights_and_config(folder, stage_checkpoint):
    for name in CODE_FILES:
        (folder / name).write_text('{"auto_map": {"AutoModel": "own.Model"}}')
    _, files = stage_checkpoint()
    assert files == {"model.safetensors"}


def test_tokenizer_is_staged_as_data(folder, tmp_path):
    for name in [*CODE_FILES, "tokenizer.json", "vocab.txt", "vocab.pkl"]:
        (folder / name).write_text("{}")
    settings = {
        "auto_map": {"AutoTokenizer": ["own.T", None]},
        "vocab_file": "/etc/passwd",
        "unk": "/",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    target = tmp_path / "staged"
    target.mkdir()
    open_checkpoint(folder).stage_tokenizer(target)
    files = {path.name for path in target.iterdir()}
    assert files == {"config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt"}
    assert json.loads((target / "tokenizer_config.json").read_text()) == {"unk": "/"}


def test_tokenizer_link_out_is_refused(folder, tmp_path):
    (tmp_path / "secret").write_text("{}")
    (folder / "tokenizer.json").symlink_to(tmp_path / "secret")
    (tmp_path / "staged").mkdir()
    with pytest.raises(CheckpointError, match="leaves the folder"):
        open_checkpoint(folder).stage_tokenizer(tmp_path / "staged")


UNSAFE = {
    "model.keras": "layers can be code",
    "model.h5": "layers can be code",
    "model.weights.h5": "layers can be code",
    "saved_model.pb": "any operation",
    "model.onnx": "other files",
    "model.tflite": "any operation",
    "adapter_model.safetensors": "an adapter",
    "model.pkl": "a pickle",
    "weights.pth": "a pickle",
}


def test_unsafe_formats_are_never_opened(folder, create_runner, fake_backend):
    for name in UNSAFE:
        (folder / name).write_bytes(b"\x08\x07../../etc/passwd")
    results = list(create_runner(fake_backend()).check(open_checkpoint(folder)))
    reasons = {
        result.weights["file"]: result.reason
        for result in results
        if result.verdict == "unsupported"
    }
    assert set(reasons) == set(UNSAFE)
    for name, message in UNSAFE.items():
        assert message in reasons[name]
        assert "never opened" in reasons[name]
    assert all_agree(results)


@pytest.mark.parametrize("name", ["tf_model.h5", "tf_model-00001-of-00002.h5"])
def test_transformers_h5_is_not_unsafe(folder, name):
    (folder / name).write_bytes(b"")
    assert "Keras" not in open_checkpoint(folder).unopened.get(name, "")


INDEXES = ["../secret", "/etc/passwd", "a/b", "..", "", "C:\\x\\..\\..\\y/z", "link.safetensors"]


@pytest.mark.parametrize("shard", INDEXES)
@pytest.mark.parametrize(
    "file",
    ["model.safetensors.index.json", "pytorch_model.bin.index.json", "tf_model.h5.index.json"],
)
def test_index_naming_outside_files_is_unreadable(folder, tmp_path, file, shard):
    (tmp_path / "secret").write_text("x")
    (folder / "link.safetensors").symlink_to(tmp_path / "secret")
    (folder / file).write_text(json.dumps({"weight_map": {"a": shard}}))
    checkpoint = open_checkpoint(folder)
    assert file in checkpoint.faulty
    assert file not in {weights.name for weights in checkpoint.weights}


@pytest.mark.skipif(total_memory_bytes() is None, reason="the system does not report its memory")
def test_file_larger_than_memory_is_unreadable(folder):
    with (folder / "pytorch_model.bin").open("wb") as file:
        try:
            os.truncate(file.fileno(), 8 << 40)
        except OSError:
            pytest.skip("this file system holds no sparse files of such a size")
    checkpoint = open_checkpoint(folder)
    assert "memory" in str(checkpoint.faulty["pytorch_model.bin"])
