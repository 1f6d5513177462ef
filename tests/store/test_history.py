"""The history stores differences, and every snapshot can be read back exactly."""

import json
import random
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from hfscan.errors import ImportFileError, NotFoundError
from hfscan.figures import load
from hfscan.scope import Scope
from hfscan.store import (
    CreationDate,
    NewSnapshot,
    Store,
    delete_snapshots,
    export_history,
    import_history,
    ingest_files,
    list_snapshots,
    record_dates,
)

DAY = datetime(2024, 1, 1, tzinfo=UTC)
SEEN = "SELECT * EXCLUDE (snapshot) FROM models_in({}) ORDER BY key"


def ingest(store: Store, folder: Path, number: int, rows, **more) -> int:
    """Observe `rows` on day `number`; return the snapshot."""
    dump = folder / f"{number}.json"
    dump.write_text(json.dumps(rows))
    at = DAY + timedelta(days=number)
    options: dict[str, Any] = {
        "kind": "import",
        "origin": dump.name,
        "scope": Scope(),
        "complete": True,
    } | more
    return ingest_files(
        store, [dump], NewSnapshot(observed_from=at, observed_to=at, **options)
    ).snapshot


def model(number: int, **more):
    id_ = f"{0x63000000 + number:08x}{'a' * 16}"
    created = datetime.fromtimestamp(0x63000000 + number, UTC).isoformat()
    return {"_id": id_, "id": f"a/{number}", "createdAt": created} | more


def worlds(seed: int, days: int):
    """Return the models of each day; models are added, removed, restored and changed."""
    chance = random.Random(seed)
    return [
        [
            model(
                number,
                downloads=chance.choice([None, 0, 1]),
                likes=chance.randrange(2),
                tags=chance.choice([["pytorch"], ["tf", "x"], ["x", "tf"], [], None]),
                siblings=chance.choice([["a.onnx"], []]),
            )
            for number in range(12)
            if chance.random() < 0.7
        ]
        + [model(99, downloads=day, tags=["x"], siblings=["b"], likes=0)]
        for day in range(days)
    ]


def spans(store: Store) -> list[list[tuple]]:
    """Return the history as spans between snapshot times, independent of ids."""
    ends = """
        JOIN snapshots AS first ON first.series_id = spans.series_id AND first.position = valid_from
        LEFT JOIN snapshots AS last
            ON last.series_id = spans.series_id AND last.position = valid_to
    """
    numbered = "SELECT DISTINCT series_id, model, key FROM versions"
    counts = """(SELECT series_id, model, valid_from, NULL AS valid_to, * EXCLUDE (series_id, model,
        valid_from) FROM current_counts UNION ALL FROM counts_history)"""
    return [
        store.execute(sql).fetchall()
        for sql in (
            "SELECT first.observed_to, last.observed_to, spans.* EXCLUDE (series_id, model, "
            f"valid_from, valid_to) FROM versions AS spans {ends} ORDER BY ALL",
            "SELECT key, first.observed_to, last.observed_to, downloads, downloads_all_time, likes "
            f"FROM {counts} AS spans JOIN ({numbered}) USING (series_id, model) {ends} "
            "ORDER BY ALL",
            "SELECT observed_to, missing_columns, models FROM snapshots ORDER BY ALL",
        )
    ]


@pytest.fixture
def opened(tmp_path):
    stores = []

    def fresh() -> Store:
        stores.append(Store.open(tmp_path / f"{len(stores)}.duckdb", write=True))
        return stores[-1]

    yield fresh
    for store in stores:
        store.connection.close()


@pytest.mark.parametrize("seed", range(2))
def test_history_is_independent_of_import_order(opened, tmp_path, seed):
    chance, days = random.Random(seed), worlds(seed, 6)
    alone = []
    for number, rows in enumerate(days):
        store = opened()
        snapshot = ingest(store, tmp_path, number, rows)
        alone.append(store.execute(SEEN.format(snapshot)).fetchall())
    in_order = opened()
    for number, rows in enumerate(days):
        ingest(in_order, tmp_path, number, rows)
    for _ in range(2):
        store, order = opened(), chance.sample(range(6), 6)
        snapshots = {number: ingest(store, tmp_path, number, days[number]) for number in order}
        for number, snapshot in snapshots.items():
            assert store.execute(SEEN.format(snapshot)).fetchall() == alone[number]
        assert spans(store) == spans(in_order)
        deleted = chance.sample(range(6), 3)
        for number in deleted:
            delete_snapshots(store, snapshots[number])
        never = opened()
        for number in sorted({*range(6)} - {*deleted}):
            ingest(never, tmp_path, number, days[number])
        assert spans(store) == spans(never)


