"""`hfscan crawl --incremental` stores models that are new or changed, and no others."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from testhub import FakeHub, Faults, Population

from hfscan.errors import NotFoundError
from hfscan.store import Store, delete_snapshots


def format_time(**ago: float) -> str:
    return (datetime.now(UTC) - timedelta(**ago)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def make_model(number: int, **fields):
    """Return a model that was created and last changed in 2023."""
    return {
        "_id": f"64{number:06x}{number:016x}", "id": f"a/{number}", "tags": ["pytorch"],
        "createdAt": "2023-05-01T00:00:00.000Z", "lastModified": "2023-05-02T00:00:00.000Z",
        "downloads": 5, "likes": 1, "siblings": [{"rfilename": "pytorch_model.bin"}],
    } | fields  # fmt: skip


def test_update_stores_changes_and_names_its_limits(crawl) -> None:
    population = Population.from_rows([make_model(n) for n in range(400)])
    ids = list(population.ids)
    with FakeHub(population, quota=None, page_size=20) as hub:
        crawl.endpoint = hub.url
        assert crawl()[0] == 0
        new_id = f"{int(datetime.now(UTC).timestamp()):08x}" + "0" * 16
        population.put(
            make_model(9)
            | {
                "_id": new_id,
                "id": "b/new",
                "createdAt": format_time(),
                "lastModified": format_time(days=9),
            }
        )
        changes = {
            "tags": ["pytorch", "tf"],
            "lastModified": format_time(),
            "downloads": 7,
            "id": "a/x",
        }
        population.edit(ids[3], **changes)
        population.edit(
            ids[200], lastModified=format_time(minutes=30)
        )  # may have been during the first crawl
        population.edit(ids[300], downloads=1_000)
        population.delete(ids[5])
        request_count = len(hub.requests)
        code, out, err = crawl("--incremental")
        assert (code, err) == (0, "")
        assert len(hub.requests) - request_count == 2
        assert "new or may have changed since snapshot 1" in out
        assert "Not covered by an update: models deleted" in out
        assert "downloads" in out
        assert crawl.query("SELECT kind, complete, base FROM snapshots WHERE id = 2") == [
            ("update", False, 1)
        ]
        first_sql, second_sql = "SELECT * EXCLUDE (snapshot) FROM models_in(1)", "FROM models_in(2)"
        changed_rows = crawl.query(
            f"SELECT key, id, downloads, tag_mask FROM (SELECT * EXCLUDE (snapshot) {second_sql} "
            f"EXCEPT {first_sql}) ORDER BY key"
        )
        assert [row[:3] for row in changed_rows] == [
            (ids[3], "a/x", 7),
            (ids[200], "a/200", 5),
            (new_id, "b/new", 5),
        ]
        assert changed_rows[0][3] == 3  # PyTorch and TensorFlow
        assert not crawl.query("FROM removed_models")
        # the next update starts where this one started; a full crawl finds all changes
        assert crawl("--incremental")[0] == 0
        assert crawl()[0] == 0
    assert crawl.query("SELECT base FROM snapshots ORDER BY id") == [(None,), (1,), (2,), (None,)]
    with Store.open(crawl.folder / "hfscan.duckdb", write=True) as store:
        with pytest.raises(NotFoundError, match="hfscan delete 2 3"):
            delete_snapshots(store, 2)
        models = store.execute(query := "FROM models_in(4) ORDER BY key").fetchall()
        assert len(delete_snapshots(store, 3)) == 1
        assert store.execute(query).fetchall() == models
    assert crawl.query("SELECT key, last_seen, first_absent_in FROM removed_models") == [
        (ids[5], 1, 4)
    ]
    assert crawl.query(f"SELECT downloads FROM models_in(4) WHERE key = '{ids[300]}'") == [(1_000,)]


def test_killed_update_starts_over(crawl) -> None:
    population = Population.from_rows([make_model(n) for n in range(40)])
    with FakeHub(population, quota=None, page_size=10) as hub:
        crawl.endpoint = hub.url
        assert crawl()[0] == 0
        prefix = f"{int(datetime.now(UTC).timestamp()):08x}"
        new_ids = [f"{prefix}{number:016x}" for number in range(40)]
        for id_ in new_ids:
            population.put(
                make_model(1) | {"_id": id_, "id": f"b/{id_}", "lastModified": format_time(days=9)}
            )
        request_count, hub.latency = len(hub.requests), 0.2
        process = crawl.start("--incremental")
        while len(hub.requests) < request_count + 3:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
        process.communicate()
        hub.latency = 0
        population.edit(new_ids[-1], likes=99)
        population.delete(new_ids[-2])
        assert crawl("--incremental")[0] == 0
    assert crawl.query("SELECT max(likes), count(*) FROM models_in(2)") == [(99, 79)]
    assert not [*crawl.folder.glob("*.journal")]


def test_incomplete_update_pages_are_retried(crawl) -> None:
    population = Population.from_rows([make_model(n) for n in range(40)])
    with FakeHub(population, quota=None, page_size=10) as hub:
        crawl.endpoint = hub.url
        assert crawl()[0] == 0
        for fault in ("skipped-row", "odd-types"):
            for id_ in population.ids[:15]:
                population.edit(id_, lastModified=format_time(), sha=fault)
            hub.faults = Faults({fault: 1.0}, most=2)
            assert crawl("--incremental")[0] == 0
            newest_models = "models_in((SELECT max(id) FROM snapshots))"
            query = f"SELECT count(*) FROM {newest_models} WHERE sha = '{fault}'"
            assert crawl.query(query) == [(15,)], fault


def test_update_needs_a_full_crawl(crawl) -> None:
    with FakeHub(Population.from_rows([make_model(1), make_model(2)]), quota=None) as hub:
        crawl.endpoint = hub.url
        assert crawl("--limit", "1")[0] == 0
        code, _, err = crawl("--incremental")
        assert code == NotFoundError.exit_code
        assert f"There is no full crawl of {hub.url} to update" in err
        code, _, err = crawl("--incremental", "--author", "a")
        assert code == 2
        assert "--incremental cannot be combined with" in err
