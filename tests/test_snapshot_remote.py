"""`hfscan snapshot --target hf://datasets/...`: the official client against the fake Hub."""

import shutil
import signal
import time
from copy import deepcopy
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from processes import TOKEN, WITHOUT_REPORTS, start_hfscan
from testhub import FakeHub, Population

from hfscan.cli import cli
from hfscan.errors import HubRefusedError, StaleError
from hfscan.hub.datasets import HubDataset, list_files
from hfscan.store import Store, export_history, list_snapshots
from hfscan.sync import DatasetTarget, SyncOptions, check_age

TODAY = datetime.now(UTC)

pytestmark = [
    pytest.mark.slow,
    # of the official client, when it uploads a file
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def server():
    """A server shared by all tests: a state is tied to the URL that it was crawled from."""
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
def first_publication(server, tmp_path_factory):
    """The dataset and the machine's folder after the first snapshot, and what the run returned."""
    server.datasets.clear()
    work = tmp_path_factory.mktemp("first") / "one"
    target = DatasetTarget(HubDataset("census", endpoint=server.url, token=TOKEN), work)
    returned = run_update(target, server)
    return deepcopy(server.datasets["ann/census"]), work, returned


@pytest.fixture
def published_hub(first_publication, hub, tmp_path):
    """The Hub with the first snapshot, published by machine "one"."""
    dataset, work, _ = first_publication
    hub.datasets["ann/census"] = deepcopy(dataset)
    shutil.copytree(work, tmp_path / "one")
    return hub


@pytest.fixture
def create_target(hub, tmp_path):
    """Return a function that creates the target of a named machine, or of a new machine."""
    numbers = iter(range(99))

    def create(folder_name: str | None = None) -> DatasetTarget:
        dataset = HubDataset("census", endpoint=hub.url, token=TOKEN)
        return DatasetTarget(dataset, tmp_path / (folder_name or f"machine-{next(numbers)}"))

    return create


def run_update(target, hub, day=0, **options):
    now = TODAY + timedelta(days=day)
    return target.update(SyncOptions({"endpoint": hub.url, "token": TOKEN}, now=now, **options))


def read_snapshots(target):
    """Return the snapshots of a machine's database with their models."""
    with Store.open(target.work / "hfscan.duckdb") as store:
        return [
            (snapshot.id, store.execute(f"FROM models_in({snapshot.id}) ORDER BY key").fetchall())
            for snapshot in list_snapshots(store)
        ]


def test_each_day_is_one_commit_with_history(
    published_hub, first_publication, create_target, skip_reports
):
    hub, first_target = published_hub, create_target("one")
    population = hub.population
    *_, (state, new) = first_publication
    assert new
    dataset = hub.datasets["ann/census"]
    assert dataset.commits == [state.message]
    assert dataset.tags == {f"{state.instant:%F}": dataset.sha}
    assert "hf://datasets/ann/census" in dataset.files["README.md"].decode()
    files = dict(dataset.files)

    # the same day on another machine: no crawl, no commit, and the reports are downloaded
    second_target, request_count = create_target(), len(hub.requests)
    assert run_update(second_target, hub) == (state, False)
    assert not [
        request
        for request in hub.requests[request_count:]
        if request.target.startswith("/api/models")
    ]
    assert (dataset.files, len(dataset.commits)) == (files, 1)
    assert (second_target.reports / "report.md").read_bytes() == files["daily/report.md"]
    skip_reports()

    population.edit(population.ids[5], tags=["tf"], lastModified=TODAY.isoformat())
    update_target = create_target()
    state, new = run_update(update_target, hub, day=1)
    assert (new, state.kind) == (True, "update")
    assert state.message.startswith("data: +0 ~1 -0, pytorch-only ")
    assert dataset.commits[1:] == [state.message]
    history_files = {name for name in dataset.files if name.startswith(("history/v", "history/c"))}
    assert all(dataset.files[name] == files[name] for name in history_files & files.keys())
    assert {name for name in files if name.startswith(("models/", "figures/"))} == {
        name for name in dataset.files if name.startswith(("models/", "figures/"))
    }
    population.delete(population.ids[7])
    crawl_target = create_target()
    state, _ = run_update(crawl_target, hub, day=8)
    assert (state.kind, state.message[:19]) == ("crawl", "data: +0 ~0 -1, pyt")
    assert read_snapshots(crawl_target)[:2] == read_snapshots(update_target)
    assert read_snapshots(crawl_target)[:1] == read_snapshots(first_target)


def test_retention_deletes_old_updates(published_hub, create_target, skip_reports):
    skip_reports()
    hub = published_hub
    assert create_target("one").read_state().kind == "crawl"
    assert [run_update(create_target("one"), hub, day=day)[0].kind for day in (1, 8)] == [
        "update",
        "crawl",
    ]
    state, _ = run_update(create_target("one"), hub, day=9, retention=timedelta(days=1))
    dataset = hub.datasets["ann/census"]
    assert dataset.commits[-2:] == [state.message, "prune: -1 snapshot"]
    assert dataset.tags[f"{state.instant:%F}"] != dataset.sha  # tagged before it was pruned
    machine = create_target()
    state, _ = run_update(machine, hub, day=10)
    assert state.message.startswith("data: +0 ~0 -0")
    with Store.open(machine.work / "hfscan.duckdb") as store:
        assert [(snapshot.id, snapshot.kind) for snapshot in list_snapshots(store)] == [
            (number, "crawl") for number in (1, 3, 4, 5)
        ]
    names = {name for name in hub.datasets["ann/census"].files if "history/versions/" in name}
    assert names == {
        f"history/versions/{later:06}-after-{earlier:06}.parquet"
        for later, earlier in ((1, 0), (3, 1), (4, 3), (5, 4))
    }


def test_ten_years_of_days_are_restored_with_few_requests(
    published_hub, create_target, tmp_path, skip_reports
):
    """The Hub limits requests: the files of past months and years are shared."""
    skip_reports()
    hub, work = published_hub, tmp_path / "one"
    with Store.open(work / "hfscan.duckdb", write=True) as store:
        store.execute(  # ten years before the first snapshot, in which no model changes
            "UPDATE snapshots SET position = 3651; "
            "INSERT INTO snapshots SELECT snapshots.* REPLACE ("
            "id + days AS id, 3651 - days AS position, 'update' AS kind, "
            "observed_from - INTERVAL 1 DAY * days AS observed_from, "
            "observed_to - INTERVAL 1 DAY * days AS observed_to) "
            "FROM snapshots, range(1, 3651) AS earlier(days)"
        )
        export_history(store, work / "history")
    dataset = create_target("one").dataset
    files = {f"history/{name}": file for name, file in list_files(work / "history").items()}
    dataset.publish(files, "ten years", parent=dataset.head(), managed_folders=["history"])
    hub.requests.clear()
    machine = create_target()
    state, new = run_update(machine, hub, day=1)
    targets = [request.target for request in hub.requests]
    before_crawl = next(i for i, target in enumerate(targets) if target.startswith("/api/models"))
    assert (new, state.kind) == (True, "update")
    assert 100 < before_crawl < 300
    with Store.open(machine.work / "hfscan.duckdb") as store:
        assert len(list_snapshots(store)) == 3652


def test_concurrent_commit_is_not_overwritten(
    published_hub, create_target, monkeypatch, skip_reports
):
    skip_reports()
    hub = published_hub
    slow_target, publish = create_target(), HubDataset.publish

    def publish_second(self, *arguments, **options):
        monkeypatch.setattr(HubDataset, "publish", publish)
        # another model, or both commits might have the same files and the second be empty
        hub.population.edit(hub.population.ids[5], tags=["tf"], lastModified=TODAY.isoformat())
        run_update(create_target(), hub, day=1)
        return publish(self, *arguments, **options)

    monkeypatch.setattr(HubDataset, "publish", publish_second)
    with pytest.raises(HubRefusedError, match="A commit has happened since"):
        run_update(slow_target, hub, day=1)
    assert len(hub.datasets["ann/census"].commits) == 2


def test_age_of_no_snapshot(hub, create_target):
    with pytest.raises(StaleError, match="no snapshot yet"):
        check_age(create_target().read_state(), timedelta(days=2))


def test_age_is_checked(published_hub, create_target):
    state = create_target().read_state()
    check_age(state, timedelta(days=2))
    with pytest.raises(StaleError, match="more than 2 days ago"):
        check_age(state, timedelta(days=2), state.instant + timedelta(days=2, seconds=1))


def snapshot_command(tmp_path, work: str) -> list[str]:
    return ["snapshot", "--target", "hf://datasets/census", "--work-dir", str(tmp_path / work)]


@pytest.mark.parametrize(
    ("kill_point", "machine"),
    [
        ("cursor=", "one"), ("/hfscan.duckdb", "two"), ("/history", "one"),
        ("/snapshot.json", "two"), ("/lfs/", "two"), ("/tag/", "one"),
    ],
)  # fmt: skip
def test_killed_run_completes_when_repeated(hub, tmp_path, skip_reports, kill_point, machine):
    """`kill_point`: the process is killed after this request, or file of its folder.

    `machine`: repeats the command; the killed process ran on "one". One process writes all reports.
    """
    hub.latency = 0.05
    process = start_hfscan(
        tmp_path,
        *snapshot_command(tmp_path, "one"),
        code=None if kill_point == "/lfs/" else WITHOUT_REPORTS,
        HF_ENDPOINT=hub.url,
        HF_TOKEN=TOKEN,
    )
    while process.poll() is None:
        is_reached = any(kill_point in request.target for request in tuple(hub.requests))
        if is_reached or (kill_point[0] == "/" and (tmp_path / f"one{kill_point}").exists()):
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    hub.latency = 0.0
    skip_reports()
    result = CliRunner(env={"HF_TOKEN": TOKEN}).invoke(
        cli, [*snapshot_command(tmp_path, machine), "--endpoint", hub.url]
    )
    assert result.exit_code == 0, result.output
    assert TOKEN not in result.output
    dataset = hub.datasets["ann/census"]
    assert len(dataset.commits) == 1
    assert list(dataset.tags.values()) == [dataset.sha]
    target = DatasetTarget(
        HubDataset("ann/census", endpoint=hub.url, token=TOKEN), tmp_path / "three"
    )
    state, _ = run_update(target, hub, day=1)
    assert state.message.startswith("data: +0 ~0 -0")
    assert [len(models) for _, models in read_snapshots(target)] == [len(hub.population)] * 2
