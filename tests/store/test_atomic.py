"""A failed ingest leaves the database unchanged and says what to do."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from hfscan.cli import cli
from hfscan.errors import StorageError
from hfscan.scope import Scope
from hfscan.store import NewSnapshot, Store, ingest_files

DAY = datetime(2024, 1, 1, tzinfo=UTC)
INGEST = """
import resource, sys
from pathlib import Path
from datetime import UTC, datetime
from hfscan.scope import Scope
from hfscan.store import NewSnapshot, Store, ingest_files
day = datetime(2024, 1, 2, tzinfo=UTC)
with Store.open(Path(sys.argv[1]), write=True) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, 2 << 20))  # as a disk that fills up
    try:
        new_snapshot = NewSnapshot("import", "d", Scope(), day, day, None)
        ingest_files(store, [Path(sys.argv[2])], new_snapshot)
    except Exception as error:
        print(type(error).__name__, error)
"""


STORED = ("snapshots", "versions", "current_counts", "counts_history", "models_in(1)")


def state(path):
    with Store.open(path) as store:
        return [store.execute(f"FROM {table} ORDER BY ALL").fetchall() for table in STORED]


@pytest.fixture
def db(tmp_path):
    path, dump = tmp_path / "h.duckdb", tmp_path / "small.json"
    dump.write_text(json.dumps([{"id": "a/b", "tags": ["tf"]}]))
    with Store.open(path, write=True) as store:
        ingest_files(store, [dump], NewSnapshot("import", "d", Scope(), DAY, DAY, None))
    return path


@pytest.mark.skipif(os.name != "posix", reason="needs limits of POSIX")
def test_full_disk_changes_nothing(db, tmp_path):
    big = tmp_path / "big.jsonl"
    big.write_text(
        "".join(
            json.dumps({"id": f"a/{n}", "sha": f"{hash((n, 'x')):040x}", "tags": ["x", f"t{n}"]})
            + "\n"
            for n in range(150_000)
        )
    )
    before = state(db)
    run = subprocess.run(
        [sys.executable, "-c", INGEST, db, big], capture_output=True, text=True, check=False
    )
    assert run.stdout.startswith(StorageError.__name__), run
    assert "free some space" in run.stdout.lower()
    assert state(db) == before
    with Store.open(db, write=True) as store:
        day = datetime(2024, 1, 2, tzinfo=UTC)
        result = ingest_files(store, [big], NewSnapshot("import", "d", Scope(), day, day, None))
        assert result.models == 150_000
    assert state(db)[-1] == before[-1]


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="needs a user whom permissions stop"
)
def test_a_folder_that_cannot_be_written(db):
    db.chmod(0o444)
    db.parent.chmod(0o555)
    try:
        with pytest.raises(StorageError, match="cannot be opened"):
            Store.open(db, write=True)
    finally:
        db.parent.chmod(0o755)


def test_snapshots_are_listed_and_deleted(db, tmp_path):
    run = CliRunner().invoke
    again = tmp_path / "small.json"
    arguments = ["import", str(again), "--observed-at", "2024-01-01", "--db", str(db)]
    assert "already snapshot 1" in run(cli, arguments).output
    listed = json.loads(run(cli, ["snapshots", "--db", str(db), "--format", "json"]).output)
    assert [(snapshot["id"], snapshot["models"], snapshot["complete"]) for snapshot in listed] == [
        (1, 1, "not stated")
    ]
    found = run(cli, ["delete", "1", "--db", str(db)])
    assert found.output == "Deleted snapshot 1: import observed 2024-01-01, 1 models.\n"
    assert run(cli, ["snapshots", "--db", str(db), "--format", "json"]).output.strip() == "[]"
    assert not any(state(db))
    none = run(cli, ["delete", "1", "--db", str(db.with_name("none.duckdb"))])
    assert none.exit_code != 0
    assert not db.with_name("none.duckdb").exists()
