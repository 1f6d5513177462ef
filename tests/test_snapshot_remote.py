"""`hfscan snapshot --target hf://datasets/...`: the real client against the fake Hub."""

import shutil
import signal
import time
from copy import deepcopy
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from processes import TOKEN, start_hfscan
from testhub import FakeHub, Population

from hfscan.cli import cli
from hfscan.errors import HubRefusedError, StaleError
from hfscan.hub.datasets import HubDataset
from hfscan.store import Store, list_snapshots
from hfscan.sync import DatasetTarget, SyncOptions, check_age

TODAY = datetime.now(UTC)

pytestmark = [
    pytest.mark.slow,
    # how the official client uploads a file
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def server():
    """One server for all tests: a state belongs to the URL that it was crawled from."""
    with FakeHub(Population.synthetic(300, seed=4), quota=None, tokens={TOKEN: "ann"}) as server:
        yield server


@pytest.fixture
def hub(server):
    """The server without datasets; its models are restored after the test."""
    server.datasets.clear()
    server.requests.clear()
    models = list(server.population)
    yield server
    server.latency = 0.0
    for model in models:
        if server.population.get(model["_id"]) != model:
            server.population.put(model)


@pytest.fixture(scope="module")
def first_day(server, tmp_path_factory):
    """The first published snapshot: the dataset, and the folder of the machine."""
    server.datasets.clear()
    work = tmp_path_factory.mktemp("first") / "one"
    run(DatasetTarget(HubDataset("census", endpoint=server.url, token=TOKEN), work), server)
    return deepcopy(server.datasets["ann/census"]), work


@pytest.fixture
def published(first_day, hub, tmp_path):
    """The hub with the first snapshot, which machine "one" has published."""
    dataset, work = first_day
    hub.datasets["ann/census"] = deepcopy(dataset)
    shutil.copytree(work, tmp_path / "one")
    return hub


@pytest.fixture
def remote(hub, tmp_path):
    """Return a function that makes a machine, a new one unless it is named."""
    numbers = iter(range(99))

    def start(work: str | None = None) -> DatasetTarget:
        dataset = HubDataset("census", endpoint=hub.url, token=TOKEN)
        return DatasetTarget(dataset, tmp_path / (work or f"machine-{next(numbers)}"))

    return start


def run(remote, hub, day=0, **more):
    now = TODAY + timedelta(days=day)
    return remote.update(SyncOptions({"endpoint": hub.url, "token": TOKEN}, now=now, **more))


def read_snapshots(remote):
    """Return every snapshot of a machine's database with its models."""
    with Store.open(remote.work / "hfscan.duckdb") as store:
        return [
            (known.id, store.execute(f"FROM models_in({known.id}) ORDER BY key").fetchall())
            for known in list_snapshots(store)
        ]


def test_each_day_is_one_commit_with_history(hub, remote, skip_reports):
    first, population = remote(), hub.population
    state, new = run(first, hub)
    assert new
    dataset = hub.datasets["ann/census"]
    assert dataset.commits == [state.message]
    assert dataset.tags == {f"{state.instant:%F}": dataset.sha}
    assert "hf://datasets/ann/census" in dataset.files["README.md"].decode()
    before = dict(dataset.files)

    # the same day, from elsewhere: nothing is crawled, nothing added, the reports are there
    other, requested = remote(), len(hub.requests)
    assert run(other, hub) == (state, False)
    assert not [
        request for request in hub.requests[requested:] if request.target.startswith("/api/models")
    ]
    assert (dataset.files, len(dataset.commits)) == (before, 1)
    assert (other.reports / "report.md").read_bytes() == before["daily/report.md"]
    skip_reports()

    population.edit(population.ids[5], tags=["tf"], lastModified=TODAY.isoformat())
    second = remote()
    state, new = run(second, hub, day=1)
    assert (new, state.kind) == (True, "update")
    assert state.message.startswith("data: +0 ~1 -0, pytorch-only ")
    assert dataset.commits[1:] == [state.message]
    grown = {name for name in dataset.files if name.startswith(("history/v", "history/c"))}
    assert all(dataset.files[name] == before[name] for name in grown & before.keys())
    assert {name for name in before if name.startswith(("models/", "figures/"))} == {
        name for name in dataset.files if name.startswith(("models/", "figures/"))
    }
    population.delete(population.ids[7])
    third = remote()
    state, _ = run(third, hub, day=8)
    assert (state.kind, state.message[:19]) == ("crawl", "data: +0 ~0 -1, pyt")
    assert read_snapshots(third)[:2] == read_snapshots(second)
    assert read_snapshots(third)[:1] == read_snapshots(first)


def test_retention_deletes_old_updates(published, remote, skip_reports):
    skip_reports()
    hub = published
    assert remote("one").read_state().kind == "crawl"
    assert [run(remote("one"), hub, day=day)[0].kind for day in (1, 8)] == ["update", "crawl"]
    run(remote("one"), hub, day=9, retention=timedelta(days=1))
    machine = remote()
    state, _ = run(machine, hub, day=10)
    assert state.message.startswith("data: +0 ~0 -0")
    with Store.open(machine.work / "hfscan.duckdb") as store:
        assert [(known.id, known.kind) for known in list_snapshots(store)] == [
            (number, "crawl") for number in (1, 3, 4, 5)
        ]
    names = {name for name in hub.datasets["ann/census"].files if "history/versions/" in name}
    assert names == {
        f"history/versions/{later:06}-after-{earlier:06}.parquet"
        for later, earlier in ((1, 0), (3, 1), (4, 3), (5, 4))
    }


def test_concurrent_commit_is_not_overwritten(published, remote, monkeypatch, skip_reports):
    skip_reports()
    hub = published
    slow, publish = remote(), HubDataset.publish

    def publish_second(self, *arguments, **options):
        monkeypatch.setattr(HubDataset, "publish", publish)
        # another model, or both commits might have the same files and the second be empty
        hub.population.edit(hub.population.ids[5], tags=["tf"], lastModified=TODAY.isoformat())
        run(remote(), hub, day=1)
        return publish(self, *arguments, **options)

    monkeypatch.setattr(HubDataset, "publish", publish_second)
    with pytest.raises(HubRefusedError, match="A commit has happened since"):
        run(slow, hub, day=1)
    assert len(hub.datasets["ann/census"].commits) == 2


def test_age_of_no_snapshot(hub, remote):
    with pytest.raises(StaleError, match="no snapshot yet"):
        check_age(remote().read_state(), timedelta(days=2))


def test_age_is_checked(published, remote):
    state = remote().read_state()
    check_age(state, timedelta(days=2))
    with pytest.raises(StaleError, match="more than 2 days ago"):
        check_age(state, timedelta(days=2), state.instant + timedelta(days=2, seconds=1))


def snapshot(tmp_path, work: str) -> list[str]:
    return ["snapshot", "--target", "hf://datasets/census", "--work-dir", str(tmp_path / work)]


@pytest.mark.parametrize(
    ("reached", "again"),
    [
        ("cursor=", "one"), ("/hfscan.duckdb", "two"), ("/history", "one"),
        ("/snapshot.json", "two"), ("/lfs/", "two"), ("/tag/", "one"),
    ],
)  # fmt: skip
def test_killed_run_completes_when_repeated(hub, tmp_path, skip_reports, reached, again):
    """`reached`: a request or a file of the folder after which the process is killed.

    `again`: the machine that runs it again; the killed process ran on "one".
    """
    hub.latency = 0.05
    process = start_hfscan(
        tmp_path, *snapshot(tmp_path, "one"), HF_ENDPOINT=hub.url, HF_TOKEN=TOKEN
    )
    while process.poll() is None:
        requested = any(reached in request.target for request in tuple(hub.requests))
        if requested or (reached[0] == "/" and (tmp_path / f"one{reached}").exists()):
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    hub.latency = 0.0
    result = CliRunner(env={"HF_TOKEN": TOKEN}).invoke(
        cli, [*snapshot(tmp_path, again), "--endpoint", hub.url]
    )
    assert result.exit_code == 0, result.output
    assert TOKEN not in result.output
    dataset = hub.datasets["ann/census"]
    assert len(dataset.commits) == 1
    assert list(dataset.tags.values()) == [dataset.sha]
    skip_reports()
    later = DatasetTarget(
        HubDataset("ann/census", endpoint=hub.url, token=TOKEN), tmp_path / "three"
    )
    state, _ = run(later, hub, day=1)
    assert state.message.startswith("data: +0 ~0 -0")
    assert [len(models) for _, models in read_snapshots(later)] == [len(hub.population)] * 2
