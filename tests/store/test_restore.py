"""Damaged or foreign files of a saved history are refused without any change."""

import shutil
from datetime import UTC, datetime

import duckdb
import pytest
from dumps import encode, ingest

from hfscan.errors import ImportFileError
from hfscan.store import (
    CreationDate,
    Store,
    contains_all,
    export_history,
    import_history,
    list_snapshots,
    record_dates,
)


@pytest.fixture(scope="module")
def history_folder(tmp_path_factory):
    """A history of three days."""
    folder = tmp_path_factory.mktemp("history")
    with Store.open(folder / "h.duckdb", write=True) as store:
        for day in (1, 2, 3):
            models = [
                {
                    "_id": f"63ffff{number:018x}",
                    "id": f"ann/{number}",
                    "tags": ["pytorch"] * (number % day + 1),
                    "createdAt": f"2022-0{3 + number}-02T12:00:00.000Z",
                    "downloads": number * day,
                    "likes": 1,
                }
                for number in range(day - 1, 6)
            ]
            (folder / "dump.json").write_bytes(encode(models))
            ingest(
                store, folder / "dump.json", day=datetime(2024, 1, day, tzinfo=UTC), complete=True
            )
        date = datetime(2019, 2, 18, tzinfo=UTC)
        record_dates(store, [CreationDate("ann/1", date)], kind="import", origin="a test")
        export_history(store, folder / "history")
    return folder / "history"


@pytest.fixture
def history_copy(history_folder, tmp_path):
    shutil.copytree(history_folder, tmp_path / "copy")
    return tmp_path / "copy"


def rewrite_file(file, query):
    new_file = file.with_suffix(".new")
    query = query.replace("{table}", f"read_parquet('{file}')")
    duckdb.execute(f"COPY ({query}) TO '{new_file}' (FORMAT parquet)")
    new_file.replace(file)


def assert_refused(history_copy, message):
    """Restore over an existing database, which stays unchanged; the message names the reason."""
    db = history_copy.with_name("h.duckdb")
    db.write_bytes(b"as it was")
    with pytest.raises(ImportFileError, match="Incomplete history in") as excinfo:
        import_history(db, history_copy)
    assert message in str(excinfo.value)
    assert db.read_bytes() == b"as it was"
    assert {path.name for path in history_copy.parent.glob("h.*")} == {"h.duckdb"}


@pytest.mark.parametrize("can_spill", [True, False])
def test_export_raises_its_memory_limit_if_needed(tmp_path, monkeypatch, can_spill):
    models = [{"_id": f"{n:024x}", "id": f"a/{n}", "tags": [f"t{n}"]} for n in range(20_000)]
    (tmp_path / "dump.json").write_bytes(encode(models))
    with Store.open(tmp_path / "h.duckdb", write=True) as store:
        ingest(store, tmp_path / "dump.json", complete=True)
        expected = store.execute("FROM models_in(1) ORDER BY _id").fetchall()
        monkeypatch.setattr("hfscan.store.database._COPY_MEMORY_LIMIT", "1 MB")
        if not can_spill:  # as where the folder of the database is read-only
            store.execute(f"SET temp_directory = '{tmp_path}/missing/folder/h.duckdb.tmp'")
        export_history(store, tmp_path / "history")
        assert not list((tmp_path / "history").rglob("*.part"))
    import_history(tmp_path / "again.duckdb", tmp_path / "history")
    with Store.open(tmp_path / "again.duckdb") as store:
        assert store.execute("FROM models_in(1) ORDER BY _id").fetchall() == expected


def test_complete_history_is_restored(history_folder, tmp_path):
    history_copy = tmp_path / "it's [one]*"
    shutil.copytree(history_folder, history_copy)
    import_history(tmp_path / "new.duckdb", history_copy)
    with Store.open(tmp_path / "new.duckdb") as store:
        assert [snapshot.models for snapshot in list_snapshots(store)] == [6, 5, 4]


