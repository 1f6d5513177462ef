"""Hostile checkpoints end in a verdict with a reason; nothing in them is executed."""

import base64
import json
import marshal
import os
import pickle
import struct
import zipfile
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import h5py
import pytest
from safetensors.numpy import load_file, save_file

from hfscan.parity.checkpoint import open_checkpoint
from hfscan.parity.configs import CheckpointError
from hfscan.parity.replies import BackendDiedError, BackendError
from hfscan.parity.result import all_agree


class Payload:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (os.system, (f"touch {self.marker}",))


def get_verdicts(results):
    return {result.verdict for result in results}


def write_pickle(path, marker, layout):
    data = pickle.dumps({"weight": Payload(marker)})
    if layout == "direct":
        path.write_bytes(data)
    else:  # as torch.save writes it
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("archive/data.pkl", data)
            file.writestr("archive/version", "3\n")


@pytest.mark.parametrize("layout", ["direct", "zip"])
def test_pickle_payload_is_refused(copy_checkpoint, check, tmp_path, layout):
    folder, marker = copy_checkpoint("bert"), tmp_path / "pwned"
    for name in ("pytorch_model.bin", "model.pt", "model.joblib"):
        write_pickle(folder / name, marker, layout)
    results = check(folder)
    assert not marker.exists()
    results_by_file = {
        result.weights["file"]: result for result in results if result.verdict == "unsupported"
    }
    assert set(results_by_file) == {"model.joblib", "model.pt"}
    assert all("never opened" in result.reason for result in results_by_file.values())
    refused_results = [
        result for result in results if result.weights["file"] == "pytorch_model.bin"
    ]
    assert get_verdicts(refused_results) == {"refused"}
    assert {result.backend for result in refused_results} == {"pytorch", "tensorflow"}
    assert not all_agree(results)


@pytest.mark.parametrize("layout", ["direct", "zip"])
@pytest.mark.parametrize("backend", ["pytorch", "tensorflow", "onnx", "flax"])
def test_backend_never_runs_a_pickle_payload(
    copy_checkpoint, runner, skip_without, backend, layout, tmp_path
):
    skip_without(backend, *{"onnx": ["onnxscript"], "flax": ["flax"]}.get(backend, []))
    folder, marker = copy_checkpoint("bert"), tmp_path / "pwned"
    write_pickle(folder / "pytorch_model.bin", marker, layout)
    with pytest.raises(BackendError) as excinfo:
        runner.pool.process(backend, frozenset({"pytorch"} - {backend})).call(
            "open", folder=str(folder), architecture="BertForMaskedLM", origin="pytorch",
            format="bin", load_method="direct", dtype="float32", device="cpu",
        )  # fmt: skip
    assert not isinstance(excinfo.value, BackendDiedError)
    assert not marker.exists()


