"""A damaged, foreign or unreadable database file gives exit code 6 and advice."""

import os
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from dumps import ingest_models
from processes import run_hfscan

from hfscan.cli import diagnostics
from hfscan.errors import DatabaseError
from hfscan.store import Store, list_snapshots

ROOT = Path(__file__).parents[2]
WITHOUT_MODELS = {"snapshots", "claims"}  # read no models of this database
READ_COMMANDS = {
    "report": ("report",),
    "trend": ("trend", "--weight", "downloads"),
    "query": ("query", "FROM census"),
    "explain": ("explain", "a1/m1"),
    "export": ("export", "out"),
    "claims": ("claims",),
    "snapshots": ("snapshots",),
}
WRITE_COMMANDS = {
    "import": ("import", "dump.jsonl", "--observed-at", "2024-02-01"),
    "delete": ("delete", "1"),
}


@pytest.fixture(scope="module")
def intact_database(tmp_path_factory):
    """A database of a few blocks. Tests do not change it."""
    path = tmp_path_factory.mktemp("intact") / "h.duckdb"
    models = [
        {
            "id": f"a{n}/m{n}",
            "_id": f"63{n:022x}",
            "sha": f"{n:040x}",
            "tags": ["pytorch", f"t{n}"],
            "createdAt": "2023-01-01T00:00:00.000Z",
        }
        for n in range(20_000)
    ]
    ingest_models(path, models, day=datetime(2024, 1, 1, tzinfo=UTC))
    return path


def run_command(folder, *arguments):
    return run_hfscan(folder, *arguments, "--db", "h.duckdb")


def read_all(path):
    with Store.open(path) as store:
        for table in ("snapshots", "versions", "current_counts", "census"):
            store.execute(f"FROM {table}").fetchall()


def flip_bytes(path, offset):
    data = bytearray(path.read_bytes())
    data[offset : offset + 64] = bytes(255 - byte for byte in data[offset : offset + 64])
    path.write_bytes(data)


@pytest.mark.parametrize("length", [0, 1, 100, 4096, 8192, 12288, 12388, 500_000, -262_144, -1])
def test_truncated_file_is_reported(intact_database, tmp_path, length):
    path = tmp_path / "h.duckdb"
    path.write_bytes(intact_database.read_bytes()[:length])
    with pytest.raises(DatabaseError, match="--db"):
        read_all(path)


@pytest.mark.parametrize("offset", [0, 8, 16, 8300, 12_300])
def test_flipped_bytes_in_headers_are_reported(intact_database, tmp_path, offset):
    path = tmp_path / "h.duckdb"
    path.write_bytes(intact_database.read_bytes())
    flip_bytes(path, offset)
    for write in (False, True):
        with pytest.raises(DatabaseError, match="--db"), Store.open(path, write=write):
            pass


@pytest.fixture(scope="module")
def damaged_bytes(intact_database, tmp_path_factory):
    """Return the bytes of a database whose snapshots can be listed and nothing else read."""
    path = tmp_path_factory.mktemp("damaged") / "h.duckdb"
    data = intact_database.read_bytes()
    for block in range(12_288, len(data) - 262_143, 262_144):
        path.write_bytes(data)
        flip_bytes(path, block + 1000)
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
def damaged_folder(damaged_bytes, tmp_path):
    """A folder with the damaged database and a dump."""
    (tmp_path / "dump.jsonl").write_text('{"id": "new/model", "tags": ["tf"]}\n')
    (tmp_path / "h.duckdb").write_bytes(damaged_bytes)
    return tmp_path


@pytest.mark.parametrize("name", [name for name in READ_COMMANDS if name not in WITHOUT_MODELS])
def test_damage_found_by_a_query_is_reported(damaged_folder, damaged_bytes, name):
    code, out, err = run_command(damaged_folder, *READ_COMMANDS[name])
    assert (code, out) == (6, ""), err
    assert "It is damaged, or was changed by another program" in err
    assert "--db" in err
    assert (damaged_folder / "h.duckdb").read_bytes() == damaged_bytes
    assert not (damaged_folder / "out").exists()


