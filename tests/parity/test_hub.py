"""Checkpoints from the fake Hub, samples of a snapshot, and texts as inputs."""

import json
import os
import signal
import subprocess
import sys
import time

import duckdb
import pytest
from checkpoint_rows import SHA, make_row
from processes import run_parity
from testhub import FakeHub, Population

from hfscan.parity.checkpoint import open_checkpoint
from hfscan.parity.texts import read_texts

OPTIONS = ("--format", "json", "--backends", "pytorch", "--no-measure")


def run_json(*arguments, **environment):
    """Run `hfscan parity`; return the process and its JSON, None if there is none."""
    process = run_parity(*OPTIONS, *arguments, **environment)
    return process, json.loads(process.stdout) if process.stdout else None


ROWS = [
    make_row(1, "ann/bert", ["transformers", "pytorch", "tf", "bert"], 50),
    make_row(2, "ann/gpt2", ["transformers", "pytorch", "tf", "gpt2"], 5000),
    make_row(3, "ann/other", ["transformers", "pytorch", "bert"], 10**6),
    *(make_row(4 + n, f"bob/bert-{n}", ["pytorch", "tf", "bert"], 3) for n in range(9)),
]


@pytest.fixture
def hub(copy_checkpoint, tmp_path):
    folders = {
        "ann/bert": copy_checkpoint("bert", "model.safetensors"),
        "ann/gpt2": copy_checkpoint("gpt2", "model.safetensors"),
        "ann/other": tmp_path / "other",
    }
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "model.Q8_0.gguf").write_bytes(b"GGUF")
    with FakeHub(Population.from_rows(ROWS, folders=folders), quota=None) as hub:
        yield hub


def test_hub_id_is_fetched_once(hub, tmp_path):
    environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
    process, report = run_json("ann/bert", **environment)
    assert process.returncode == 0, process.stderr
    assert {case["revision"] for case in report["cases"]} == {SHA}
    assert {case["checkpoint"] for case in report["cases"]} == {"ann/bert"}
    requests = len(hub.requests)
    process, report = run_json("ann/bert", **environment, HF_HUB_OFFLINE="1")
    assert process.returncode == 0, process.stderr
    assert {case["revision"] for case in report["cases"]} == {SHA}
    assert len(hub.requests) == requests
    process, report = run_json("ann/gpt2", **environment, HF_HUB_OFFLINE="1")
    assert process.returncode == 1
    assert "HF_HUB_OFFLINE" in report["cases"][0]["reason"]


def test_files_of_the_hub_that_no_backend_opens_are_named(hub, tmp_path):
    process, report = run_json("ann/other", HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path / "home"))
    assert process.returncode == 1
    (case,) = report["cases"]
    assert case["verdict"] == "unsupported"
    assert "it has model.Q8_0.gguf (a file of llama.cpp)" in case["reason"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("ann/none", "cannot be fetched"), ("ann/bert@", "neither a folder nor a Hub id")],
)
def test_hub_refusal_is_a_verdict(hub, tmp_path, name, message):
    process, report = run_json(name, HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path / "home"))
    assert process.returncode == 1
    (case,) = report["cases"]
    assert case["verdict"] == "unreadable"
    assert message in case["reason"]


def test_unwritable_cache_is_a_verdict(hub, tmp_path):
    (tmp_path / "home").write_text("no folder")
    process, report = run_json("ann/bert", HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path / "home"))
    assert process.returncode == 1
    (case,) = report["cases"]
    assert case["verdict"] == "unreadable"
    assert "the cache (HF_HOME) cannot be written" in case["reason"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of files are POSIX")
def test_full_disk_is_a_verdict_and_can_be_retried(hub, tmp_path):
    import resource

    environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))  # the weights are larger
    try:
        process, report = run_json("ann/bert", **environment)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert process.returncode == 1, process.stderr
    (case,) = report["cases"]
    assert case["verdict"] == "unreadable"
    assert "the cache (HF_HOME) cannot be written" in case["reason"]
    assert run_json("ann/bert", **environment)[0].returncode == 0


def test_sample_is_drawn_fetched_and_stored(hub, tmp_path):
    db, dump = tmp_path / "h.duckdb", tmp_path / "dump.jsonl"
    dump.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    subprocess.run(
        [sys.executable, "-m", "hfscan", "import", dump, "--observed-at", "2023-02-01", "--db", db],
        check=True,
        capture_output=True,
    )
    environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
    process, report = run_json("--sample", 3, "--db", db, **environment)
    sample = report["environment"]["sample"]
    # eleven models support both, in three strata: one of each, from the largest on
    assert (sample["snapshot"], sample["drawn"], sample["population"]) == (1, 3, 11)
    strata = [
        (model["model_type"], model["magnitude"], model["stratum"]) for model in sample["models"]
    ]
    assert strata == [("bert", 0, 9), ("bert", 1, 1), ("gpt2", 3, 1)]
    verdicts = {}
    for case in report["cases"]:
        verdicts.setdefault(case["checkpoint"], set()).add(case["verdict"])
    assert verdicts.pop(sample["models"][0]["id"]) == {"unsupported"}  # it has no files
    assert set(verdicts) == {"ann/bert", "ann/gpt2"}
    assert all("agree" in case_verdicts for case_verdicts in verdicts.values())
    assert process.returncode == 1
    repeated_report = run_json("--sample", 2, "--db", db, **environment)[1]
    assert repeated_report["environment"]["sample"]["models"] == sample["models"][:2]
    with duckdb.connect(db, read_only=True) as connection:
        runs = connection.execute("SELECT snapshot FROM parity_runs").fetchall()
    assert runs == [(1,), (1,)]


