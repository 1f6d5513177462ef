"""Sweeps over checkpoints of the fake Hub: killed, split, on little disk space, into a database."""

import json
import math
import os
import shutil
import signal
import struct
import subprocess
import sys
import time

import duckdb
import numpy as np
import pytest
from checkpoint_rows import SHA, make_row
from huggingface_hub import constants
from processes import TOKEN, run_hfscan, run_parity
from testhub import FakeHub, Population

from hfscan.parity.checkpoint import open_checkpoint
from hfscan.parity.downloads import find_token

NAMES = [f"ann/model-{number}" for number in range(8)]
FLOATS = 25_000
OPTIONS = ("--revision", SHA, "--backends", "pytorch", "--no-measure", "--format", "json")


@pytest.fixture
def hub(folder, tmp_path, monkeypatch):
    """A Hub with eight checkpoints of 100 kB each."""
    folders = {}
    for number, name in enumerate(NAMES):
        folders[name] = tmp_path / "models" / str(number)
        shutil.copytree(folder, folders[name])
        entry = {"dtype": "F32", "shape": [FLOATS], "data_offsets": [0, 4 * FLOATS]}
        header = json.dumps({"a": entry}).encode()
        values = np.full(FLOATS, number, "<f4").tobytes()
        content = struct.pack("<Q", len(header)) + header + values
        (folders[name] / "model.safetensors").write_bytes(content)
    population = Population.from_rows(
        [make_row(number, name) for number, name in enumerate(NAMES)], folders=folders
    )
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    with FakeHub(population, quota=None) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


@pytest.fixture
def arguments(hub, fake_backend, tmp_path):
    """The arguments of a sweep over all checkpoints, with results in a file and a database."""
    return [
        *NAMES, *OPTIONS, "--backend-python", f"pytorch={fake_backend()}",
        "--results", tmp_path / "results.jsonl", "--db", tmp_path / "h.duckdb",
    ]  # fmt: skip


def read_lines(path):
    return path.read_bytes().splitlines() if path.exists() else []


def kill_after(lines, results, arguments):
    """Start a sweep, and kill it and its backends when its file has this many lines."""
    with subprocess.Popen(
        [sys.executable, "-m", "hfscan", "parity", *map(str, arguments)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    ) as process:  # fmt: skip
        while len(read_lines(results)) < lines:
            assert process.poll() is None
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)


def fetch(db, sql):
    with duckdb.connect(db, read_only=True) as connection:
        return connection.execute(sql).fetchall()


def cases_of(process):
    assert process.stdout, process.stderr
    return json.loads(process.stdout)["cases"]


def test_killed_sweep_loses_and_repeats_nothing(arguments, hub, tmp_path):
    results, db = tmp_path / "results.jsonl", tmp_path / "h.duckdb"
    expected = cases_of(run_parity(*NAMES, *OPTIONS, *arguments[-6:-4]))
    for lines in (1, 3, 6):
        kill_after(lines, results, arguments)
        ((run, is_finished, count),) = fetch(
            db,
            "SELECT id, finished_at IS NOT NULL, checkpoints FROM parity_runs",
        )
        assert (run, is_finished, count) == (1, False, len(NAMES))
        # the last one may be in the file only
        (stored,) = fetch(db, "SELECT count(DISTINCT checkpoint) FROM parity_cases")[0]
        assert len(read_lines(results)) - 1 <= stored <= len(read_lines(results))
    _, answer, _ = run_hfscan(tmp_path, "report", "--name", "parity", "--db", db)
    assert f"{stored} of its 8 checkpoints" in " ".join(answer.split())
    process = run_parity(*arguments)
    assert cases_of(process) == expected
    assert "of 8 checkpoints are in the results file already" in process.stderr
    names = [json.loads(line)["checkpoint"] for line in read_lines(results)]
    assert sorted(names) == NAMES
    assert fetch(db, "SELECT id FROM parity_runs WHERE finished_at IS NOT NULL") == [(1,)]
    rows = fetch(db, "SELECT checkpoint, verdict FROM parity_cases ORDER BY checkpoint")
    assert rows == [(case["checkpoint"], case["verdict"]) for case in expected]
    outputs = fetch(db, "SELECT count(*) FROM parity_outputs")
    assert outputs == [(sum(len(case["outputs"]) for case in expected),)]
    # a repeated command has nothing to store
    assert cases_of(run_parity(*arguments)) == expected
    assert fetch(db, "SELECT count(*) FROM parity_runs") == [(1,)]


