"""`hfscan report --from hf://datasets/...`: a published snapshot, without a crawl."""

import json
import os
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from processes import TOKEN, run_hfscan
from testhub import FakeHub, Population

from hfscan.cli import cli
from hfscan.pipeline import crawl
from hfscan.scope import Scope

pytestmark = [
    pytest.mark.slow,  # processes that import huggingface_hub
    # of the official client, when it uploads a file
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),
]

YEAR = Scope(since=datetime(2022, 1, 1, tzinfo=UTC), until=datetime(2023, 1, 1, tzinfo=UTC))


@pytest.fixture
def hub():
    with FakeHub(Population.synthetic(300, seed=4), quota=None, tokens={TOKEN: "ann"}) as hub:
        yield hub


@pytest.fixture
def write(hub):
    """Return a function that runs a command with a token, in this process."""

    def write(*arguments) -> None:
        command = [*map(str, arguments), "--endpoint", hub.url]
        result = CliRunner(env={"HF_TOKEN": TOKEN}).invoke(cli, command)
        assert result.exit_code == 0, result.output

    return write


@pytest.fixture
def publish(hub, tmp_path, write, skip_reports):
    """Return a function that crawls and publishes as ann/census, without reports."""
    skip_reports()
    db = tmp_path / "publisher.duckdb"

    def crawl_and_publish() -> None:
        crawl(YEAR, endpoint=hub.url, token=None, db=db)
        write("publish", "ann/census", "--db", db)
        dataset = hub.datasets["ann/census"]
        dataset.tags[f"day-{len(dataset.commits)}"] = dataset.sha

    return crawl_and_publish


@pytest.fixture
def run(hub, tmp_path):
    def run_in_empty_folder(*arguments, **variables):
        folder = tmp_path / "reader"
        folder.mkdir(exist_ok=True)
        return run_hfscan(folder, *arguments, HF_ENDPOINT=hub.url, **variables)

    return run_in_empty_folder


def test_published_snapshot_gives_the_same_report(hub, publish, run, tmp_path):
    publish()
    url = "hf://datasets/ann/census"
    code, out, err = run("report", "--year", "2022", "--from", url, "--format", "json")
    assert code == 0, err
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    assert f"Note: the snapshot of {url} is of {day}, with " in err
    db = str(tmp_path / "publisher.duckdb")
    local = run("report", "--year", "2022", "--format", "json", HFSCAN_DB=db)
    figures, expected = (json.loads(text)["figures"] for text in (out, local[1]))
    assert figures == expected
    assert not list((tmp_path / "reader").glob("*.duckdb"))

    # the second time it is in the cache, also offline; other commands read it as well
    requests = len(hub.requests)
    assert run("report", "--year", "2022", "--from", url, "--format", "json")[0] == 0
    assert not any("/resolve/" in str(request) for request in hub.requests[requests:])
    code, out, err = run(
        "query", "SELECT count(*) AS n FROM census", "--from", url, "--format", "csv",
        HF_HUB_OFFLINE="1",
    )  # fmt: skip
    assert code == 0, err
    assert int(out.split()[1]) == json.loads(local[1])["snapshot"]["models"]


def test_new_commit_replaces_the_cached_one(hub, publish, run):
    publish()
    count = ("query", "SELECT count(*) AS n FROM census", "--format", "csv", "--from")
    assert run(*count, "hf://datasets/ann/census")[0] == 0
    before = int(run(*count, "hf://datasets/ann/census")[1].split()[1])
    hub.population.delete(
        next(key for key in hub.population.ids if "6300" < key < "6380")
    )  # of 2022
    publish()
    assert int(run(*count, "hf://datasets/ann/census")[1].split()[1]) == before - 1
    assert int(run(*count, "hf://datasets/ann/census@day-1")[1].split()[1]) == before
    # the owner by the environment
    assert run(*count, "hf://datasets/census", HFSCAN_OWNER="ann")[0] == 0


def test_unused_database_is_deleted_after_days(hub, publish, run, tmp_path):
    """Another process, or another release, may be about to open one that is not the newest."""
    count = ("query", "SELECT count(*) AS n FROM census", "--format", "csv", "--from")
    home = {"HF_HOME": str(tmp_path / "home")}
    for _ in range(2):
        publish()
        assert run(*count, "hf://datasets/ann/census", **home)[0] == 0
        hub.population.delete(next(key for key in hub.population.ids if "6300" < key < "6380"))
    first, second = sorted(
        (tmp_path / "home").rglob("*.duckdb"), key=lambda path: path.stat().st_mtime
    )
    for path in (first, second):
        os.utime(path, (0, 0))
    assert run(*count, "hf://datasets/ann/census", **home)[0] == 0
    assert (first.exists(), second.exists()) == (False, True)


def test_dataset_of_daily_snapshots_is_read(hub, run, write, tmp_path, skip_reports):
    """Its export is beside a history, which is not downloaded."""
    skip_reports()
    target = ("--target", "hf://datasets/ann/daily", "--work-dir", tmp_path / "work")
    write("snapshot", *target)
    requests = len(hub.requests)
    url = f"hf://datasets/ann/daily@{datetime.now(UTC):%F}"
    count = ("query", "SELECT count(*) AS n FROM census", "--format", "csv")
    code, out, err = run(*count, "--from", url)
    assert (code, out.split()) == (0, ["n", "300"]), err
    files = [found.target for found in hub.requests[requests:] if "/resolve/" in found.target]
    assert any("/models/" in file for file in files)
    assert not any("/history/" in file for file in files)


def test_wrong_datasets_are_refused_with_advice(hub, publish, run):
    publish()
    hub.datasets["ann/census"].files = {"README.md": b"---\n---\n"}
    for url, code, message in (
        ("hf://datasets/census", 2, "HFSCAN_OWNER sets the owner"),
        ("https://huggingface.co/datasets/ann/census", 2, "not of the form"),
        ("hf://datasets/ann/none", 8, "There is no dataset ann/none"),
        ("hf://datasets/ann/census", 8, "holds no snapshot"),
        ("hf://datasets/ann/census@never", 4, "cannot be read"),
    ):
        found, _, err = run("report", "--from", url)
        assert (found, message in err) == (code, True), (url, err)
    code, _, err = run("report", "--from", "hf://datasets/ann/census", "--db", "x.duckdb")
    assert (code, "cannot be combined with --db" in err) == (2, True)
    code, _, err = run("report", "--from", "hf://datasets/ann/other", HF_HUB_OFFLINE="1")
    assert (code, "is not in the cache" in err) == (3, True)
