"""The history stores differences, and every snapshot can be read back exactly."""

import random
import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import combinations_with_replacement
from pathlib import Path

import duckdb
import pytest
from dumps import encode, ingest

from hfscan.errors import ImportFileError, NotFoundError
from hfscan.figures import load
from hfscan.scope import Scope
from hfscan.store import (
    CreationDate,
    Store,
    delete_snapshots,
    export_history,
    import_history,
    list_snapshots,
    record_dates,
)

DAY = datetime(2024, 1, 1, tzinfo=UTC)
MODELS_SQL = "SELECT * EXCLUDE (snapshot) FROM models_in({}) ORDER BY key"


def ingest_day(store: Store, folder: Path, number: int, rows, **fields) -> int:
    """Import `rows` as the models of day `number`; return the snapshot."""
    dump = folder / f"{number}.json"
    dump.write_bytes(encode(rows))
    day = DAY + timedelta(days=number)
    fields = {"origin": dump.name, "complete": True} | fields
    return ingest(store, dump, day=day, **fields).snapshot


def make_model(number: int, **fields):
    id_ = f"{0x63000000 + number:08x}{'a' * 16}"
    created = datetime.fromtimestamp(0x63000000 + number, UTC).isoformat()
    return {"_id": id_, "id": f"a/{number}", "createdAt": created} | fields


def make_days(seed: int, days: int):
    """Return the models of each day; models are added, removed, restored and changed."""
    rng = random.Random(seed)
    return [
        [
            make_model(
                number,
                downloads=rng.choice([None, 0, 1]),
                likes=rng.randrange(2),
                tags=rng.choice([["pytorch"], ["tf", "x"], ["x", "tf"], [], None]),
                siblings=rng.choice([["a.onnx"], []]),
            )
            for number in range(12)
            if rng.random() < 0.7
        ]
        + [make_model(99, downloads=day, tags=["x"], siblings=["b"], likes=0)]
        for day in range(days)
    ]


def read_intervals(store: Store) -> list[list[tuple]]:
    """Return the history as intervals between snapshot times, independent of ids."""
    joins = """
        JOIN snapshots AS first ON first.series_id = spans.series_id AND first.position = valid_from
        LEFT JOIN snapshots AS last
            ON last.series_id = spans.series_id AND last.position = valid_to
    """
    model_keys = "SELECT DISTINCT series_id, model, key FROM versions"
    counts = """(SELECT series_id, model, valid_from, NULL AS valid_to, * EXCLUDE (series_id, model,
        valid_from) FROM current_counts UNION ALL FROM counts_history)"""
    return [
        store.execute(sql).fetchall()
        for sql in (
            "SELECT first.observed_to, last.observed_to, spans.* EXCLUDE (series_id, model, "
            f"valid_from, valid_to) FROM versions AS spans {joins} ORDER BY ALL",
            "SELECT key, first.observed_to, last.observed_to, downloads, downloads_all_time, likes "
            f"FROM {counts} AS spans JOIN ({model_keys}) USING (series_id, model) {joins} "
            "ORDER BY ALL",
            "SELECT observed_to, missing_columns, models FROM snapshots ORDER BY ALL",
        )
    ]


@pytest.fixture
def create_store(tmp_path):
    """Return a function that creates a store; all are closed after the test."""
    stores = []

    def create() -> Store:
        stores.append(Store.open(tmp_path / f"{len(stores)}.duckdb", write=True))
        return stores[-1]

    yield create
    for store in stores:
        store.connection.close()


@pytest.mark.parametrize("seed", range(2))
def test_history_is_independent_of_import_order(create_store, tmp_path, seed):
    rng, days = random.Random(seed), make_days(seed, 6)
    models_by_day = []
    for number, rows in enumerate(days):
        store = create_store()
        snapshot = ingest_day(store, tmp_path, number, rows)
        models_by_day.append(store.execute(MODELS_SQL.format(snapshot)).fetchall())
    ordered_store = create_store()
    for number, rows in enumerate(days):
        ingest_day(ordered_store, tmp_path, number, rows)
    for _ in range(2):
        store, order = create_store(), rng.sample(range(6), 6)
        snapshots = {number: ingest_day(store, tmp_path, number, days[number]) for number in order}
        for number, snapshot in snapshots.items():
            assert store.execute(MODELS_SQL.format(snapshot)).fetchall() == models_by_day[number]
        assert read_intervals(store) == read_intervals(ordered_store)
        deleted = rng.sample(range(6), 3)
        for number in deleted:
            delete_snapshots(store, snapshots[number])
        store_without = create_store()
        for number in sorted({*range(6)} - {*deleted}):
            ingest_day(store_without, tmp_path, number, days[number])
        assert read_intervals(store) == read_intervals(store_without)