def test_recorded_days_equal_their_replay(opened, shared_data, tmp_path):
    changes = shared_data / "hub-2026-08" / "changes.parquet"
    dumps = []
    with duckdb.connect() as connection:
        for number in range(7):
            dumps.append(tmp_path / f"{number}.parquet")
            connection.execute(
                f"""
                COPY (
                    SELECT id, author, created_at AS "createdAt", updated_at AS "lastModified",
                        pipeline_tag, library AS library_name, tags, likes,
                        downloads_30d AS downloads, gated
                    FROM read_parquet('{changes}') WHERE seq <= {number}
                    QUALIFY op <> 'delete'
                        AND row_number() OVER (PARTITION BY id ORDER BY seq DESC) = 1
                ) TO '{dumps[-1]}'
                """
            )
    for order in (range(7), random.Random(7).sample(range(7), 7)):
        store = opened()
        for number in order:
            at = datetime(2026, 8, 31, tzinfo=UTC) + timedelta(days=number)
            snapshot = ingest_files(
                store, [dumps[number]], NewSnapshot("import", "radar", Scope(), at, at, None)
            ).snapshot
            assert snapshot == len(list_snapshots(store))
        for number, saved in enumerate(list_snapshots(store)):
            columns = """id, author, created_at::TIMESTAMP, last_modified::TIMESTAMP, pipeline_tag,
                library_name, tags, likes, downloads, gated::VARCHAR"""
            stored = f"SELECT {columns} FROM models_in({saved.id})"
            replay = f"""SELECT {columns} FROM (SELECT * RENAME ("createdAt" AS created_at,
                "lastModified" AS last_modified) FROM read_parquet('{dumps[number]}'))"""
            count = store.execute(f"SELECT count(*) FROM ({stored})").fetchone()
            assert count == (saved.models,)
            for difference in (f"{stored} EXCEPT ALL {replay}", f"{replay} EXCEPT ALL {stored}"):
                assert not store.execute(f"{difference} LIMIT 5").fetchall()
        rows = store.execute("SELECT count(*) FROM versions").fetchone()
        assert rows[0] < 22_000  # not seven copies of ten thousand


def test_removal_needs_a_complete_snapshot(opened, tmp_path):
    store = opened()
    old, new, unchanged = model(1), model(3 * 365 * 86_400), model(2)  # of 2022, 2025 and 2022
    before, after = Scope(until=DAY.replace(year=2023)), Scope(since=DAY.replace(year=2023))
    assert ingest(store, tmp_path, 0, [old, new, unchanged]) == 1
    ingest(store, tmp_path, 1, [unchanged], complete=None)  # a dump that may lack anything
    ingest(store, tmp_path, 2, [unchanged], scope=before)
    ingest(store, tmp_path, 3, [old | {"id": "b/1"}], scope=Scope(author="b"), complete=False)
    ingest(store, tmp_path, 4, [unchanged])
    ingest(store, tmp_path, 5, [old, unchanged])
    ingest(store, tmp_path, 6, [], scope=after)
    removed = store.execute(
        "SELECT key, removed_after, removed_before, last_seen, first_absent_in, reappeared_in "
        "FROM removed_models ORDER BY removed_before, key"
    ).fetchall()
    day = [(DAY + timedelta(days=n)).replace(tzinfo=None) for n in range(6)]
    assert removed == [
        (old["_id"], day[0], day[2], 1, 3, 4),
        (old["_id"], day[3], day[4], 4, 5, 6),  # back, renamed, and gone again
        (new["_id"], day[0], day[4], 1, 5, None),
    ]


def test_same_files_are_one_snapshot(opened, tmp_path):
    store = opened()
    assert ingest(store, tmp_path, 0, [model(1)]) == 1
    before = spans(store)
    assert ingest(store, tmp_path, 0, [model(1)]) == 1
    assert spans(store) == before
    assert len(list_snapshots(store)) == 1


def test_missing_snapshot_cannot_be_deleted(opened, tmp_path):
    store = opened()
    ingest(store, tmp_path, 0, [model(1)])
    with pytest.raises(NotFoundError, match="no snapshot 7"):
        delete_snapshots(store, 1, 7)
    assert len(list_snapshots(store)) == 1


