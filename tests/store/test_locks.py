"""The second of two processes that use a database or folder waits and names the first."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from processes import start_hfscan

from hfscan.errors import StorageError
from hfscan.locks import hold_lock
from hfscan.paths import cursors_file, journal_dir
from hfscan.store import Store, list_snapshots

HOLDER = """
import sys
from pathlib import Path
from hfscan.locks import hold_lock
from hfscan.paths import cursors_file, journal_dir
with hold_lock(Path(sys.argv[1]), "choose another"):
    print("held", flush=True)
    sys.stdin.read()
"""
READER = """
import sys
from pathlib import Path
from hfscan.store import Store
with Store.open(Path(sys.argv[1]), write=sys.argv[2] == "write"):
    print("held", flush=True)
    sys.stdin.read()
"""


def start_python(folder, *command):
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_command(folder, *arguments):
    return start_hfscan(folder, *arguments, HF_HUB_OFFLINE="1")


def write_dumps(folder, count):
    for number in range(count):
        rows = [{"id": f"a/{number}", "tags": ["tf"], "createdAt": "2023-01-01T00:00:00.000Z"}]
        (folder / f"{number}.json").write_text(json.dumps(rows))


def test_first_runs_of_one_database_all_succeed(tmp_path):
    write_dumps(tmp_path, 4)
    processes = [
        start_command(
            tmp_path, "import", f"{number}.json", "--observed-at", f"2024-01-0{number + 1}"
        )
        for number in range(4)
    ]
    for process in processes:
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
    with Store.open(tmp_path / "hfscan.duckdb") as store:
        assert [snapshot.origin for snapshot in list_snapshots(store)] == [
            "0.json",
            "1.json",
            "2.json",
            "3.json",
        ]
    assert not [*tmp_path.glob("*.lock"), *tmp_path.glob("*.new")]


def test_concurrent_exports_leave_a_complete_folder(tmp_path):
    write_dumps(tmp_path, 1)
    start_command(tmp_path, "import", "0.json", "--observed-at", "2024-01-01").communicate(
        timeout=300
    )
    for process in [start_command(tmp_path, "export", "out") for _ in range(3)]:
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        tables = {file.name for file in (tmp_path / "out").iterdir()}
        assert tables >= {"models", "figures", "snapshots", "frameworks", "reports", "README.md"}
    assert {file.name for file in tmp_path.iterdir()} == {"0.json", "hfscan.duckdb", "out"}


@pytest.mark.parametrize("target", ["hfscan.duckdb", "out"])
def test_second_process_names_the_holder_and_waits(tmp_path, target):
    write_dumps(tmp_path, 1)
    import_command = ("import", "0.json", "--observed-at", "2024-01-01")
    if target == "out":
        start_command(tmp_path, *import_command).communicate(timeout=300)
    with start_python(tmp_path, "-c", HOLDER, tmp_path / target) as holder:
        assert holder.stdout.readline() == "held\n"
        second_process = start_command(
            tmp_path, *(("export", "out") if target == "out" else import_command)
        )
        line = second_process.stderr.readline()
        while "Waiting" not in line and line:
            line = second_process.stderr.readline()
        assert f"Waiting for process {holder.pid}, since " in line
        assert target in line
        assert second_process.poll() is None
        holder.stdin.close()
    _, err = second_process.communicate(timeout=300)
    assert second_process.returncode == 0, err


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that takes no file")
def test_folder_that_takes_no_file_is_refused_at_once():
    with (
        pytest.raises(StorageError, match="No file can be made in /proc: "),
        hold_lock(Path("/proc/y"), ""),
    ):
        pass


def test_killed_holder_blocks_nobody(tmp_path):
    with start_python(tmp_path, "-c", HOLDER, tmp_path / "h.duckdb") as holder:
        assert holder.stdout.readline() == "held\n"
        holder.kill()
    assert (tmp_path / "h.duckdb.lock").exists()
    with Store.open(tmp_path / "h.duckdb", write=True) as store:
        assert list_snapshots(store) == []
    assert [file.name for file in tmp_path.iterdir()] == ["h.duckdb"]


def test_lock_may_be_held_again_by_its_holder(tmp_path):
    with hold_lock(tmp_path / "x", ""), hold_lock(tmp_path / "x", ""):
        assert (tmp_path / "x.lock").exists()
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("mode", ["read", "write"])
def test_reader_and_writer_name_each_other(tmp_path, mode):
    write_dumps(tmp_path, 1)
    path = tmp_path / "hfscan.duckdb"
    with Store.open(path, write=True):
        pass
    command = (
        ("import", "0.json", "--observed-at", "2024-01-01") if mode == "read" else ("snapshots",)
    )
    with start_python(tmp_path, "-c", READER, path, mode) as holder:
        assert holder.stdout.readline() == "held\n"
        process = start_command(tmp_path, *command)
        out, err = process.communicate(timeout=300)
        assert (process.returncode, out) == (6, ""), err
        assert f"in use by another process ({holder.pid}). Wait until it ends" in err
        holder.stdin.close()
    repeated = start_command(tmp_path, *command)
    assert repeated.communicate(timeout=300)[1] == ""
    assert repeated.returncode == 0


@pytest.mark.skipif(os.name != "posix", reason="only POSIX locks end when a file is closed")
def test_reader_that_opens_twice_keeps_its_lock(tmp_path):
    write_dumps(tmp_path, 1)
    path = tmp_path / "hfscan.duckdb"
    with Store.open(path, write=True):
        pass
    with Store.open(path):
        with Store.open(path):
            pass
        importer = start_command(tmp_path, "import", "0.json", "--observed-at", "2024-01-01")
        _, err = importer.communicate(timeout=300)
        assert "in use by another process" in err


def test_link_leads_to_the_database(tmp_path):
    write_dumps(tmp_path, 1)
    (tmp_path / "target").mkdir()
    (tmp_path / "hfscan.duckdb").symlink_to(tmp_path / "target" / "h.duckdb")
    failed = start_command(tmp_path, "snapshots")
    assert "There is no database at" in failed.communicate(timeout=300)[1]
    assert failed.returncode == 6
    process = start_command(tmp_path, "import", "0.json", "--observed-at", "2024-01-01")
    assert process.communicate(timeout=300)[1] == ""
    assert (tmp_path / "hfscan.duckdb").is_symlink()
    assert [file.name for file in (tmp_path / "target").iterdir()] == ["h.duckdb"]
    with Store.open(tmp_path / "target" / "h.duckdb") as store:
        assert len(list_snapshots(store)) == 1


def test_crawl_through_a_link_writes_beside_its_target(tmp_path):
    (tmp_path / "target").mkdir()
    (tmp_path / "hfscan.duckdb").symlink_to(tmp_path / "target" / "h.duckdb")
    process = start_command(
        tmp_path, "crawl", "--limit", "5"
    )  # offline: it stops before its first request
    process.communicate(timeout=300)
    assert process.returncode == 3
    names = {journal_dir(tmp_path / "hfscan.duckdb"), cursors_file(tmp_path / "h.duckdb")}
    assert names == {tmp_path / "target" / "h.duckdb.journal", tmp_path / "h.duckdb.cursors"}
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith("hfscan.")] == [
        "hfscan.duckdb"
    ]


def test_broken_link_names_its_target(tmp_path):
    (tmp_path / "hfscan.duckdb").symlink_to(tmp_path / "gone" / "h.duckdb")
    write_dumps(tmp_path, 1)
    process = start_command(tmp_path, "import", "0.json", "--observed-at", "2024-01-01")
    _, err = process.communicate(timeout=300)
    assert process.returncode == 9
    assert "gone is not there. Make the folder, or name a database elsewhere with --db" in err
    assert (tmp_path / "hfscan.duckdb").is_symlink()
