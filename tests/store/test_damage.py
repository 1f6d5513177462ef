"""A damaged, foreign or unreadable database file gives exit code 6 and advice."""

import json
import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from processes import run_hfscan

from hfscan.cli import diagnostics
from hfscan.errors import DatabaseError
from hfscan.scope import Scope
from hfscan.store import NewSnapshot, Store, ingest_files, list_snapshots

ROOT = Path(__file__).parents[2]
READ_NO_MODEL = {"snapshots", "claims"}  # of this database
DAY = datetime(2024, 1, 1, tzinfo=UTC)
READING = {
    "report": ("report",),
    "trend": ("trend",),
    "query": ("query", "FROM census"),
    "explain": ("explain", "a1/m1"),
    "export": ("export", "out"),
    "claims": ("claims",),
    "snapshots": ("snapshots",),
}
WRITING = {
    "import": ("import", "dump.jsonl", "--observed-at", "2024-02-01"),
    "delete": ("delete", "1"),
}


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    """A database of a few blocks, to be read and never changed."""
    folder = tmp_path_factory.mktemp("healthy")
    dump = folder / "dump.jsonl"
    rows = [
        {
            "id": f"a{n}/m{n}",
            "_id": f"63{n:022x}",
            "sha": f"{n:040x}",
            "tags": ["pytorch", f"t{n}"],
            "createdAt": "2023-01-01T00:00:00.000Z",
        }
        for n in range(20_000)
    ]
    dump.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with Store.open(folder / "h.duckdb", write=True) as store:
        ingest_files(store, [dump], NewSnapshot("import", "d", Scope(), DAY, DAY, None))
    return folder / "h.duckdb"


def hfscan(folder, *arguments):
    return run_hfscan(folder, *arguments, "--db", "h.duckdb")


def read_all(path):
    with Store.open(path) as store:
        for table in ("snapshots", "versions", "current_counts", "census"):
            store.execute(f"FROM {table}").fetchall()


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at : at + 64] = bytes(255 - byte for byte in data[at : at + 64])
    path.write_bytes(data)


@pytest.mark.parametrize("length", [0, 1, 100, 4096, 8192, 12288, 12388, 500_000, -262_144, -1])
def test_truncated_file_is_reported(healthy, tmp_path, length):
    path = tmp_path / "h.duckdb"
    path.write_bytes(healthy.read_bytes()[:length])
    with pytest.raises(DatabaseError, match="--db"):
        read_all(path)


@pytest.mark.parametrize("at", [0, 8, 16, 8300, 12_300])
def test_flipped_bytes_in_headers_are_reported(healthy, tmp_path, at):
    path = tmp_path / "h.duckdb"
    path.write_bytes(healthy.read_bytes())
    flip(path, at)
    for write in (False, True):
        with pytest.raises(DatabaseError, match="--db"), Store.open(path, write=write):
            pass


@pytest.fixture(scope="module")
def damaged_data(healthy, tmp_path_factory):
    """Return a database whose snapshots can be listed and nothing else can be read."""
    path = tmp_path_factory.mktemp("damaged") / "h.duckdb"
    data = healthy.read_bytes()
    for block in range(12_288, len(data) - 262_143, 262_144):
        path.write_bytes(data)
        flip(path, block + 1000)
        try:
            with Store.open(path) as store:
                list_snapshots(store)
                store.execute("FROM frameworks").fetchall()
        except DatabaseError:
            continue
        data = path.read_bytes()
    path.write_bytes(data)
    with pytest.raises(DatabaseError):
        read_all(path)
    return data


@pytest.fixture
def damaged(damaged_data, tmp_path):
    """A folder with that database."""
    (tmp_path / "dump.jsonl").write_text('{"id": "new/model", "tags": ["tf"]}\n')
    (tmp_path / "h.duckdb").write_bytes(damaged_data)
    return tmp_path


@pytest.mark.parametrize("name", [name for name in READING if name not in READ_NO_MODEL])
def test_damage_met_by_a_query_is_reported(damaged, damaged_data, name):
    code, out, err = hfscan(damaged, *READING[name])
    assert (code, out) == (6, ""), err
    assert "It is damaged, or was changed by another program" in err
    assert "--db" in err
    assert (damaged / "h.duckdb").read_bytes() == damaged_data
    assert not (damaged / "out").exists()


@pytest.mark.parametrize("name", ["import", "delete"])
def test_writing_to_a_damaged_file_is_no_traceback(damaged, name):
    """Writes that do not read the damaged blocks may succeed."""
    code, _, err = hfscan(damaged, *WRITING[name])
    assert code in {0, 6}, err


