"""Errors of a missing, locked or foreign database, or of one of another version."""

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from hfscan._version import __version__
from hfscan.errors import DatabaseError, StorageError
from hfscan.store import Store, list_snapshots

POSIX = pytest.mark.skipif(os.name != "posix", reason="needs file names of POSIX")

HOLDER = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module", autouse=True)
def copy_new_databases():
    """Create each database here, instead of copying one."""


def test_missing_database_names_the_commands(tmp_path):
    with pytest.raises(DatabaseError, match=r"hfscan crawl.*hfscan demo"):
        Store.open(tmp_path / "none.duckdb")
    assert not list(tmp_path.iterdir())


def test_a_database_held_by_another_process(tmp_path):
    path = tmp_path / "h.duckdb"
    with Store.open(path, write=True):
        pass
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout.readline() == "held\n"
        for write in (True, False):
            with pytest.raises(DatabaseError, match="in use by another process"):
                Store.open(path, write=write)
        holder.stdin.close()
    with Store.open(path) as store:
        assert list_snapshots(store) == []


def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("dear diary " * 5000)
    for write in (True, False):
        with pytest.raises(DatabaseError, match="not a DuckDB database"):
            Store.open(path, write=write)
    assert path.read_text().startswith("dear diary")


def test_foreign_database_is_left_alone(tmp_path):
    path = tmp_path / "other.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE mine AS SELECT 1 AS x")
    with pytest.raises(DatabaseError, match="not hfscan's"):
        Store.open(path, write=True)
    with duckdb.connect(path) as connection:
        assert connection.execute("SHOW TABLES").fetchall() == [("mine",)]


def test_another_versions_database_names_the_version(tmp_path):
    path = tmp_path / "h.duckdb"
    with Store.open(path, write=True) as store:
        store.execute("UPDATE metadata SET schema_version = 99, hfscan_version = '9.9'")
    with pytest.raises(
        DatabaseError, match=r"made by hfscan 9\.9 with schema 99.*Use that release"
    ):
        Store.open(path)
    with duckdb.connect(path) as connection:  # between two releases
        connection.execute("UPDATE metadata SET hfscan_version = ?", [__version__])
    with pytest.raises(DatabaseError, match=r"another state of hfscan .*Crawl or import again"):
        Store.open(path)


def test_database_killed_during_creation_is_replaced(tmp_path):
    path = tmp_path / "h.duckdb"
    unfinished = path.with_name("h.duckdb.new")
    with duckdb.connect(unfinished) as connection:
        connection.execute("CREATE TABLE metadata AS SELECT 1 AS half")
    with Store.open(path, write=True) as store:
        assert list_snapshots(store) == []
    assert [file.name for file in tmp_path.iterdir()] == ["h.duckdb"]
    path.unlink()
    unfinished.write_bytes(b"a header that was never finished")
    with Store.open(path, write=True) as store:
        assert list_snapshots(store) == []


@POSIX
@pytest.mark.parametrize(
    "name", [":memory:", "md:x", "sqlite:x.db", "file:x?mode=ro", "http:x", "100%25", "a \"b' c\nd"]
)
def test_any_file_name_can_be_a_database(tmp_path, monkeypatch, name):
    """DuckDB reads some of them as databases of other kinds."""
    monkeypatch.chdir(tmp_path)
    Store.open(Path(name), write=True).close()
    assert [file.name for file in tmp_path.iterdir()] == [name]
    with Store.open(Path(name)) as store:
        assert list_snapshots(store) == []


@POSIX
def test_backslash_in_path_is_refused(tmp_path):
    with pytest.raises(DatabaseError, match="does not support backslashes"):
        Store.open(tmp_path / "a\\b.duckdb", write=True)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(StorageError, match=r"such is not there\. Make the folder"):
        Store.open(tmp_path / "no" / "such" / "h.duckdb", write=True)
    assert not list(tmp_path.iterdir())


def test_what_killed_writers_leave_is_removed(tmp_path):
    """Killed while it wrote a smaller file, stored rows to insert, or copied blocks."""
    path = tmp_path / "h.duckdb"
    with Store.open(path, write=True):
        pass
    names = ("compact", "compact.wal", "staged/000001.parquet", "blocks.123.part")
    left = [tmp_path / f"h.duckdb.{name}" for name in names]
    (tmp_path / "h.duckdb.staged").mkdir()
    for file in left:
        file.write_bytes(b"unfinished")
    with Store.open(path):
        assert all(map(Path.exists, left))  # reading changes nothing
    with Store.open(path, write=True) as store:
        assert not any(map(Path.exists, left))
        assert list_snapshots(store) == []
