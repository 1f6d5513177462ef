"""`hfscan snapshot`: once a day, complete, and not published if it drops suspiciously."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from testhub import FakeHub, Population

from hfscan.cli import cli
from hfscan.errors import SuspiciousDropError
from hfscan.store import Store, list_snapshots
from hfscan.sync import LocalTarget, SyncOptions

pytestmark = pytest.mark.slow


def utc_now(**offset):
    return datetime.now(UTC) + timedelta(**offset)


def format_time(instant):
    return instant.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def make_model(number, **fields):
    return {
        "_id": f"64{number:06x}{number:016x}", "id": f"a/{number}", "tags": ["pytorch"],
        "createdAt": "2023-05-01T00:00:00.000Z", "lastModified": "2023-05-02T00:00:00.000Z",
        "downloads": 5, "likes": 1, "siblings": [{"rfilename": "pytorch_model.bin"}],
    } | fields  # fmt: skip


@pytest.fixture
def population():
    return Population.from_rows([make_model(n) for n in range(200)])


@pytest.fixture
def hub(population):
    with FakeHub(population, quota=None, page_size=50) as hub:
        yield hub


@pytest.fixture
def take_snapshot(hub, tmp_path):
    """Return a function that updates one folder."""
    target = LocalTarget(tmp_path / "state")
    return lambda **options: target.update(
        SyncOptions({"endpoint": hub.url, "token": None}, **options)
    )


def test_snapshot_is_taken_once_a_day(take_snapshot, hub, tmp_path, monkeypatch):
    monkeypatch.setattr("hfscan.sync.local._MEMORY_LIMIT", "1 MB")  # too little: it is lifted
    state, new = take_snapshot()
    assert new
    assert (
        state.message == "data: 200 models, pytorch-only 100.0 % (best evidence, coverage 100.0 %)"
    )
    folder = tmp_path / "state"
    for name in ("export/README.md", "reports/report.html", "reports/claims.md"):
        assert (folder / name).is_file()
    mtimes = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    request_count = len(hub.requests)
    assert take_snapshot() == (state, False)
    assert len(hub.requests) == request_count
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == mtimes


def test_next_day_is_an_update_with_message(take_snapshot, population, skip_reports):
    skip_reports()
    take_snapshot()
    ids = list(population.ids)
    changed = {"tags": [], "siblings": [], "lastModified": format_time(utc_now())}
    population.edit(ids[3], **changed)  # no framework any more
    new_id = f"{int(utc_now().timestamp()):08x}" + "0" * 16
    population.put(
        make_model(9)
        | {"_id": new_id, "id": "b/new", "createdAt": format_time(utc_now()), "tags": ["tf"],
           "siblings": [{"rfilename": "tf_model.h5"}]}
    )  # fmt: skip
    state, new = take_snapshot(now=utc_now(days=1))
    assert new
    assert state.kind == "update"
    assert state.message == (
        "data: +1 ~1 -0, pytorch-only 100.0 % -> 99.5 % (best evidence, coverage 100.0 % -> 99.5 %)"
    )


def test_full_crawl_after_a_week(take_snapshot, population, skip_reports):
    skip_reports()
    take_snapshot()
    population.delete(next(iter(population.ids)))
    state, _ = take_snapshot(now=utc_now(days=8))
    assert state.kind == "crawl"
    assert state.message.startswith("data: +0 ~0 -1, pytorch-only 100.0 % -> 100.0 % (")


def test_killed_run_completes_without_crawl(take_snapshot, hub, tmp_path, skip_reports):
    skip_reports()
    state, _ = take_snapshot()
    (tmp_path / "state" / "snapshot.json").unlink()  # as after a kill before the last step
    request_count = len(hub.requests)
    assert take_snapshot() == (state, True)
    assert len(hub.requests) == request_count


def test_suspicious_drop_is_not_published(take_snapshot, population, tmp_path, skip_reports):
    skip_reports()
    first_state, _ = take_snapshot()
    for key in list(population.ids)[:20]:
        population.delete(key)
    with pytest.raises(
        SuspiciousDropError, match=r"models 200 -> 180.*--allow-drop.*hfscan delete 2"
    ):
        take_snapshot(full=True, now=utc_now(days=1))
    saved_state = json.loads((tmp_path / "state" / "snapshot.json").read_text())
    assert saved_state["snapshot"] == first_state.snapshot
    state, new = take_snapshot(allow_drop=True)  # the same day: without another crawl
    assert new
    assert state.message.startswith("data: +0 ~0 -20")
    with Store.open(tmp_path / "state" / "hfscan.duckdb") as store:
        assert len(list_snapshots(store)) == 2


def test_drop_is_refused_until_it_is_accepted(take_snapshot, population, skip_reports):
    skip_reports()
    take_snapshot()
    for key in list(population.ids)[:20]:
        population.delete(key)
    for day in (1, 2):  # a full crawl, then an update of it
        with pytest.raises(SuspiciousDropError, match="200 -> 180"):
            take_snapshot(full=day == 1, now=utc_now(days=day))
    state, _ = take_snapshot(allow_drop=True, now=utc_now(days=3))
    assert state.message.startswith("data: +0 ~0 -20")
    state, _ = take_snapshot(now=utc_now(days=4))
    assert state.message.startswith("data: +0 ~0 -0")


def test_command_prints_the_message(hub, tmp_path, skip_reports):
    skip_reports()
    command = ["snapshot", "--target", str(tmp_path / "s"), "--endpoint", hub.url]
    first_result = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert (
        first_result.stdout
        == "data: 200 models, pytorch-only 100.0 % (best evidence, coverage 100.0 %)\n"
    )
    second_result = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert second_result.stdout.startswith("No new snapshot: ")