def test_sample_without_database_is_refused(tmp_path):
    process, _ = run_json("--sample", 3)
    assert process.returncode == 2
    assert "--db" in process.stderr
    process, _ = run_json("--sample", 3, "--db", tmp_path / "none.duckdb")
    assert process.returncode == 6


@pytest.fixture
def checkpoint_with_tokenizer(copy_checkpoint):
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder = copy_checkpoint("bert", "model.safetensors")
    vocabulary = {f"w{number}": number for number in range(96)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="w3"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "w3"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def test_texts_of_file_and_dataset_are_run(checkpoint_with_tokenizer, runner, tmp_path):
    rows = ["w5 w6 w7 w8 w9", "w50 w51"]
    file, data = tmp_path / "texts.txt", tmp_path / "data"
    file.write_text("\n\n".join(rows))
    data.mkdir()
    lines = [json.dumps({"words": row}) + "\n" for row in rows]
    (data / "train.jsonl").write_text("".join(lines))
    checkpoint = open_checkpoint(checkpoint_with_tokenizer)

    def run_texts(texts):
        results = list(runner.check(checkpoint, texts))
        assert {result.verdict for result in results if result.outputs} == {"agree"}
        return [result.outputs for result in results]

    file_outputs = run_texts(read_texts(str(file)))
    assert {row["region"] for row in file_outputs[0]} == {"real", "padding"}
    assert run_texts(read_texts(f"dataset:{data}:train:words")) == file_outputs
    assert run_texts(None) != file_outputs


def test_unusable_texts_are_reported(copy_checkpoint, tmp_path):
    folder = copy_checkpoint("gpt2", "model.safetensors")
    process, _ = run_json(folder, "--inputs", tmp_path / "none.txt")
    assert process.returncode == 1
    assert "none.txt cannot be read" in process.stderr
    process, _ = run_json(folder, "--inputs", "dataset:x")
    assert "dataset:NAME:SPLIT:COLUMN" in process.stderr
    file = tmp_path / "texts.txt"
    file.write_text("hello\n")
    process, report = run_json(folder, "--inputs", file)
    assert process.returncode == 1
    assert report["cases"][0]["verdict"] == "unreadable"
    assert "its tokenizer does not " in report["cases"][0]["reason"]


SWEEP = ("--sample", "3", "--no-measure", "--backends", "pytorch", "--format", "json")


@pytest.fixture
def sweep(hub, tmp_path):
    """The arguments and the environment of a sweep over three models of a database."""
    db = tmp_path / "h.duckdb"
    environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
    rows = [row for row in ROWS if row["id"].startswith("ann/")]
    rows[2] = {**rows[2], "tags": ["pytorch", "tf", "opt"]}  # its folder has no file to open
    dump = tmp_path / "dump.json"
    dump.write_text(json.dumps(rows))
    subprocess.run(
        [sys.executable, "-m", "hfscan", "import", dump, "--observed-at", "2024-05-01", "--db", db],
        check=True, capture_output=True,
    )  # fmt: skip
    return [*SWEEP, "--db", str(db), "--results", str(tmp_path / "results.jsonl")], environment


def read_lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_killed_sweep_goes_on_where_it_stopped(hub, sweep, tmp_path):
    arguments, environment = sweep
    results = tmp_path / "results.jsonl"
    command = [sys.executable, "-m", "hfscan", "parity", *arguments]
    with subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:  # fmt: skip
        while not results.exists() or not results.read_bytes():
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    done = {line["checkpoint"] for line in read_lines(results)}
    with results.open("a") as file:
        file.write('{"checkpoint": "ann/b')  # killed while it wrote
    hub.requests.clear()
    process = run_parity(*arguments, **environment)
    report = json.loads(process.stdout)
    assert f"{len(done)} of 3 checkpoints are in the results file already" in process.stderr
    assert "(1 of " in process.stderr or len(done) == 2
    assert not [request for request in hub.requests if any(name in request.target for name in done)]
    assert {case["checkpoint"] for case in report["cases"]} == {"ann/bert", "ann/gpt2", "ann/other"}
    assert [line["checkpoint"] for line in read_lines(results)] != []
    assert len(read_lines(results)) == 3
    again = run_parity(*arguments, **environment)
    assert json.loads(again.stdout)["cases"] == report["cases"]
    assert "3 of 3 checkpoints are in the results file already" in again.stderr
    # other options make other results
    other = run_parity(*arguments, "--dtype", "bfloat16", **environment)
    assert "already" not in other.stderr
    with duckdb.connect(tmp_path / "h.duckdb") as connection:
        counts = connection.execute(
            "SELECT count(DISTINCT checkpoint) FROM parity_cases GROUP BY run"
        ).fetchall()
    # one run was killed, continued and repeated; the other has other options
    assert counts == [(3,)] * 2


def test_shards_share_the_checkpoints(sweep, tmp_path):
    arguments, environment = sweep
    for part in (1, 2):
        process = run_parity(*arguments, "--shard", f"{part}/2", **environment)
        assert process.stdout, process.stderr
    names = [line["checkpoint"] for line in read_lines(tmp_path / "results.jsonl")]
    assert sorted(names) == ["ann/bert", "ann/gpt2", "ann/other"]
    process = run_parity(*arguments, "--shard", "4/4", **environment)
    assert process.returncode == 2
    assert "there are only 3 checkpoints" in process.stderr
    process = run_parity(*arguments, "--shard", "3/2", **environment)
    assert process.returncode == 2


def test_other_file_is_not_overwritten_with_results(sweep, tmp_path):
    arguments, environment = sweep
    (tmp_path / "results.jsonl").write_text("my notes\n")
    process = run_parity(*arguments, **environment)
    assert process.returncode == 2
    assert "line 1: not the results of a checkpoint" in process.stderr
    assert (tmp_path / "results.jsonl").read_text() == "my notes\n"
