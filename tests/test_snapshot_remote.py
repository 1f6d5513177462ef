"""`hfscan snapshot --target hf://datasets/...`: the real client against the fake Hub."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from hfscan.cli import cli
from hfscan.errors import HubRefusedError, StaleError
from hfscan.fakehub import FakeHub, Population
from hfscan.hub.publish import Dataset
from hfscan.store import Store
from hfscan.sync import DatasetTarget, SyncOptions, check_age

ROOT = Path(__file__).parents[1]
TOKEN = "hf_" + "s" * 34
TODAY = datetime.now(UTC)

pytestmark = [
    pytest.mark.slow,
    # how the official client uploads a file
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),
]


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    """Chunk storage (Xet) is a service beside the Hub; files go the way of LFS instead."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)


@pytest.fixture
def population():
    return Population.synthetic(300, seed=4)


@pytest.fixture
def hub(population):
    with FakeHub(population, quota=None, tokens={TOKEN: "ann"}) as hub:
        yield hub


@pytest.fixture
def remote(hub, tmp_path):
    """A fresh machine each time, unless it is named."""
    made = iter(range(99))

    def start(work: str | None = None) -> DatasetTarget:
        dataset = Dataset("census", endpoint=hub.url, token=TOKEN)
        return DatasetTarget(dataset, tmp_path / (work or f"machine-{next(made)}"))

    return start


def run(remote, hub, day=0, **more):
    now = TODAY + timedelta(days=day)
    return remote.update(SyncOptions(hub.url, TOKEN, now=now, **more))


def seen(remote):
    """Every snapshot that a machine's database holds, with its models."""
    with Store.open(remote.work / "hfscan.duckdb") as store:
        return [
            (one.id, store.connection.execute(f"FROM models_in({one.id}) ORDER BY key").fetchall())
            for one in store.snapshots()
        ]


def test_each_day_is_one_commit_and_every_machine_has_all_of_the_history(hub, population, remote):
    first = remote()
    shown, new = run(first, hub)
    assert new
    dataset = hub.datasets["ann/census"]
    assert dataset.commits == [shown.message]
    assert dataset.tags == {f"{shown.instant:%F}": dataset.sha}
    assert "hf://datasets/ann/census" in dataset.files["README.md"].decode()
    before = dict(dataset.files)

    # the same day, from elsewhere: nothing is crawled, nothing added, the reports are there
    other, asked = remote(), len(hub.requests)
    assert run(other, hub) == (shown, False)
    assert not [one for one in hub.requests[asked:] if one.target.startswith("/api/models")]
    assert (dataset.files, len(dataset.commits)) == (before, 1)
    assert (other.reports / "report.md").read_bytes() == before["daily/report.md"]

    population.edit(population.ids[5], tags=["tf"], lastModified=TODAY.isoformat())
    second = remote()
    shown, new = run(second, hub, day=1)
    assert (new, shown.kind) == (True, "update")
    assert shown.message.startswith("data: +0 ~1 -0, pytorch-only ")
    assert dataset.commits[1:] == [shown.message]
    grown = {name for name in dataset.files if name.startswith(("history/v", "history/c"))}
    assert all(dataset.files[name] == before[name] for name in grown & before.keys())
    assert {name for name in before if name.startswith(("models/", "figures/"))} == {
        name for name in dataset.files if name.startswith(("models/", "figures/"))
    }
    population.delete(population.ids[7])
    third = remote()
    shown, _ = run(third, hub, day=8)
    assert (shown.kind, shown.message[:19]) == ("crawl", "data: +0 ~0 -1, pyt")
    assert seen(third)[:2] == seen(second)
    assert seen(third)[:1] == seen(first)


def test_keep_forgets_the_updates_before_a_crawl_of_long_ago(hub, remote):
    kinds = [run(remote("one"), hub, day=day)[0].kind for day in (0, 1, 8)]
    assert kinds == ["crawl", "update", "crawl"]
    run(remote("one"), hub, day=9, retention=timedelta(days=1))
    machine = remote()
    shown, _ = run(machine, hub, day=10)
    assert shown.message.startswith("data: +0 ~0 -0")
    with Store.open(machine.work / "hfscan.duckdb") as store:
        assert [(one.id, one.kind) for one in store.snapshots()] == [
            (number, "crawl") for number in (1, 3, 4, 5)
        ]
    names = {name for name in hub.datasets["ann/census"].files if "history/versions/" in name}
    assert names == {
        f"history/versions/{one:06}-after-{other:06}.parquet"
        for one, other in ((1, 0), (3, 1), (4, 3), (5, 4))
    }


def test_what_another_machine_published_meanwhile_is_not_overwritten(hub, remote, monkeypatch):
    run(remote(), hub)
    slow, before = remote(), Dataset.publish

    def late(self, *arguments, **more):
        monkeypatch.setattr(Dataset, "publish", before)
        run(remote(), hub, day=1)
        return before(self, *arguments, **more)

    monkeypatch.setattr(Dataset, "publish", late)
    with pytest.raises(HubRefusedError, match="A commit has happened since"):
        run(slow, hub, day=1)
    assert len(hub.datasets["ann/census"].commits) == 2


def test_its_age_is_told(hub, remote):
    with pytest.raises(StaleError, match="no snapshot yet"):
        check_age(remote().read_state(), timedelta(days=2))
    run(remote(), hub)
    shown = remote().read_state()
    check_age(shown, timedelta(days=2))
    with pytest.raises(StaleError, match="more than 2 days ago"):
        check_age(shown, timedelta(days=2), shown.instant + timedelta(days=2, seconds=1))


def snapshot(tmp_path, work: str) -> list[str]:
    return ["snapshot", "--target", "hf://datasets/census", "--work-dir", str(tmp_path / work)]


def start(hub, tmp_path, work: str) -> "subprocess.Popen[str]":
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HFSCAN_"))}
    given = {
        "HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN,
        "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    return subprocess.Popen(
        [sys.executable, "-m", "hfscan", *snapshot(tmp_path, work)],
        env=kept | given, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("reached", "again"),
    [
        ("cursor=", "one"), ("/hfscan.duckdb", "two"), ("/history", "one"),
        ("/snapshot.json", "two"), ("/lfs/", "two"), ("/tag/", "one"),
    ],
)  # fmt: skip
def test_killed_anywhere_and_run_again_it_completes(hub, tmp_path, reached, again):
    """`reached`: what is asked of the Hub, or made in the folder, when kill -9 comes.

    `again`: the machine that runs it again; the killed one was "one".
    """
    hub.latency = 0.05
    process = start(hub, tmp_path, "one")
    while process.poll() is None:
        asked = any(reached in one.target for one in tuple(hub.requests))
        if asked or (reached[0] == "/" and (tmp_path / f"one{reached}").exists()):
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    hub.latency = 0.0
    # not killed, it needs no process of its own, which would draw all charts anew
    done = CliRunner(env={"HF_TOKEN": TOKEN}).invoke(
        cli, [*snapshot(tmp_path, again), "--endpoint", hub.url]
    )
    assert done.exit_code == 0, done.output
    assert TOKEN not in done.output
    dataset = hub.datasets["ann/census"]
    assert len(dataset.commits) == 1
    assert list(dataset.tags.values()) == [dataset.sha]
    later = DatasetTarget(Dataset("ann/census", endpoint=hub.url, token=TOKEN), tmp_path / "three")
    shown, _ = run(later, hub, day=1)
    assert shown.message.startswith("data: +0 ~0 -0")
    assert [len(models) for _, models in seen(later)] == [len(hub.population)] * 2