def test_remote_code_is_never_trusted(copy_checkpoint, runner, check, set_config, tmp_path):
    folder, marker = copy_checkpoint("bert", "model.safetensors"), tmp_path / "pwned"
    (folder / "modeling_own.py").write_text(f"open({str(marker)!r}, 'w')\n")
    tokenizer = {"tokenizer_class": "T", "auto_map": {"AutoTokenizer": ["modeling_own.T", None]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    with pytest.raises(CheckpointError, match="tokenizer does not work"):
        list(runner.check(open_checkpoint(folder), ["hello"]))
    set_config(
        folder,
        model_type="own",
        architectures=["OwnModel"],
        auto_map={"AutoConfig": "modeling_own.C", "AutoModel": "modeling_own.M"},
    )
    results = check(folder)
    assert results
    assert not get_verdicts(results) & {"agree", "timed out"}
    assert not marker.exists()


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin", "tf_model.h5"])
@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty"])
def test_damaged_files_are_unreadable(copy_checkpoint, check, file, damage):
    folder = copy_checkpoint("bert", file)
    content = (folder / file).read_bytes()
    contents = {"truncated": content[: len(content) // 2], "garbage": b"\x93" * 5000, "empty": b""}
    (folder / file).write_bytes(contents[damage])
    results = check(folder)
    assert get_verdicts(results) <= {"unreadable", "refused"}
    assert all(result.reason for result in results)
    assert results


@pytest.mark.parametrize(
    "header",
    [
        struct.pack("<Q", 2**63),
        struct.pack("<Q", 40) + b'{"a": {"dtype": "F32"}}'.ljust(40),
        struct.pack("<Q", 90)
        + b'{"a": {"dtype": "F32", "shape": [999999999999], "data_offsets": [0, 4]}}'.ljust(90),
        struct.pack("<Q", 90)
        + b'{"a": {"dtype": "F32", "shape": [-1, -1], "data_offsets": [0, 4]}}'.ljust(90)
        + b"1234",
        struct.pack("<Q", 20000) + (b"[" * 20000),
        struct.pack("<Q", 40) + b'{"__metadata__": 7}'.ljust(40),
    ],
    ids=["huge", "no-shape", "too-many", "negative", "nested", "metadata"],
)
def test_absurd_headers_are_unreadable(copy_checkpoint, check, header):
    folder = copy_checkpoint("bert")
    (folder / "model.safetensors").write_bytes(header)
    assert get_verdicts(check(folder)) == {"unreadable"}


@pytest.mark.parametrize("shard", ["../secret.safetensors", "/etc/passwd", "a/../../b"])
def test_index_cannot_name_outside_files(copy_checkpoint, check, shard):
    folder = copy_checkpoint("bert")
    index = {"metadata": {}, "weight_map": {"a": shard}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    results = check(folder)
    assert get_verdicts(results) == {"unreadable"}


def test_link_out_of_the_folder_is_not_followed(copy_checkpoint, checkpoints, check):
    folder = copy_checkpoint("bert")
    (folder / "model.safetensors").symlink_to(checkpoints["gpt2"] / "model.safetensors")
    results = check(folder)
    assert get_verdicts(results) == {"unreadable"}
    assert "leaves the folder" in results[0].reason


def test_generation_config_link_is_not_followed(copy_checkpoint, tmp_path):
    folder = copy_checkpoint("bert", "model.safetensors")
    (tmp_path / "elsewhere.json").write_text("{}")
    (folder / "generation_config.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(CheckpointError, match="leaves the folder"):
        open_checkpoint(folder)


@pytest.mark.parametrize("reference", ["link", "values"])
def test_h5_cannot_refer_to_other_files(copy_checkpoint, check, reference):
    folder = copy_checkpoint("bert", "tf_model.h5")
    with h5py.File(folder / "tf_model.h5", "r+") as file:
        if reference == "link":
            file["bert/more"] = h5py.ExternalLink("/etc/passwd", "/")
        else:
            file.create_dataset("bert/more", (4,), "u1", external=[("/etc/passwd", 0, 4)])
    results = check(folder)
    assert get_verdicts(results) == {"unreadable"}
    assert "other files" in results[0].reason


def test_h5_cannot_declare_terabytes(copy_checkpoint, check):
    folder = copy_checkpoint("bert", "tf_model.h5")
    with h5py.File(folder / "tf_model.h5", "r+") as file:
        file.create_dataset("bert/more", (10**12,), "f4", chunks=(1024,))
    results = check(folder)
    assert get_verdicts(results) == {"unreadable"}
    assert "more than memory" in results[0].reason


LAMBDA = """{"class_name": "Sequential", "config": {"name": "s", "layers": [{"class_name": "Lambda",
"config": {"name": "l", "function": ["%s", null, null], "function_type": "lambda"}}]}}"""


def test_keras_lambda_in_h5_is_not_run(copy_checkpoint, check, tmp_path):
    folder, marker = copy_checkpoint("bert", "tf_model.h5"), tmp_path / "pwned"
    code = compile(f"lambda x: open({str(marker)!r}, 'w')", "", "eval")
    with h5py.File(folder / "tf_model.h5", "r+") as file:
        body = base64.b64encode(marshal.dumps(code.co_consts[0])).decode()
        file.attrs["model_config"] = LAMBDA % body
    results = check(folder)
    assert "agree" in get_verdicts(results)
    assert not marker.exists()


def test_kernels_and_code_in_config_are_removed(copy_checkpoint, check, set_config):
    folder = copy_checkpoint("bert", "model.safetensors")
    set_config(
        folder,
        attn_implementation="kernels-community/flash-attn",
        auto_map={"AutoModel": "modeling_own.M"},
    )
    results = check(folder)
    assert "agree" in get_verdicts(results)
    note = "removed from its config: attn_implementation, auto_map"
    assert all(note in result.notes for result in results)


def test_file_without_backend_is_unsupported(copy_checkpoint, check):
    folder = copy_checkpoint("bert", "model.safetensors")
    (folder / "flax_model.msgpack").write_bytes(b"\x80")
    results = check(folder)
    assert {result.verdict for result in results if result.weights["format"] == "msgpack"} == {
        "unsupported"
    }
    assert all_agree(results)


def test_wrong_shapes_do_not_load(copy_checkpoint, check, set_config):
    folder = copy_checkpoint("bert", "model.safetensors", "tf_model.h5")
    set_config(folder, hidden_size=64)
    results = check(folder)
    assert not get_verdicts(results) & {"agree"}
    assert all(result.reason for result in results)
    (direct,) = [
        result
        for result in results
        if (result.backend, result.weights["format"]) == ("pytorch", "safetensors")
    ]
    assert "embeddings" in direct.reason
    assert "in the file, but the config requires [" in direct.reason


def test_too_many_config_layers_are_found(copy_checkpoint, check, set_config):
    folder = copy_checkpoint("bert", "model.safetensors", "tf_model.h5")
    set_config(folder, num_hidden_layers=5)
    results = check(folder)
    assert not all_agree(results)
    assert "agree" not in get_verdicts(results)


@pytest.mark.parametrize("expected", ["out of memory", "timed out"])
def test_config_with_a_million_layers_hits_limits(
    copy_checkpoint, set_config, private_runner, expected
):
    folder = copy_checkpoint("bert", "model.safetensors")
    set_config(folder, num_hidden_layers=10**6)
    worker = private_runner.pool.process("pytorch")
    settings = worker.settings
    if expected == "out of memory":
        limit = {"memory_mb": worker.call("peak")["peak_rss_mb"] + 200}
    else:
        worker.start()
        limit = {"timeout": 1}
    worker.settings = replace(settings, **limit)
    try:
        assert get_verdicts(private_runner.check(open_checkpoint(folder))) == {expected}
    finally:
        worker.settings = settings
    set_config(folder, num_hidden_layers=3)  # the next case gets a working backend
    assert get_verdicts(private_runner.check(open_checkpoint(folder))) == {"agree"}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a":' * 100_000])
def test_invalid_config_is_refused(copy_checkpoint, text):
    folder = copy_checkpoint("bert", "model.safetensors")
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match="JSON"):
        open_checkpoint(folder)


@pytest.mark.parametrize(
    ("name", "entries"),
    [
        ("bert", {"vocab_size": 10**12}),
        ("bert", {"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}}),
        ("bert", {"dtype": "os", "torch_dtype": "system", "attn_implementation": "own/kernels"}),
        ("bert", {"eos_token_id": {"a": 1}, "pad_token_id": [[]], "model_type": "bert"}),
        ("bert", {"architectures": {"0": "BertModel"}}),
        ("bert", {"architectures": [7], "max_position_embeddings": -1}),
        ("bert", {"model_type": ["bert"]}),
        ("gpt2", {"eos_token_id": "end", "n_positions": 10**9}),
        ("gpt2", {"model_type": "vit", "image_size": 10**6}),
        ("gpt2", {"model_type": "whisper", "num_mel_bins": 10**9}),
    ],
)
def test_invalid_config_entries_end_in_verdicts(copy_checkpoint, check, set_config, name, entries):
    folder = copy_checkpoint(name, "pytorch_model.bin")
    set_config(folder, **entries)
    with suppress(CheckpointError):  # the command reports it as a verdict
        results = check(folder)
        assert results
        assert all(result.verdict and result.reason for result in results)


def test_tensor_names_have_no_control_codes(copy_checkpoint, check, capsys):
    import io

    from hfscan.parity import sections

    folder = copy_checkpoint("bert", "model.safetensors")
    tensors = load_file(folder / "model.safetensors")
    tensors["\x1b[2J\x1b]0;owned\x07"] = next(iter(tensors.values())) + 1
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    out = io.StringIO()
    document = sections.new_document(check(folder), {}, datetime.now(UTC))
    sections.write(document, "terminal", out)
    assert "\x1b" not in out.getvalue()