@pytest.mark.parametrize("name", ["import", "delete"])
def test_writing_to_a_damaged_file_is_no_traceback(damaged_folder, name):
    """Writes that do not read the damaged blocks may succeed."""
    code, _, err = run_command(damaged_folder, *WRITE_COMMANDS[name])
    assert code in {0, 6}, err


@pytest.mark.parametrize("name", ["report", "import"])
def test_truncated_database_is_not_blamed_on_the_dump(intact_database, tmp_path, name):
    """The message names the database, not the file to import."""
    data = intact_database.read_bytes()[:1_000_000]
    (tmp_path / "dump.jsonl").write_text('{"id": "new/model", "tags": ["tf"]}\n')
    (tmp_path / "h.duckdb").write_bytes(data)
    code, out, err = run_command(tmp_path, *(READ_COMMANDS | WRITE_COMMANDS)[name])
    assert (code, out) == (6, ""), err
    assert "It is damaged" in err
    assert "--db" in err


def make_pipe(path):
    os.mkfifo(path)


def make_device(path):
    path.symlink_to(os.devnull)


def make_loop(path):
    target = path.with_name("other")
    target.symlink_to(path)
    path.symlink_to(target)


IRREGULAR = {
    "folder": (Path.mkdir, "is a folder"),
    "pipe": (make_pipe, "is not a regular file"),
    "device": (make_device, "is not a regular file"),
    "loop": (make_loop, "is a symbolic link that leads back to itself"),
}


@pytest.mark.skipif(os.name != "posix", reason="pipes and links as POSIX has them")
@pytest.mark.parametrize("kind", IRREGULAR)
def test_special_file_is_no_database(tmp_path, kind):
    make_file, message = IRREGULAR[kind]
    path = tmp_path / "h.duckdb"
    make_file(path)
    initial_state = {entry.name: entry.lstat().st_ino for entry in tmp_path.iterdir()}
    for write in (False, True):
        with pytest.raises(DatabaseError, match=message), Store.open(path, write=write):
            pass
    assert {entry.name: entry.lstat().st_ino for entry in tmp_path.iterdir()} == initial_state


def test_doctor_finds_damage(damaged_folder):
    (check, *_) = diagnostics.check_database(damaged_folder / "h.duckdb")
    assert check.status == "problem"
    assert "It is damaged" in check.message


def make_text(path):
    path.write_text("dear diary\n" * 5000)


def make_sqlite(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE metadata (x)")
    connection.commit()
    connection.close()


def make_foreign(path):
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE metadata AS SELECT 1 AS version")


def make_newer(path):
    with Store.open(path, write=True) as store:
        store.execute("UPDATE metadata SET schema_version = 99, hfscan_version = '9.9'")


FOREIGN = {
    "empty": (Path.touch, "is empty, not a DuckDB database"),
    "text": (make_text, "is not a DuckDB database"),
    "sqlite": (make_sqlite, "is a SQLite database, not a DuckDB database"),
    "other": (make_foreign, "is a DuckDB file, but not hfscan's"),
    "newer": (make_newer, "made by hfscan 9.9 with schema 99"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_file_is_left_alone(tmp_path, kind):
    make_file, message = FOREIGN[kind]
    path = tmp_path / "h.duckdb"
    make_file(path)
    initial_bytes = path.read_bytes()
    (tmp_path / "dump.jsonl").write_text('{"id": "new/model", "tags": ["tf"]}\n')
    for name in ("report", "import", "delete", "snapshots"):
        code, out, err = run_command(tmp_path, *(READ_COMMANDS | WRITE_COMMANDS)[name])
        assert (code, out) == (6, ""), err
        assert message in err
        assert "--db" in err
    (check, *_) = diagnostics.check_database(path)
    assert (check.status, message in check.message) == ("problem", True)
    assert path.read_bytes() == initial_bytes
    assert {entry.name for entry in tmp_path.iterdir()} == {"h.duckdb", "dump.jsonl"}


def test_folder_as_database_is_refused(tmp_path):
    (tmp_path / "h.duckdb").mkdir()
    assert run_command(tmp_path, "snapshots")[0] == 2
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
