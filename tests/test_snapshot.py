"""`hfscan snapshot`: once a day, whole, and never shown where it cannot be true."""

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
    return lambda **more: target.update(SyncOptions(hub.url, None, **more))


def test_the_first_shows_everything_and_the_next_of_a_day_adds_nothing(snapshot, hub, tmp_path):
    shown, new = snapshot()
    assert new
    assert shown.message == "data: 200 models, pytorch-only 100.0 %"
    state = tmp_path / "state"
    for made in ("export/README.md", "reports/report.html", "reports/claims.md"):
        assert (state / made).is_file()
    before = {path: path.stat().st_mtime_ns for path in state.rglob("*") if path.is_file()}
    asked = len(hub.requests)
    assert snapshot() == (shown, False)
    assert len(hub.requests) == asked
    assert {path: path.stat().st_mtime_ns for path in state.rglob("*") if path.is_file()} == before


def test_the_next_day_is_an_update_and_its_message_says_what_changed(
    snapshot, population, skip_reports
):
    skip_reports()
    snapshot()
    ids = list(population.ids)
    population.edit(ids[3], tags=["tf"], lastModified=iso(later()))
    now = f"{int(later().timestamp()):08x}" + "0" * 16
    population.put(
        model(9) | {"_id": now, "id": "b/new", "createdAt": iso(later()), "tags": ["pytorch"]}
    )
    shown, new = snapshot(now=later(days=1))
    assert new
    assert shown.kind == "update"
    assert shown.message == "data: +1 ~1 -0, pytorch-only 100.0 % -> 99.5 %"


def test_after_a_week_everything_is_seen_again(snapshot, population, skip_reports):
    skip_reports()
    snapshot()
    population.delete(next(iter(population.ids)))
    shown, _ = snapshot(now=later(days=8))
    assert shown.kind == "crawl"
    assert shown.message == "data: +0 ~0 -1, pytorch-only 100.0 % -> 100.0 %"


def test_what_was_seen_but_not_shown_is_shown_without_another_crawl(snapshot, hub, tmp_path):
    shown, _ = snapshot()
    (tmp_path / "state" / "snapshot.json").unlink()  # as if killed before the last step
    asked = len(hub.requests)
    assert snapshot() == (shown, True)
    assert len(hub.requests) == asked


def test_much_less_than_before_is_not_shown(snapshot, population, tmp_path, skip_reports):
    skip_reports()
    first, _ = snapshot()
    for one in list(population.ids)[:20]:
        population.delete(one)
    with pytest.raises(
        SuspiciousDropError, match=r"models 200 -> 180.*--allow-drop.*hfscan delete 2"
    ):
        snapshot(full=True, now=later(days=1))
    told = json.loads((tmp_path / "state" / "snapshot.json").read_text())
    assert told["snapshot"] == first.snapshot
    shown, new = snapshot(allow_drop=True)  # the same day: what was seen is enough
    assert new
    assert shown.message.startswith("data: +0 ~0 -20")
    with Store.open(tmp_path / "state" / "hfscan.duckdb") as store:
        assert len(list_snapshots(store)) == 2


def test_the_command_prints_the_message(hub, tmp_path):
    command = ["snapshot", "--target", str(tmp_path / "s"), "--endpoint", hub.url]
    first = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert first.stdout == "data: 200 models, pytorch-only 100.0 %\n"
    again = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert again.stdout.startswith("No new snapshot: ")
