"""A failed ingest leaves the database unchanged and says what to do."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from dumps import encode_lines, ingest, ingest_models

from hfscan.cli import cli
from hfscan.errors import StorageError
from hfscan.store import Store

INGEST = """
import resource, sys
from pathlib import Path
from datetime import UTC, datetime
from dumps import ingest
from hfscan.store import Store
with Store.open(Path(sys.argv[1]), write=True) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, 2 << 20))  # as a disk that fills up
    try:
        ingest(store, Path(sys.argv[2]), day=datetime(2024, 1, 2, tzinfo=UTC))
    except Exception as error:
        print(type(error).__name__, error)
"""


TABLES = ("snapshots", "versions", "current_counts", "counts_history", "models_in(1)")


def read_tables(path, tables=TABLES):
    with Store.open(path) as store:
        return [store.execute(f"FROM {table} ORDER BY ALL").fetchall() for table in tables]


@pytest.fixture
def db(tmp_path):
    path = tmp_path / "h.duckdb"
    ingest_models(path, [{"id": "a/b", "tags": ["tf"]}], day=datetime(2024, 1, 1, tzinfo=UTC))
    return path


@pytest.mark.skipif(os.name != "posix", reason="needs limits of POSIX")
def test_full_disk_changes_nothing(db, tmp_path):
    large_dump = tmp_path / "big.jsonl"
    large_dump.write_bytes(
        encode_lines(
            {"id": f"a/{n}", "sha": f"{hash((n, 'x')):040x}", "tags": ["x", f"t{n}"]}
            for n in range(150_000)
        )
    )
    initial_tables = read_tables(db)
    process = subprocess.run(
        [sys.executable, "-c", INGEST, db, large_dump], capture_output=True, text=True, check=False
    )
    assert process.stdout.startswith(StorageError.__name__), process
    assert "free some space" in process.stdout.lower()
    assert read_tables(db) == initial_tables
    with Store.open(db, write=True) as store:
        result = ingest(store, large_dump, day=datetime(2024, 1, 2, tzinfo=UTC))
        assert result.models == 150_000
    assert read_tables(db)[-1] == initial_tables[-1]


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
    invoke = CliRunner().invoke
    dump = tmp_path / "dump.json"
    arguments = ["import", str(dump), "--observed-at", "2024-01-01", "--db", str(db)]
    assert "already snapshot 1" in invoke(cli, arguments).output
    snapshots = json.loads(invoke(cli, ["snapshots", "--db", str(db), "--format", "json"]).output)
    assert [
        (snapshot["id"], snapshot["models"], snapshot["complete"]) for snapshot in snapshots
    ] == [(1, 1, "not stated")]
    result = invoke(cli, ["delete", "1", "--db", str(db)])
    deleted, *_ = result.output.splitlines()  # a line on compacting may follow
    assert deleted == "Deleted snapshot 1: import observed 2024-01-01, 1 model."
    assert invoke(cli, ["snapshots", "--db", str(db), "--format", "json"]).output.strip() == "[]"
    assert not any(read_tables(db, TABLES[:-1]))
    failure = invoke(cli, ["delete", "1", "--db", str(db.with_name("none.duckdb"))])
    assert failure.exit_code != 0
    assert not db.with_name("none.duckdb").exists()
