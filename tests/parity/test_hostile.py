"""Each hostile checkpoint ends in a verdict with a reason; nothing in it is ever executed."""

import base64
import json
import marshal
import os
import pickle
import struct
import zipfile
from contextlib import suppress
from datetime import UTC, datetime

import h5py
import pytest
from safetensors.numpy import load_file, save_file

from hfscan.parity.checkpoints import CheckpointError, open_checkpoint
from hfscan.parity.report import all_agree
from hfscan.parity.worker import BackendDiedError, BackendError


class Payload:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (os.system, (f"touch {self.marker}",))


def verdicts(results):
    return {r.verdict for r in results}


def write_pickle(path, marker, form):
    data = pickle.dumps({"weight": Payload(marker)})
    if form == "plain":
        path.write_bytes(data)
    else:  # as torch.save has it
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("archive/data.pkl", data)
            file.writestr("archive/version", "3\n")


@pytest.mark.parametrize("form", ["plain", "zip"])
def test_a_pickle_with_a_payload_is_refused_and_never_run(altered, check, tmp_path, form):
    folder, marker = altered("bert"), tmp_path / "pwned"
    for name in ("pytorch_model.bin", "model.pt", "model.joblib"):
        write_pickle(folder / name, marker, form)
    results = check(folder)
    assert not marker.exists()
    pickles = {r.weights["file"]: r for r in results if r.verdict == "no backend"}
    assert set(pickles) == {"model.joblib", "model.pt"}
    assert all("never opened" in r.reason for r in pickles.values())
    refused = [r for r in results if r.weights["file"] == "pytorch_model.bin"]
    assert verdicts(refused) == {"refused"}
    assert {r.backend for r in refused} == {"pytorch", "tensorflow"}
    assert not all_agree(results)


@pytest.mark.parametrize("form", ["plain", "zip"])
@pytest.mark.parametrize("backend", ["pytorch", "tensorflow", "onnx", "flax"])
def test_no_backend_runs_a_payload_though_it_is_told_to_open_it(
    altered, sweep, backend, form, tmp_path
):
    pytest.importorskip({"onnx": "onnxscript", "flax": "flax"}.get(backend, "torch"))
    folder, marker = altered("bert"), tmp_path / "pwned"
    write_pickle(folder / "pytorch_model.bin", marker, form)
    with pytest.raises(BackendError) as caught:
        sweep.worker(backend, frozenset({"pytorch"} - {backend})).call(
            "open", folder=str(folder), architecture="BertForMaskedLM", origin="pytorch",
            format="bin", route="plain", dtype="float32", device="cpu",
        )  # fmt: skip
    assert not isinstance(caught.value, BackendDiedError)
    assert not marker.exists()


