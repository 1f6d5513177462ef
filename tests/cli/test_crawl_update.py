"""`hfscan crawl --incremental` stores models that are new or changed, and no others."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from testhub import FakeHub, Faults, Population

from hfscan.errors import NotFoundError
from hfscan.store import Store, delete_snapshots


def iso(**ago: float) -> str:
    return (datetime.now(UTC) - timedelta(**ago)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def model(number: int, **more):
    """A model of 2023, last changed then."""
    return {
        "_id": f"64{number:06x}{number:016x}", "id": f"a/{number}", "tags": ["pytorch"],
        "createdAt": "2023-05-01T00:00:00.000Z", "lastModified": "2023-05-02T00:00:00.000Z",
        "downloads": 5, "likes": 1, "siblings": [{"rfilename": "pytorch_model.bin"}],
    } | more  # fmt: skip


def test_update_stores_changes_and_names_its_limits(crawl) -> None:
    population = Population.from_rows([model(n) for n in range(400)])
    ids = list(population.ids)
    with FakeHub(population, quota=None, page_size=20) as hub:
        crawl.endpoint = hub.url
        assert crawl()[0] == 0
        now = f"{int(datetime.now(UTC).timestamp()):08x}" + "0" * 16
        population.put(
            model(9) | {"_id": now, "id": "b/new", "createdAt": iso(), "lastModified": iso(days=9)}
        )
        changed = {"tags": ["pytorch", "tf"], "lastModified": iso(), "downloads": 7, "id": "a/x"}
        population.edit(ids[3], **changed)
        population.edit(ids[200], lastModified=iso(minutes=30))  # during the first crawl, perhaps
        population.edit(ids[300], downloads=1_000)
        population.delete(ids[5])
        before = len(hub.requests)
        code, out, err = crawl("--incremental")
        assert (code, err) == (0, "")
        assert len(hub.requests) - before == 2
        assert "new or changed since snapshot 1" in out
        assert "Not covered by an update: models deleted" in out
        assert "downloads" in out
        assert crawl.rows("SELECT kind, complete, base FROM snapshots WHERE id = 2") == [
            ("update", False, 1)
        ]
        first, second = "SELECT * EXCLUDE (snapshot) FROM models_in(1)", "FROM models_in(2)"
        differing = crawl.rows(
            f"SELECT key, id, downloads, tag_mask FROM (SELECT * EXCLUDE (snapshot) {second} "
            f"EXCEPT {first}) ORDER BY key"
        )
        assert [row[:3] for row in differing] == [
            (ids[3], "a/x", 7),
            (ids[200], "a/200", 5),
            (now, "b/new", 5),
        ]
        assert differing[0][3] == 3  # PyTorch and TensorFlow
        assert not crawl.rows("FROM removed_models")
        # the next one begins where this one began, and a full crawl sees the rest
        assert crawl("--incremental")[0] == 0
        assert crawl()[0] == 0
    assert crawl.rows("SELECT base FROM snapshots ORDER BY id") == [(None,), (1,), (2,), (None,)]
    with Store.open(crawl.folder / "hfscan.duckdb", write=True) as store:
        with pytest.raises(NotFoundError, match="hfscan delete 2 3"):
            delete_snapshots(store, 2)
        full = store.execute(query := "FROM models_in(4) ORDER BY key").fetchall()
        assert len(delete_snapshots(store, 3)) == 1
        assert store.execute(query).fetchall() == full
    assert crawl.rows("SELECT key, last_seen, first_absent_in FROM removed_models") == [
        (ids[5], 1, 4)
    ]
    assert crawl.rows(f"SELECT downloads FROM models_in(4) WHERE key = '{ids[300]}'") == [(1_000,)]


def test_killed_update_starts_over(crawl) -> None:
    population = Population.from_rows([model(n) for n in range(40)])
    with FakeHub(population, quota=None, page_size=10) as hub:
        crawl.endpoint = hub.url
        assert crawl()[0] == 0
        now = f"{int(datetime.now(UTC).timestamp()):08x}"
        new = [f"{now}{number:016x}" for number in range(40)]
        for id_ in new:
            population.put(model(1) | {"_id": id_, "id": f"b/{id_}", "lastModified": iso(days=9)})
        before, hub.latency = len(hub.requests), 0.2
        process = crawl.start("--incremental")
        while len(hub.requests) < before + 3:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
        process.communicate()
        hub.latency = 0
        population.edit(new[-1], likes=99)
        population.delete(new[-2])
        assert crawl("--incremental")[0] == 0
    assert crawl.rows("SELECT max(likes), count(*) FROM models_in(2)") == [(99, 79)]
    assert not [*crawl.folder.glob("*.journal")]


def test_incomplete_update_pages_are_retried(crawl) -> None:
    population = Population.from_rows([model(n) for n in range(40)])
    with FakeHub(population, quota=None, page_size=10) as hub:
        crawl.endpoint = hub.url
        assert crawl()[0] == 0
        for fault in ("skipped-row", "odd-types"):
            for id_ in population.ids[:15]:
                population.edit(id_, lastModified=iso(), sha=fault)
            hub.faults = Faults({fault: 1.0}, most=2)
            assert crawl("--incremental")[0] == 0
            newest = "models_in((SELECT max(id) FROM snapshots))"
            query = f"SELECT count(*) FROM {newest} WHERE sha = '{fault}'"
            assert crawl.rows(query) == [(15,)], fault


def test_update_needs_a_full_crawl(crawl) -> None:
    with FakeHub(Population.from_rows([model(1), model(2)]), quota=None) as hub:
        crawl.endpoint = hub.url
        assert crawl("--limit", "1")[0] == 0
        code, _, err = crawl("--incremental")
        assert code == NotFoundError.exit_code
        assert f"There is no full crawl of {hub.url} to update" in err
        code, _, err = crawl("--incremental", "--author", "a")
        assert code == 2
        assert "--incremental cannot be combined with" in err