def test_recorded_days_equal_their_replay(create_store, shared_data, tmp_path):
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
        store = create_store()
        for number in order:
            day = datetime(2026, 8, 31, tzinfo=UTC) + timedelta(days=number)
            snapshot = ingest(store, dumps[number], day=day).snapshot
            assert snapshot == len(list_snapshots(store))
        for number, snapshot in enumerate(list_snapshots(store)):
            columns = """id, author, created_at::TIMESTAMP, last_modified::TIMESTAMP, pipeline_tag,
                library_name, tags, likes, downloads, gated::VARCHAR"""
            stored_models = f"SELECT {columns} FROM models_in({snapshot.id})"
            expected_models = f"""SELECT {columns} FROM (SELECT * RENAME ("createdAt" AS created_at,
                "lastModified" AS last_modified) FROM read_parquet('{dumps[number]}'))"""
            count = store.execute(f"SELECT count(*) FROM ({stored_models})").fetchone()
            assert count == (snapshot.models,)
            for difference in (
                f"{stored_models} EXCEPT ALL {expected_models}",
                f"{expected_models} EXCEPT ALL {stored_models}",
            ):
                assert not store.execute(f"{difference} LIMIT 5").fetchall()
        rows = store.execute("SELECT count(*) FROM versions").fetchone()
        assert rows[0] < 22_000  # not seven copies of ten thousand


def test_removal_needs_a_complete_snapshot(create_store, tmp_path):
    store = create_store()
    old_model, new_model, present_model = (
        make_model(1),
        make_model(365 * 86_400),
        make_model(2),
    )  # of 2022, 2023 and 2022
    before_2023, from_2023 = (
        Scope(until=DAY.replace(year=2023)),
        Scope(since=DAY.replace(year=2023)),
    )
    assert ingest_day(store, tmp_path, 0, [old_model, new_model, present_model]) == 1
    ingest_day(store, tmp_path, 1, [present_model], complete=None)  # a dump that may lack anything
    ingest_day(store, tmp_path, 2, [present_model], scope=before_2023)
    ingest_day(
        store, tmp_path, 3, [old_model | {"id": "b/1"}], scope=Scope(author="b"), complete=False
    )
    ingest_day(store, tmp_path, 4, [present_model])
    ingest_day(store, tmp_path, 5, [old_model, present_model])
    ingest_day(store, tmp_path, 6, [], scope=from_2023)
    removed = store.execute(
        "SELECT key, removed_after, removed_before, last_seen, first_absent_in, reappeared_in "
        "FROM removed_models ORDER BY removed_before, key"
    ).fetchall()
    day = [(DAY + timedelta(days=n)).replace(tzinfo=None) for n in range(6)]
    assert removed == [
        (old_model["_id"], day[0], day[2], 1, 3, 4),
        (old_model["_id"], day[3], day[4], 4, 5, 6),  # back, renamed, and gone again
        (new_model["_id"], day[0], day[4], 1, 5, None),
    ]


def test_same_files_are_one_snapshot(create_store, tmp_path):
    store = create_store()
    assert ingest_day(store, tmp_path, 0, [make_model(1)]) == 1
    initial_intervals = read_intervals(store)
    assert ingest_day(store, tmp_path, 0, [make_model(1)]) == 1
    assert read_intervals(store) == initial_intervals
    assert len(list_snapshots(store)) == 1


def test_missing_snapshot_cannot_be_deleted(create_store, tmp_path):
    store = create_store()
    ingest_day(store, tmp_path, 0, [make_model(1)])
    with pytest.raises(NotFoundError, match="no snapshot 7"):
        delete_snapshots(store, 1, 7)
    assert len(list_snapshots(store)) == 1