def test_files_of_shards_are_joined(arguments, hub, tmp_path):
    *arguments, _, db = arguments
    for part in (1, 2):
        arguments[-1] = tmp_path / f"part-{part}.jsonl"
        process = run_parity(*arguments, "--shard", f"{part}/2", "--db", db)
        assert len(cases_of(process)) == 4
    counts = "SELECT run, count(DISTINCT checkpoint) FROM parity_cases GROUP BY run ORDER BY run"
    assert fetch(db, counts) == [(1, 4), (2, 4)]
    _, answer, _ = run_hfscan(tmp_path, "report", "--name", "parity", "--db", db)
    assert "Source: 2 runs of hfscan parity" in " ".join(answer.split())
    arguments[-1] = tmp_path / "all.jsonl"
    parts = [(tmp_path / f"part-{part}.jsonl").read_bytes() for part in (1, 2)]
    arguments[-1].write_bytes(b"".join(parts))
    hub.requests.clear()
    process = run_parity(*arguments, "--db", db)
    assert [case["checkpoint"] for case in cases_of(process)] == NAMES
    assert "8 of 8 checkpoints are in the results file already" in process.stderr
    assert not hub.requests
    assert fetch(db, counts) == [(1, 4), (2, 4), (3, 8)]


def test_next_checkpoint_is_downloaded_meanwhile(hub, fake_backend, tmp_path):
    """The backend waits with the first checkpoint until the second one's weights are fetched."""
    other = tmp_path / "home" / "hub" / f"models--{NAMES[1].replace('/', '--')}"
    action = f"""
        for _ in range(600):
            if list(pathlib.Path({str(other)!r}).glob("snapshots/*/model.safetensors")):
                return None
            time.sleep(0.05)
        os._exit(1)
    """
    backend = fake_backend("run", action)
    process = run_parity(*NAMES[:2], *OPTIONS, "--backend-python", f"pytorch={backend}")
    assert [case["checkpoint"] for case in cases_of(process)] == NAMES[:2]
    assert {case["verdict"] for case in cases_of(process)} == {"agree"}
    fetched = [request.target for request in hub.requests if request.method == "GET"]
    assert sum(target.split("?")[0].endswith("/model.safetensors") for target in fetched) == 2


def test_judged_checkpoints_make_room_for_others(arguments, hub, fake_backend, tmp_path):
    cached = tmp_path / "home" / "hub" / f"models--{NAMES[0].replace('/', '--')}"
    run_parity(NAMES[0], *OPTIONS)
    assert list(cached.glob("blobs/*"))
    sweep, log = tmp_path / "home" / "hfscan-sweep", tmp_path / "log"
    # the next download goes on meanwhile: a file may be gone before its size is read
    action = f"""
        size = 0
        for folder, _, names in os.walk({str(sweep)!r}):
            for name in names:
                with contextlib.suppress(OSError):
                    size += os.lstat(os.path.join(folder, name)).st_size
        with open({str(log)!r}, "a") as log:
            log.write(f"{{size}}\\n")
    """
    fake_backend("run", action)
    hub.requests.clear()
    process = run_parity(*arguments, "--disk-budget", "250kB")
    assert {case["verdict"] for case in cases_of(process)} == {"agree"}
    sizes = [int(line) for line in log.read_text().splitlines()]
    assert 0 < max(sizes) <= 250_000
    assert len(list(sweep.glob("1/*"))) == 2  # the newest
    assert list(cached.glob("blobs/*"))
    assert not list((tmp_path / "home" / "hub").glob(f"*{NAMES[1].split('/')[1]}"))
    assert not any("model-0/resolve" in request.target for request in hub.requests)


def test_checkpoint_beyond_the_budget_is_not_downloaded(arguments, hub):
    process = run_parity(*arguments, "--disk-budget", "50kB")
    assert {case["verdict"] for case in cases_of(process)} == {"unreadable"}
    reason = cases_of(process)[0]["reason"]
    assert "its files have 100.2 kB, more than --disk-budget allows (50.0 kB)" in reason
    assert not any("resolve" in request.target for request in hub.requests)
    # it is checked when there is more room
    process = run_parity(*arguments, "--disk-budget", "500kB")
    assert {case["verdict"] for case in cases_of(process)} == {"agree"}


