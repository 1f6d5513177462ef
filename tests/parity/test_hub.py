"""Checkpoints from the fake Hub by the real client, samples of a snapshot, and texts."""

import json
import os
import subprocess
import sys

import duckdb
import pytest
from testhub import FakeHub, Population

from hfscan.parity.checkpoint import open_checkpoint
from hfscan.parity.inputs import read_texts

SHA = "1" * 40
FAST = ("--format", "json", "--backends", "pytorch", "--no-measure")


def parity(*arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "hfscan", "parity", *FAST, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )
    return done, json.loads(done.stdout) if done.stdout else None


def hub_row(number, name, tags, downloads):
    return {
        "_id": f"6220f80800000000000000{number:02x}",
        "id": name,
        "author": name.split("/")[0],
        "createdAt": "2023-01-01T00:00:00.000Z",
        "lastModified": "2023-01-01T00:00:00.000Z",
        "sha": SHA,
        "tags": tags,
        "downloads": downloads,
        "likes": 0,
        "private": False,
    }


ROWS = [
    hub_row(1, "ann/bert", ["transformers", "pytorch", "tf", "bert"], 50),
    hub_row(2, "ann/gpt2", ["transformers", "pytorch", "tf", "gpt2"], 5000),
    hub_row(3, "ann/other", ["transformers", "pytorch", "bert"], 10**6),
    *(hub_row(4 + n, f"bob/bert-{n}", ["pytorch", "tf", "bert"], 3) for n in range(9)),
]


@pytest.fixture
def hub(altered, tmp_path):
    folders = {
        "ann/bert": altered("bert", "model.safetensors"),
        "ann/gpt2": altered("gpt2", "model.safetensors"),
    }
    with FakeHub(Population.from_rows(ROWS, folders=folders), quota=None) as hub:
        yield hub


def test_hub_id_is_fetched_once(hub, tmp_path):
    online = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
    done, report = parity("ann/bert", **online)
    assert done.returncode == 0, done.stderr
    assert {c["revision"] for c in report["cases"]} == {SHA}
    assert {c["checkpoint"] for c in report["cases"]} == {"ann/bert"}
    requests = len(hub.requests)
    done, report = parity("ann/bert", **online, HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    assert {c["revision"] for c in report["cases"]} == {SHA}
    assert len(hub.requests) == requests
    done, report = parity("ann/gpt2", **online, HF_HUB_OFFLINE="1")
    assert done.returncode == 1
    assert "HF_HUB_OFFLINE" in report["cases"][0]["reason"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("ann/none", "cannot be fetched"), ("ann/bert@", "neither a folder nor a Hub id")],
)
def test_hub_refusal_is_a_verdict(hub, tmp_path, name, words):
    done, report = parity(name, HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path / "home"))
    assert done.returncode == 1
    (case,) = report["cases"]
    assert case["verdict"] == "unreadable"
    assert words in case["reason"]


def test_unwritable_cache_is_a_verdict(hub, tmp_path):
    (tmp_path / "home").write_text("no folder")
    done, report = parity("ann/bert", HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path / "home"))
    assert done.returncode == 1
    (case,) = report["cases"]
    assert case["verdict"] == "unreadable"
    assert "the cache (HF_HOME) cannot be written" in case["reason"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of files are POSIX")
def test_full_disk_is_a_verdict_and_can_be_retried(hub, tmp_path):
    import resource

    online = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))  # the weights are larger
    try:
        done, report = parity("ann/bert", **online)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert done.returncode == 1, done.stderr
    (case,) = report["cases"]
    assert case["verdict"] == "unreadable"
    assert "the cache (HF_HOME) cannot be written" in case["reason"]
    assert parity("ann/bert", **online)[0].returncode == 0


def test_sample_is_drawn_fetched_and_stored(hub, tmp_path):
    db, dump = tmp_path / "h.duckdb", tmp_path / "dump.jsonl"
    dump.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    subprocess.run(
        [sys.executable, "-m", "hfscan", "import", dump, "--observed-at", "2023-02-01", "--db", db],
        check=True,
        capture_output=True,
    )
    online = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
    done, report = parity("--sample", 3, "--db", db, **online)
    sample = report["environment"]["sample"]
    # eleven support both, in three strata: the largest first, one model of each
    assert (sample["snapshot"], sample["drawn"], sample["population"]) == (1, 3, 11)
    strata = [(m["model_type"], m["magnitude"], m["stratum"]) for m in sample["models"]]
    assert strata == [("bert", 0, 9), ("bert", 1, 1), ("gpt2", 3, 1)]
    verdicts = {}
    for case in report["cases"]:
        verdicts.setdefault(case["checkpoint"], set()).add(case["verdict"])
    assert verdicts.pop(sample["models"][0]["id"]) == {"unreadable"}  # its files are synthetic
    assert set(verdicts) == {"ann/bert", "ann/gpt2"}
    assert all("agree" in found for found in verdicts.values())
    assert done.returncode == 1
    again = parity("--sample", 2, "--db", db, **online)[1]
    assert again["environment"]["sample"]["models"] == sample["models"][:2]
    with duckdb.connect(db, read_only=True) as connection:
        runs = connection.execute("SELECT snapshot FROM parity_runs").fetchall()
    assert runs == [(1,), (1,)]


def test_sample_without_database_is_refused(tmp_path):
    done, _ = parity("--sample", 3)
    assert done.returncode == 2
    assert "--db" in done.stderr
    done, _ = parity("--sample", 3, "--db", tmp_path / "none.duckdb")
    assert done.returncode == 6


@pytest.fixture
def with_tokenizer(altered):
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder = altered("bert", "model.safetensors")
    words = {f"w{number}": number for number in range(96)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w3"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "w3"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def test_texts_of_file_and_dataset_are_run(with_tokenizer, runner, tmp_path):
    rows = ["w5 w6 w7 w8 w9", "w50 w51"]
    file, data = tmp_path / "texts.txt", tmp_path / "data"
    file.write_text("\n\n".join(rows))
    data.mkdir()
    lines = [json.dumps({"words": row}) + "\n" for row in rows]
    (data / "train.jsonl").write_text("".join(lines))
    checkpoint = open_checkpoint(with_tokenizer)

    def outputs(given):
        results = list(runner.check(checkpoint, given))
        assert {r.verdict for r in results if r.outputs} == {"agree"}
        return [r.outputs for r in results]

    from_file = outputs(read_texts(str(file)))
    assert {row["region"] for row in from_file[0]} == {"real", "padding"}
    assert outputs(read_texts(f"dataset:{data}:train:words")) == from_file
    assert outputs(None) != from_file


def test_unusable_texts_are_reported(altered, tmp_path):
    folder = altered("gpt2", "model.safetensors")
    done, _ = parity(folder, "--inputs", tmp_path / "none.txt")
    assert done.returncode == 1
    assert "none.txt cannot be read" in done.stderr
    done, _ = parity(folder, "--inputs", "dataset:x")
    assert "dataset:NAME:SPLIT:COLUMN" in done.stderr
    file = tmp_path / "texts.txt"
    file.write_text("hello\n")
    done, report = parity(folder, "--inputs", file)
    assert done.returncode == 1
    assert report["cases"][0]["verdict"] == "unreadable"
    assert "its tokenizer does not work" in report["cases"][0]["reason"]
