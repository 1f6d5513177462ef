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


def later(**more):
    return datetime.now(UTC) + timedelta(**more)


def iso(instant):
    return instant.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def model(number, **more):
    return {
        "_id": f"64{number:06x}{number:016x}", "id": f"a/{number}", "tags": ["pytorch"],
        "createdAt": "2023-05-01T00:00:00.000Z", "lastModified": "2023-05-02T00:00:00.000Z",
        "downloads": 5, "likes": 1, "siblings": [{"rfilename": "pytorch_model.bin"}],
    } | more  # fmt: skip


@pytest.fixture
def population():
    return Population.from_rows([model(n) for n in range(200)])


@pytest.fixture
def hub(population):
    with FakeHub(population, quota=None, page_size=50) as hub:
        yield hub


@pytest.fixture
def snapshot(hub, tmp_path):
    target = LocalTarget(tmp_path / "state")
    return lambda **more: target.update(SyncOptions({"endpoint": hub.url, "token": None}, **more))


def test_snapshot_is_taken_once_a_day(snapshot, hub, tmp_path):
    state, new = snapshot()
    assert new
    assert state.message == "data: 200 models, pytorch-only 100.0 %"
    folder = tmp_path / "state"
    for name in ("export/README.md", "reports/report.html", "reports/claims.md"):
        assert (folder / name).is_file()
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    requests = len(hub.requests)
    assert snapshot() == (state, False)
    assert len(hub.requests) == requests
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()} == before


def test_next_day_is_an_update_with_message(snapshot, population, skip_reports):
    skip_reports()
    snapshot()
    ids = list(population.ids)
    population.edit(ids[3], tags=["tf"], lastModified=iso(later()))
    now = f"{int(later().timestamp()):08x}" + "0" * 16
    population.put(
        model(9) | {"_id": now, "id": "b/new", "createdAt": iso(later()), "tags": ["pytorch"]}
    )
    state, new = snapshot(now=later(days=1))
    assert new
    assert state.kind == "update"
    assert state.message == "data: +1 ~1 -0, pytorch-only 100.0 % -> 99.5 %"


def test_full_crawl_after_a_week(snapshot, population, skip_reports):
    skip_reports()
    snapshot()
    population.delete(next(iter(population.ids)))
    state, _ = snapshot(now=later(days=8))
    assert state.kind == "crawl"
    assert state.message == "data: +0 ~0 -1, pytorch-only 100.0 % -> 100.0 %"


def test_killed_run_completes_without_crawl(snapshot, hub, tmp_path):
    state, _ = snapshot()
    (tmp_path / "state" / "snapshot.json").unlink()  # as if killed before the last step
    requests = len(hub.requests)
    assert snapshot() == (state, True)
    assert len(hub.requests) == requests


def test_suspicious_drop_is_not_published(snapshot, population, tmp_path, skip_reports):
    skip_reports()
    first, _ = snapshot()
    for key in list(population.ids)[:20]:
        population.delete(key)
    with pytest.raises(
        SuspiciousDropError, match=r"models 200 -> 180.*--allow-drop.*hfscan delete 2"
    ):
        snapshot(full=True, now=later(days=1))
    saved = json.loads((tmp_path / "state" / "snapshot.json").read_text())
    assert saved["snapshot"] == first.snapshot
    state, new = snapshot(allow_drop=True)  # the same day: without another crawl
    assert new
    assert state.message.startswith("data: +0 ~0 -20")
    with Store.open(tmp_path / "state" / "hfscan.duckdb") as store:
        assert len(list_snapshots(store)) == 2


def test_command_prints_the_message(hub, tmp_path):
    command = ["snapshot", "--target", str(tmp_path / "s"), "--endpoint", hub.url]
    first = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert first.stdout == "data: 200 models, pytorch-only 100.0 %\n"
    again = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert again.stdout.startswith("No new snapshot: ")