FUTURE = "TIMESTAMP '2100-01-01'"
FIRST, LAST = "000001-after-000000", "000003-after-000002"
CHANGES = {
    ("snapshots", f"SELECT * REPLACE ({FUTURE} AS observed_to) FROM {{table}}"): "in the future",
    ("snapshots", "SELECT * REPLACE (9::BIGINT AS models) FROM {table}"): "snapshot",
    ("snapshots", "SELECT * REPLACE (1 AS id) FROM {table}"): "a snapshot is there more than once",
    ("snapshots", "SELECT * REPLACE (1 AS position) FROM {table}"): "a position in a series",
    ("snapshots", "SELECT * REPLACE (0 AS series_id) FROM {table}"): "less than 1",
    ("snapshots", "FROM {table} WHERE id < 3"): "belongs to no snapshot",
    ("snapshots", "SELECT * EXCLUDE (digest) FROM {table}"): "lacks the column digest",
    ("creation_dates", "FROM {table} UNION ALL FROM {table}"): "more than once",
    (f"versions/{FIRST}", "FROM {table} LIMIT 3"): "snapshot",
    (f"versions/{FIRST}", "FROM {table} UNION ALL FROM {table}"): "a model of a snapshot",
    (f"versions/{FIRST}", "SELECT * REPLACE (2 AS snapshot) FROM {table}"): "snapshot is not 1",
    (f"versions/{FIRST}", "SELECT * REPLACE ('x' AS key) FROM {table}"): "more than one key",
    (f"versions/{FIRST}", "SELECT * REPLACE (''::VARCHAR AS id) FROM {table}"): "id is missing",
    (f"versions/{FIRST}", "SELECT * REPLACE (true AS at_cutoff) FROM {table}"): "at_cutoff",
    (f"versions/{FIRST}", f"SELECT * REPLACE ({FUTURE} AS created_at) FROM {{table}}"): "future",
    (f"versions/{FIRST}", "SELECT * REPLACE (tags[1] AS tags) FROM {table}"): "tags as VARCHAR",
    (f"versions/{LAST}", "FROM {table} WHERE NOT gone"): "snapshot 3",
    (f"counts/{FIRST}", "SELECT * REPLACE (-1::BIGINT AS downloads) FROM {table}"): "negative",
    (f"counts/{FIRST}", "FROM {table} LIMIT 3"): "a different number of models",
    (f"counts/{LAST}", "SELECT *, 1 AS x FROM {table}"): "unknown column x",
    (f"versions/{FIRST}", "SELECT repeat('x', 1000) AS id FROM range(3000000)"): "not plausible",
}


@pytest.mark.parametrize(("file", "query"), CHANGES)
def test_an_implausible_history_is_refused(history_copy, file, query):
    rewrite_file(history_copy / f"{file}.parquet", query)
    assert_refused(history_copy, CHANGES[file, query])


def test_foreign_files_are_refused(history_copy, tmp_path):
    file = history_copy / "counts" / f"{LAST}.parquet"
    shutil.copy(file, history_copy / "counts" / "000009-after-000003.parquet")
    assert_refused(history_copy, "belongs to no snapshot")
    (history_copy / "counts" / "000009-after-000003.parquet").unlink()
    file.replace(tmp_path / "elsewhere.parquet")
    assert_refused(history_copy, "is missing")
    file.symlink_to(tmp_path / "elsewhere.parquet")
    assert_refused(history_copy, "is a link")
    file.unlink()
    file.write_bytes(b"PAR1 nothing PAR1")
    assert_refused(history_copy, "is not a Parquet file")


def test_saved_snapshots_are_validated(history_copy, tmp_path):
    with Store.open(tmp_path / "h.duckdb", write=True) as store:
        assert not contains_all(store, history_copy / "snapshots.parquet")
        (history_copy / "snapshots.parquet").write_bytes(b"PAR1 nothing PAR1")
        with pytest.raises(ImportFileError, match="is not a Parquet file"):
            contains_all(store, history_copy / "snapshots.parquet")