def count_changes(before, after):
    """Count the changes between two lists of models; a framework by its tag."""
    old, new = ({model["_id"]: model for model in models} for models in (before, after))
    kept = [(old[key], new[key]) for key in old.keys() & new.keys()]
    tagged = [
        ("tf" in model["tags"], "tf" in later["tags"])
        for model, later in kept
        if model["tags"] is not None and later["tags"] is not None
    ]
    changed = [
        (
            None not in (model["tags"], later["tags"]) and model["tags"] != later["tags"],
            model["siblings"] != later["siblings"],
        )
        for model, later in kept
    ]
    return {
        ("kept", None): len(kept),
        ("renamed", None): sum(model["id"] != later["id"] for model, later in kept),
        ("changed", None): sum(map(any, changed)),
        ("changed tags", None): sum(tags for tags, _ in changed),
        ("changed files", None): sum(files for _, files in changed),
        ("removed", None): len(old.keys() - new.keys()),
        ("added", None): len(new.keys() - old.keys()),
        ("gained", "tensorflow"): tagged.count((False, True)),
        ("lost", "tensorflow"): tagged.count((True, False)),
    }


def test_changes_within_a_series_are_recounted(tmp_path):
    """Of a model that has one version in both snapshots, nothing changed."""
    days = make_days(seed=5, days=5)
    for models in days[2:]:
        models[-1]["id"] = "a/renamed"
    with Store.open(tmp_path / "h.duckdb", write=True) as store:
        ids = [ingest_day(store, tmp_path, number, rows) for number, rows in enumerate(days)]
        assert len({snapshot.series_id for snapshot in list_snapshots(store)}) == 1
        totals = Counter()
        pairs = list(zip(ids, days, strict=True))
        for (earlier, before), (later, after) in combinations_with_replacement(pairs, 2):
            expected = count_changes(before, after)
            parameters = {"earlier": earlier, "later": later, "frameworks": ["tensorflow"]}
            rows = load("changes").run(store, parameters)
            found = {(row["change"], row["framework"]): row["models"] for row in rows}
            not_recorded = {(f"changed {part}", None): None for part in ("library", "task", "gate")}
            assert found == expected | not_recorded
            totals += Counter(expected)
    assert len(totals) == 9  # each change occurs


@pytest.mark.parametrize("seed", range(4))
def test_update_holds_what_it_fetched_and_else_its_base(create_store, tmp_path, seed):
    """Whenever it comes in: the same as a dump of all these models."""
    rng, days = random.Random(seed), make_days(seed, 6)
    if seed % 3 == 2:  # an update then sees a column that its base lacks, or lacks one that it has
        for row in days[0]:
            del row["siblings"]
    days[0][0]["gated"] = ["not understood"]
    updated, imported = create_store(), create_store()
    order = rng.sample(range(1, 6), 5)
    for number in (0, *order):
        rows = days[number]
        if number == 0 or rng.random() < 0.3:
            for store in (updated, imported):
                ingest_day(store, tmp_path, number, rows)
            continue
        fetched = rng.sample(rows, rng.randrange(1, len(rows)))
        ids = {row["_id"] for row in fetched}
        ingest_day(updated, tmp_path, number, fetched, kind="update", base=1, complete=False)
        carried = [row for row in days[0] if row["_id"] not in ids]
        ingest_day(imported, tmp_path, number, fetched + carried)
    assert read_intervals(updated) == read_intervals(imported)
    unreadable, expected = (
        {
            (snapshot.observed_to, column.field, column.models)
            for snapshot in list_snapshots(store)
            for column in snapshot.unreadable
        }
        for store in (updated, imported)
    )
    assert unreadable == expected


