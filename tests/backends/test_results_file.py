"""`--results`: what is kept, what is checked again, and files that are something else."""

import json
import os
import subprocess
import sys

import pytest
from checkpoint_rows import SHA, make_row
from processes import run_parity
from testhub import FakeHub, Population

from hfscan.errors import StorageError
from hfscan.locks import hold_lock
from hfscan.parity.results_file import Entry, ResultsFile

OPTIONS = ("--format", "json", "--backends", "pytorch")
REUSED = "1 of 1 checkpoints are in the results file already"
NAMES = ("ann/bert", "ann/gguf")
LINE = json.dumps(vars(Entry("ann/bert", SHA, {}, [], []))) + "\n"


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results.jsonl"


@pytest.fixture
def check(folder, tmp_path, results, monkeypatch):
    """A function that checks a model of the Hub, and returns its process.

    "ann/bert" has weights, "ann/gguf" none that a backend opens.
    """
    gguf = tmp_path / "gguf"
    gguf.mkdir()
    (gguf / "model.Q8_0.gguf").write_bytes(b"GGUF")
    rows = [make_row(number, name) for number, name in enumerate(NAMES)]
    folders = dict(zip(NAMES, (folder, gguf), strict=True))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HFSCAN_BACKENDS", str(tmp_path / "backends"))
    with FakeHub(Population.from_rows(rows, folders=folders), quota=None) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)

        def run(name, *options, code=1, **variables):
            arguments = [name, "--revision", SHA, *OPTIONS, "--results", results, *options]
            process = run_parity(*arguments, **variables)
            assert process.returncode == code, process.stderr
            return process

        yield run


OTHER_OPTIONS = [
    ("--threads", "2"), ("--timeout", "299"), ("--memory", "5000"), ("--dtype", "bfloat16"),
    ("--no-measure",), ("--rounds", "2"),
]  # fmt: skip


@pytest.mark.slow
def test_results_of_other_options_are_not_reused(check):
    check("ann/gguf")
    for options in OTHER_OPTIONS:
        assert "already" not in check("ann/gguf", *options).stderr, options
    for options in OTHER_OPTIONS[-1], ():
        assert REUSED in check("ann/gguf", *options).stderr


@pytest.mark.slow
def test_results_of_other_texts_or_another_hub_are_not_reused(check, tmp_path):
    texts = tmp_path / "texts.txt"
    for text in ("one text", "another text"):
        texts.write_text(text)
        assert "already" not in check("ann/gguf", "--inputs", texts).stderr
        assert REUSED in check("ann/gguf", "--inputs", texts).stderr
    other = os.environ["HF_ENDPOINT"].replace("127.0.0.1", "localhost")
    assert "already" not in check("ann/gguf", "--inputs", texts, HF_ENDPOINT=other).stderr
    process = check("ann/gguf", "--baseline", "ann/gguf", code=2)
    assert "--results cannot be combined with --baseline" in process.stderr


def test_what_may_succeed_later_is_checked_again(check, tmp_path):
    missing = ("--backend-python", f"pytorch={tmp_path / 'none'}")
    for _ in range(2):
        process = check("ann/bert", *missing)
        assert json.loads(process.stdout)["cases"][0]["verdict"] == "not installed"
        assert "already" not in process.stderr


def test_folder_named_like_an_id_is_not_taken_for_it(check, tmp_path, monkeypatch):
    (tmp_path / "ann" / "gguf").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    (case,) = json.loads(check("ann/gguf").stdout)["cases"]
    assert "model.Q8_0.gguf" in case["reason"]
    (case,) = json.loads(check("./ann").stdout)["cases"]
    assert "'./ann' is not a Hub id (owner/name), which alone has a revision" in case["reason"]


def test_part_is_not_reported_as_everything(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    process = run_parity(tmp_path / "empty", folder, *OPTIONS, "--shard", "1/2")
    report = json.loads(process.stdout)
    assert report["environment"]["shard"] == [1, 2]
    assert "Part 1 of 2: 1 of 2 checkpoints." in report["environment"]["notes"]


def test_second_run_waits_for_the_first(check, results):
    check("ann/gguf")
    command = [sys.executable, "-m", "hfscan", "parity", "ann/gguf", "--revision", SHA, *OPTIONS]
    with hold_lock(results, ""):
        process = subprocess.Popen(
            [*command, "--results", str(results)], stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        line = process.stderr.readline()
        assert "Waiting for process " in line
        assert str(results) in line
    _, errors = process.communicate(timeout=300)
    assert REUSED in errors


@pytest.mark.parametrize("content", ["my notes", LINE + "my notes", "{}", LINE + '{"a": 1}\n'])
def test_file_of_something_else_is_not_changed(check, results, content):
    results.write_text(content)
    process = check("ann/gguf", code=2)
    assert f"line {len(content.splitlines())}: not the results of a checkpoint" in process.stderr
    assert results.read_text() == content


@pytest.mark.parametrize("rest", ["", LINE[:5], LINE[:40], "\0" * 9])
def test_unfinished_line_is_cut(check, results, rest):
    results.write_text(LINE + rest)
    check("ann/gguf")
    lines = results.read_text().splitlines(keepends=True)
    assert [json.loads(line)["checkpoint"] for line in lines] == list(NAMES)
    assert lines[0] == LINE


def test_last_line_without_newline_is_kept(check, results):
    check("ann/gguf")
    results.write_text(results.read_text().removesuffix("\n"))
    assert REUSED in check("ann/gguf").stderr
    assert results.read_text().count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="limits of files are POSIX")
def test_full_disk_keeps_earlier_results(results):
    import resource

    file, entry = ResultsFile(results), Entry("ann/bert", SHA, {"text": "x" * 500}, [], [])
    file.append(entry)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (700, limits[1]))
    try:
        with pytest.raises(StorageError, match=r"is full. Free some space, and run the same comm"):
            file.append(entry)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert len(results.read_bytes()) == 700
    assert ResultsFile(results).find(("ann/bert", SHA), entry.setup) == entry
    assert results.read_text().count("\n") == 1
