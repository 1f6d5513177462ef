"""Files that no backend opens are named, with what they are."""

import json
import struct

import pytest

from hfscan.parity.checkpoint import open_checkpoint
from hfscan.parity.configs import CheckpointError
from hfscan.parity.process import Settings
from hfscan.parity.result import all_agree
from hfscan.parity.results_file import Entry
from hfscan.parity.worker import Worker

ALONE = {
    "model.Q4_K_M.gguf": "a file of llama.cpp",
    "adapter_model.safetensors": "an adapter",
    "model_index.json": "a pipeline of diffusers",
    "onnx/model.onnx": "a graph",
    "model.tflite": "a graph",
    "model.pte": "a program of ExecuTorch",
    "saved_model/saved_model.pb": "a graph",
    "bert_model.ckpt.data-00000-of-00001": "a checkpoint of TensorFlow 1",
    "model.keras": "a Keras model",
    "model.fp16.safetensors": "a variant",
    "model.fp16-00001-of-00002.safetensors": "a variant",
    "model.safetensors.index.fp16.json": "a variant",
    "model-00001-of-00002.safetensors": "a shard that no index names",
    "pytorch_model-00001-of-00002.bin": "a shard that no index names",
    "consolidated.safetensors": "weights under an unknown name",
}


@pytest.mark.parametrize("with_config", [True, False])
@pytest.mark.parametrize("name", ALONE)
def test_checkpoint_without_weights_lists_what_it_has(folder, fake_backend, name, with_config):
    (folder / "model.safetensors").unlink()
    if not with_config:
        (folder / "config.json").unlink()
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"x")
    settings = Settings(("pytorch",), pythons={"pytorch": str(fake_backend())}, measure=False)
    with Worker(settings) as worker:
        checked = worker.check((str(folder), None))
    (result,) = Entry(str(folder), None, {}, checked.cases, []).results
    assert result.verdict == "unsupported"
    assert result.reason.startswith("no backend opens it: it has ")
    assert f"{name} ({ALONE[name]}" in result.reason
    assert not all_agree([result])


def test_checkpoint_without_any_weights_says_so(folder):
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"it has no weight file among config\.json"):
        open_checkpoint(folder)


@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2", "F4", "U16", "C64"])
def test_precision_that_no_backend_has_is_unsupported(folder, create_runner, fake_backend, dtype):
    header = json.dumps({"a": {"dtype": dtype, "shape": [2], "data_offsets": [0, 2]}}).encode()
    content = struct.pack("<Q", len(header)) + header + bytes(2)
    (folder / "model.safetensors").write_bytes(content)
    (result,) = create_runner(fake_backend()).check(open_checkpoint(folder))
    assert result.verdict == "unsupported"
    assert f"stored as {dtype}, which no backend uses" in result.reason