def test_update_without_memory_is_inserted_again(create_store, tmp_path):
    """Its carried models are staged once, whatever the first attempt had staged."""
    first, second = make_days(seed=2, days=2)
    for row in first:  # of another series than the update, which stages all models that it carries
        del row["siblings"]
    fetched = second[:3]
    limited, store, attempts = create_store(), create_store(), []

    def fail_once(_: int) -> None:
        attempts.append(limited.fetch_one("SELECT current_setting('memory_limit')"))
        if len(attempts) == 1:
            raise duckdb.OutOfMemoryException("too little")

    for target, before_commit in ((limited, fail_once), (store, None)):
        ingest_day(target, tmp_path, 0, first)
        update = {"kind": "update", "base": 1, "complete": False}
        ingest_day(target, tmp_path, 1, fetched, before_commit=before_commit, **update)
    assert len(set(attempts)) == 2
    assert read_intervals(limited) == read_intervals(store)


def read_fixed_files(folder: Path) -> dict[str, bytes]:
    """Return the files of a saved history that never change."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*-after-*")
    }


@pytest.mark.parametrize("seed", range(2))
def test_saved_history_is_restored_and_only_appended(create_store, tmp_path, seed):
    days, folder = make_days(seed, 6), tmp_path / "saved"
    store, earlier_files = create_store(), {}
    for number, rows in enumerate(days):
        ingest_day(store, tmp_path, number, rows)
        export_history(store, folder)
        current_files = read_fixed_files(folder)
        assert earlier_files.items() <= current_files.items()
        assert len(current_files) == 2 * (number + 1)
        earlier_files = current_files
    record_dates(store, [CreationDate("a/1", DAY)], kind="first commit", origin="hub")
    delete_snapshots(store, 3)
    export_history(store, folder)
    restored_path = tmp_path / "again.duckdb"
    import_history(restored_path, folder)
    with Store.open(restored_path, write=True) as restored_store:
        assert read_intervals(restored_store) == read_intervals(store)
        assert list_snapshots(restored_store) == list_snapshots(store)
        for table in ("creation_dates", "removed_models", "metadata"):
            query = f"FROM {table} ORDER BY ALL"
            assert restored_store.execute(query).fetchall() == store.execute(query).fetchall()
        # the restored history continues as the original
        assert (
            ingest_day(restored_store, tmp_path, 6, days[0])
            == ingest_day(store, tmp_path, 6, days[0])
            == 7
        )
        assert read_intervals(restored_store) == read_intervals(store)
        export_history(restored_store, tmp_path / "other")
    export_history(store, folder)
    assert read_fixed_files(tmp_path / "other").keys() == read_fixed_files(folder).keys()
    next(iter(sorted((folder / "versions").iterdir(), reverse=True))).unlink()
    with pytest.raises(ImportFileError, match="Incomplete history in"):
        import_history(restored_path, folder)
    with Store.open(restored_path) as restored_store:
        assert read_intervals(restored_store) == read_intervals(store)  # unchanged


def test_snapshots_of_past_months_share_a_file(create_store, tmp_path):
    """Files that an earlier day wrote are read, too, but no snapshot twice."""
    # two days of 2022, one of 2023, two of January 2024 and two of February
    numbers = (-400, -390, -2, 4, 20, 35, 40)
    store, folder, earlier = create_store(), tmp_path / "saved", tmp_path / "earlier"
    for number, rows in zip(numbers, make_days(seed=3, days=len(numbers)), strict=True):
        ingest_day(store, tmp_path, number, rows)
        export_history(store, folder)
        if number == 20:
            shutil.copytree(folder, earlier)
    names = [file.name for file in sorted((folder / "versions").iterdir())]
    assert [name[:17] for name in names] == [
        "000001-to-000002-", "000003-after-0000", "000004-to-000005-", "000006-after-0000",
        "000007-after-0000",
    ]  # fmt: skip
    restored = tmp_path / "again.duckdb"
    for keep_shared in (True, False):
        import_history(restored, folder)
        with Store.open(restored) as restored_store:
            assert read_intervals(restored_store) == read_intervals(store)
        for table in ("versions", "counts"):
            if keep_shared:  # next with the files as an earlier day wrote them
                (folder / table / names[2]).unlink()
                shutil.copytree(earlier / table, folder / table, dirs_exist_ok=True)
    export_history(store, folder)
    assert [file.name for file in sorted((folder / "counts").iterdir())] == names
    shutil.copytree(earlier / "counts", folder / "counts", dirs_exist_ok=True)
    with pytest.raises(ImportFileError, match="has snapshot 4 in several files"):
        import_history(restored, folder)