def test_results_wait_for_a_database_in_use(arguments, fake_backend, tmp_path):
    results, db, go = (tmp_path / name for name in ("results.jsonl", "h.duckdb", "go"))
    action = f"""
        while not os.path.exists({str(go)!r}):
            time.sleep(0.05)
    """
    fake_backend("run", action)
    command = [sys.executable, "-m", "hfscan", "parity", *map(str, arguments[1:])]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while not db.exists() or not count_runs(db):
            assert process.poll() is None
            time.sleep(0.05)
        with duckdb.connect(db, read_only=True):
            go.touch()
            while not results.read_bytes():
                time.sleep(0.05)
            for line in process.stderr:
                if "The results are stored after the next checkpoint" in line:
                    break
        process.communicate()
    assert fetch(db, "SELECT count(*) FROM parity_cases") == [(len(NAMES) - 1,)]


def count_runs(db):
    try:
        return fetch(db, "SELECT count(*) FROM parity_runs") == [(1,)]
    except duckdb.Error:  # the sweep has it open
        return False


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--disk-budget", "20"], "'20' is not a size; use e.g. 500MB, 20GB or 1.5TB"),
        (["--disk-budget", "1GB", "--baseline", "x"], "--disk-budget cannot be combined with"),
        (["--actors", "2"], "--actors requires --engine ray"),
        (["--engine", "ray", "--demo"], "--engine ray cannot be combined with --demo"),
        (["--out", "x.svg"], "--out x.svg has no known extension. Known: .txt, .md, .json, .html."),
    ],
)
def test_options_without_sense_are_refused(folder, options, message):
    process = run_parity(folder, *options)
    assert process.returncode == 2
    assert message in " ".join(process.stderr.split())


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege")
def test_blobs_that_repositories_share_are_opened(folder, tmp_path):
    """huggingface_hub 2 stores what comes by Xet once for all repositories of a cache."""
    cache = tmp_path / "hub"
    shared, blobs = cache / "blobs" / "ab", cache / "models--ann--bert" / "blobs"
    snapshot = cache / "models--ann--bert" / "snapshots" / SHA
    for path in (shared, blobs, snapshot):
        path.mkdir(parents=True)
    shutil.copyfile(folder / "config.json", snapshot / "config.json")
    (folder / "model.safetensors").rename(shared / "abcd")
    (blobs / "etag").symlink_to("../../blobs/ab/abcd")
    (snapshot / "model.safetensors").symlink_to("../../blobs/etag")
    modules = [{"type": f"sentence_transformers.models.{name}", "path": name}
               for name in ("Transformer", "Pooling")]  # fmt: skip
    (shared / "m").write_text(json.dumps(modules))
    (shared / "p").write_text('{"pooling_mode_mean_tokens": true}')
    (snapshot / "Pooling").mkdir()
    (snapshot / "modules.json").symlink_to("../../../blobs/ab/m")
    (snapshot / "Pooling" / "config.json").symlink_to("../../../../blobs/ab/p")
    checkpoint = open_checkpoint(snapshot)
    assert checkpoint.weights[0].parts[0].read_bytes()
    assert checkpoint.pooling.modes == ("mean",)


@pytest.mark.parametrize(
    ("endpoint", "token"), [("https://hub.example", TOKEN), ("http://hub.example", False)]
)
def test_token_is_sent_by_https_only(monkeypatch, endpoint, token):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    assert find_token() == token


def test_folders_of_one_name_are_two_checkpoints(folder, fake_backend, tmp_path):
    """What agrees in one of them says nothing about the other."""
    other = shutil.copytree(folder, tmp_path / "other" / folder.name)
    file = other / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-8] + struct.pack("<2f", 1, math.nan))
    options = ("--backends", "pytorch", "--backend-python", f"pytorch={fake_backend()}")
    process = run_parity(folder, other, *options, "--no-measure", "--format", "json")
    assert process.returncode == 1, process.stderr
    document = json.loads(process.stdout)
    assert [(case["checkpoint"], case["verdict"]) for case in document["cases"]] == [
        (f"{tmp_path.name}/{folder.name}", "agree"),
        (f"other/{folder.name}", "not finite"),
    ]
    assert document["finding"] == (
        f"1 of 2 checkpoints could not be compared: other/{folder.name} in PyTorch (not finite)"
    )