@pytest.mark.parametrize("name", ["report", "import"])
def test_truncated_database_is_not_blamed_on_the_dump(healthy, tmp_path, name):
    """The message names the database, not the file to import."""
    data = healthy.read_bytes()[:1_000_000]
    (tmp_path / "dump.jsonl").write_text('{"id": "new/model", "tags": ["tf"]}\n')
    (tmp_path / "h.duckdb").write_bytes(data)
    code, out, err = hfscan(tmp_path, *(READING | WRITING)[name])
    assert (code, out) == (6, ""), err
    assert "It is damaged" in err
    assert "--db" in err


def make_pipe(path):
    os.mkfifo(path)


def make_device(path):
    path.symlink_to(os.devnull)


def make_loop(path):
    other = path.with_name("other")
    other.symlink_to(path)
    path.symlink_to(other)


IRREGULAR = {
    "folder": (Path.mkdir, "is a folder"),
    "pipe": (make_pipe, "is not a regular file"),
    "device": (make_device, "is not a regular file"),
    "loop": (make_loop, "is a symbolic link that leads back to itself"),
}


@pytest.mark.skipif(os.name != "posix", reason="pipes and links as POSIX has them")
@pytest.mark.parametrize("kind", IRREGULAR)
def test_special_file_is_no_database(tmp_path, kind):
    make, message = IRREGULAR[kind]
    path = tmp_path / "h.duckdb"
    make(path)
    before = {entry.name: entry.lstat().st_ino for entry in tmp_path.iterdir()}
    for write in (False, True):
        with pytest.raises(DatabaseError, match=message), Store.open(path, write=write):
            pass
    assert {entry.name: entry.lstat().st_ino for entry in tmp_path.iterdir()} == before


def test_doctor_finds_damage(damaged):
    (check, *_) = diagnostics.check_database(damaged / "h.duckdb")
    assert check.status == "problem"
    assert "It is damaged" in check.message


def make_text(path):
    path.write_text("dear diary\n" * 5000)


def make_sqlite(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE metadata (x)")
    connection.commit()
    connection.close()


def make_other(path):
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE metadata AS SELECT 1 AS version")


def make_newer(path):
    with Store.open(path, write=True) as store:
        store.execute("UPDATE metadata SET schema_version = 99, hfscan_version = '9.9'")


FOREIGN = {
    "empty": (Path.touch, "is empty, not a DuckDB database"),
    "text": (make_text, "is not a DuckDB database"),
    "sqlite": (make_sqlite, "is a SQLite database, not a DuckDB database"),
    "other": (make_other, "is a DuckDB file, but not hfscan's"),
    "newer": (make_newer, "made by hfscan 9.9 with schema 99"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_file_is_left_alone(tmp_path, kind):
    make, message = FOREIGN[kind]
    path = tmp_path / "h.duckdb"
    make(path)
    before = path.read_bytes()
    (tmp_path / "dump.jsonl").write_text('{"id": "new/model", "tags": ["tf"]}\n')
    for name in ("report", "import", "delete", "snapshots"):
        code, out, err = hfscan(tmp_path, *(READING | WRITING)[name])
        assert (code, out) == (6, ""), err
        assert message in err
        assert "--db" in err
    (check, *_) = diagnostics.check_database(path)
    assert (check.status, message in check.message) == ("problem", True)
    assert path.read_bytes() == before
    assert {entry.name for entry in tmp_path.iterdir()} == {"h.duckdb", "dump.jsonl"}


def test_folder_as_database_is_refused(tmp_path):
    (tmp_path / "h.duckdb").mkdir()
    assert hfscan(tmp_path, "snapshots")[0] == 2
    for write in (False, True):
        with pytest.raises(DatabaseError, match="is a folder"):
            Store.open(tmp_path / "h.duckdb", write=write)


@pytest.mark.skipif(os.name != "posix", reason="needs users of POSIX")
def test_unreadable_file_is_reported(tmp_path):
    path = tmp_path / "h.duckdb"
    with Store.open(path, write=True):
        pass
    path.chmod(0o000)
    if os.access(path, os.R_OK):  # root: let another user try, who may then enter the folder
        for folder in (tmp_path, *tmp_path.parents[:-1]):
            if folder.stat().st_uid == os.geteuid() and folder != Path("/tmp"):
                folder.chmod(folder.stat().st_mode | 0o011)
    code = (
        "import os, sys; from pathlib import Path; from hfscan.store import Store\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "try: Store.open(Path(sys.argv[1]))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    command = [sys.executable, "-c", code, str(path)]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.stdout.startswith("DatabaseError "), process
    assert "cannot be read: Permission denied" in process.stdout