def test_remote_code_is_neither_trusted_nor_asked_about(
    altered, sweep, check, set_config, tmp_path
):
    folder, marker = altered("bert", "model.safetensors"), tmp_path / "pwned"
    (folder / "modeling_own.py").write_text(f"open({str(marker)!r}, 'w')\n")
    tokenizer = {"tokenizer_class": "T", "auto_map": {"AutoTokenizer": ["modeling_own.T", None]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    with pytest.raises(CheckpointError, match="tokenizer does not work"):
        list(sweep.check(open_checkpoint(folder), ["hello"]))
    set_config(
        folder,
        model_type="own",
        architectures=["OwnModel"],
        auto_map={"AutoConfig": "modeling_own.C", "AutoModel": "modeling_own.M"},
    )
    results = check(folder)
    assert results
    assert not verdicts(results) & {"agree", "timed out"}
    assert not marker.exists()


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin", "tf_model.h5"])
@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty"])
def test_damaged_files_are_unreadable(altered, check, file, damage):
    folder = altered("bert", file)
    whole = (folder / file).read_bytes()
    damaged = {"truncated": whole[: len(whole) // 2], "garbage": b"\x93" * 5000, "empty": b""}
    (folder / file).write_bytes(damaged[damage])
    results = check(folder)
    assert verdicts(results) <= {"unreadable", "refused"}
    assert all(r.reason for r in results)
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
def test_absurd_headers_are_unreadable(altered, check, header):
    folder = altered("bert")
    (folder / "model.safetensors").write_bytes(header)
    assert verdicts(check(folder)) == {"unreadable"}


@pytest.mark.parametrize("shard", ["../secret.safetensors", "/etc/passwd", "a/../../b"])
def test_an_index_cannot_name_files_elsewhere(altered, check, shard):
    folder = altered("bert")
    index = {"metadata": {}, "weight_map": {"a": shard}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    results = check(folder)
    assert verdicts(results) == {"unreadable"}


def test_a_link_out_of_the_folder_is_not_followed(altered, checkpoints, check):
    folder = altered("bert")
    (folder / "model.safetensors").symlink_to(checkpoints["gpt2"] / "model.safetensors")
    results = check(folder)
    assert verdicts(results) == {"unreadable"}
    assert "leaves the folder" in results[0].reason


def test_a_second_config_that_is_a_link_is_not_followed(altered, tmp_path):
    folder = altered("bert", "model.safetensors")
    (tmp_path / "elsewhere.json").write_text("{}")
    (folder / "generation_config.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(CheckpointError, match="leaves the folder"):
        open_checkpoint(folder)


@pytest.mark.parametrize("how", ["link", "values"])
def test_an_h5_file_cannot_reach_for_other_files(altered, check, how):
    folder = altered("bert", "tf_model.h5")
    with h5py.File(folder / "tf_model.h5", "r+") as file:
        if how == "link":
            file["bert/more"] = h5py.ExternalLink("/etc/passwd", "/")
        else:
            file.create_dataset("bert/more", (4,), "u1", external=[("/etc/passwd", 0, 4)])
    results = check(folder)
    assert verdicts(results) == {"unreadable"}
    assert "other files" in results[0].reason


def test_an_h5_file_cannot_claim_terabytes(altered, check):
    folder = altered("bert", "tf_model.h5")
    with h5py.File(folder / "tf_model.h5", "r+") as file:
        file.create_dataset("bert/more", (10**12,), "f4", chunks=(1024,))
    results = check(folder)
    assert verdicts(results) == {"unreadable"}
    assert "more than memory" in results[0].reason


LAMBDA = """{"class_name": "Sequential", "config": {"name": "s", "layers": [{"class_name": "Lambda",
"config": {"name": "l", "function": ["%s", null, null], "function_type": "lambda"}}]}}"""


def test_a_keras_lambda_in_an_h5_file_is_not_run(altered, check, tmp_path):
    folder, marker = altered("bert", "tf_model.h5"), tmp_path / "pwned"
    code = compile(f"lambda x: open({str(marker)!r}, 'w')", "", "eval")
    with h5py.File(folder / "tf_model.h5", "r+") as file:
        body = base64.b64encode(marshal.dumps(code.co_consts[0])).decode()
        file.attrs["model_config"] = LAMBDA % body
    results = check(folder)
    assert "agree" in verdicts(results)
    assert not marker.exists()


def test_kernels_and_code_that_a_config_names_are_left_out(altered, check, set_config):
    folder = altered("bert", "model.safetensors")
    set_config(
        folder,
        attn_implementation="kernels-community/flash-attn",
        auto_map={"AutoModel": "modeling_own.M"},
    )
    results = check(folder)
    assert "agree" in verdicts(results)
    left_out = "left out of its config: attn_implementation, auto_map"
    assert all(left_out in r.notes for r in results)


def test_a_file_no_backend_opens_is_said_to_be(altered, check):
    folder = altered("bert", "model.safetensors")
    (folder / "flax_model.msgpack").write_bytes(b"\x80")
    results = check(folder)
    assert {r.verdict for r in results if r.weights["format"] == "msgpack"} == {"no backend"}
    assert all_agree(results)


def test_wrong_shapes_do_not_load(altered, check, set_config):
    folder = altered("bert", "model.safetensors", "tf_model.h5")
    set_config(folder, hidden_size=64)
    results = check(folder)
    assert not verdicts(results) & {"agree"}
    assert all(r.reason for r in results)


def test_too_many_layers_in_the_config_are_found(altered, check, set_config):
    folder = altered("bert", "model.safetensors", "tf_model.h5")
    set_config(folder, num_hidden_layers=5)
    results = check(folder)
    assert not all_agree(results)
    assert "agree" not in verdicts(results)


@pytest.mark.parametrize("short", ["out of memory", "timed out"])
def test_a_config_that_asks_for_a_million_layers_runs_out(altered, set_config, alone, short):
    folder = altered("bert", "model.safetensors")
    set_config(folder, num_hidden_layers=10**6)
    worker = alone.worker("pytorch")
    if short == "out of memory":
        worker.memory_mb = worker.call("peak")["peak_rss_mb"] + 200
    else:
        worker.start()
        worker.seconds = 1
    try:
        assert verdicts(alone.check(open_checkpoint(folder))) == {short}
    finally:
        worker.memory_mb, worker.seconds = None, alone.settings.seconds
    set_config(folder, num_hidden_layers=3)  # the next one gets a backend that works
    assert verdicts(alone.check(open_checkpoint(folder))) == {"agree"}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a":' * 100_000])
def test_a_config_that_is_none_is_said_to_be(altered, text):
    folder = altered("bert", "model.safetensors")
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
def test_whatever_a_config_says_ends_in_verdicts(altered, check, set_config, name, entries):
    folder = altered(name, "pytorch_model.bin")
    set_config(folder, **entries)
    with suppress(CheckpointError):  # which the command shows as a verdict
        results = check(folder)
        assert results
        assert all(result.verdict and result.reason for result in results)


def test_names_from_a_checkpoint_cannot_move_the_cursor(altered, check, capsys):
    import io

    from hfscan.parity import report

    folder = altered("bert", "model.safetensors")
    tensors = load_file(folder / "model.safetensors")
    tensors["\x1b[2J\x1b]0;owned\x07"] = next(iter(tensors.values())) + 1
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    out = io.StringIO()
    report.write_terminal(report.document(check(folder), {}, datetime.now(UTC)), out)
    assert "\x1b" not in out.getvalue()