def test_changes_between_the_recorded_censuses(censuses, shared_data, tmp_path):
    files = [shared_data / "hub-2022-02.jsonl.gz", shared_data / "hub-2024-07.parquet"]
    plain = duckdb.connect()
    plain.execute(
        f"CREATE VIEW old AS SELECT modelId AS id, tags, pipeline_tag, library_name "
        f"FROM read_json('{files[0]}')"
    )
    plain.execute(
        f"CREATE VIEW new AS SELECT id, tags, pipeline_tag, library_name "
        f"FROM read_parquet('{files[1]}')"
    )

    def count(sql: str) -> int:
        return plain.execute(f"SELECT count(*) FROM {sql}").fetchone()[0]

    both = "old JOIN new USING (id) WHERE"
    tagged_before, tagged_after = (f"list_contains({state}.tags, 'tf')" for state in ("old", "new"))
    wanted = {
        ("kept", None): count(f"{both} true"),
        ("renamed", None): 0,
        ("changed", None): count(
            f"{both} old.tags IS DISTINCT FROM new.tags OR old.pipeline_tag IS DISTINCT FROM "
            "new.pipeline_tag OR old.library_name IS DISTINCT FROM new.library_name"
        ),
        ("removed", None): count("old ANTI JOIN new USING (id)"),
        ("added", None): count("new ANTI JOIN old USING (id)"),
        ("gained", "tensorflow"): count(f"{both} NOT {tagged_before} AND {tagged_after}"),
        ("lost", "tensorflow"): count(f"{both} {tagged_before} AND NOT {tagged_after}"),
    }
    query, parameters = load("changes"), {"earlier": 1, "later": 2, "frameworks": ["tensorflow"]}
    shutil.copy(censuses, tmp_path / "h.duckdb")
    with Store.open(tmp_path / "h.duckdb", write=True) as store:
        rows = query.run(store, parameters)
        assert {(row["change"], row["framework"]): row["models"] for row in rows} == wanted
        assert (
            min(wanted["kept", None], wanted["removed", None], wanted["gained", "tensorflow"]) > 100
        )
        # where the Hub redirects a name that is gone, its model stayed
        ((old_name,),) = plain.execute(
            "SELECT min(id) FROM (FROM old ANTI JOIN new USING (id))"
        ).fetchall()
        ((new_name,),) = plain.execute(
            "SELECT min(id) FROM (FROM new ANTI JOIN old USING (id))"
        ).fetchall()
        record_dates(
            store, [CreationDate(old_name, None, new_name)], kind="first commit", origin="a test"
        )
        rows = query.run(store, parameters)
        found = {row["change"]: row["models"] for row in rows}
        assert found["renamed"] == 1
        assert found["removed"] == wanted["removed", None] - 1


def files(folder: Path) -> dict[str, bytes]:
    """The files of a saved history that never change."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("0*")}


@pytest.mark.parametrize("seed", range(2))
def test_saved_history_is_restored_and_only_appended(opened, tmp_path, seed):
    days, saved = worlds(seed, 6), tmp_path / "saved"
    store, before = opened(), {}
    for number, rows in enumerate(days):
        ingest(store, tmp_path, number, rows)
        export_history(store, saved)
        now = files(saved)
        assert before.items() <= now.items()
        assert len(now) == 2 * (number + 1)
        before = now
    record_dates(store, [CreationDate("a/1", DAY)], kind="first commit", origin="hub")
    delete_snapshots(store, 3)
    export_history(store, saved)
    again = tmp_path / "again.duckdb"
    import_history(again, saved)
    with Store.open(again, write=True) as restored:
        assert spans(restored) == spans(store)
        assert list_snapshots(restored) == list_snapshots(store)
        for table in ("creation_dates", "removed_models", "metadata"):
            query = f"FROM {table} ORDER BY ALL"
            assert restored.execute(query).fetchall() == store.execute(query).fetchall()
        # and history goes on there as it would have here
        assert ingest(restored, tmp_path, 6, days[0]) == ingest(store, tmp_path, 6, days[0]) == 7
        assert spans(restored) == spans(store)
        export_history(restored, tmp_path / "other")
    export_history(store, saved)
    assert files(tmp_path / "other").keys() == files(saved).keys()
    next(iter(sorted((saved / "versions").iterdir(), reverse=True))).unlink()
    with pytest.raises(ImportFileError, match="Incomplete history in"):
        import_history(again, saved)
    with Store.open(again) as reopened:
        assert spans(reopened) == spans(store)  # as it was
