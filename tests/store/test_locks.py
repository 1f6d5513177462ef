"""Of two processes at one database or folder, the second waits and names the first."""

import json
import subprocess
import sys

import pytest
from processes import start_hfscan

from hfscan.fs import hold_lock
from hfscan.paths import cursors_file, journal_dir
from hfscan.store import Store, list_snapshots

HOLDER = """
import sys
from pathlib import Path
from hfscan.fs import hold_lock
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


def start(folder, *command):
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def hfscan(folder, *arguments):
    return start_hfscan(folder, *arguments, HF_HUB_OFFLINE="1")


def write_dumps(folder, count):
    for n in range(count):
        rows = [{"id": f"a/{n}", "tags": ["tf"], "createdAt": "2023-01-01T00:00:00.000Z"}]
        (folder / f"{n}.json").write_text(json.dumps(rows))


def test_first_runs_of_one_database_all_succeed(tmp_path):
    write_dumps(tmp_path, 4)
    runs = [
        hfscan(tmp_path, "import", f"{n}.json", "--observed-at", f"2024-01-0{n + 1}")
        for n in range(4)
    ]
    for run in runs:
        _, err = run.communicate(timeout=120)
        assert run.returncode == 0, err
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
    hfscan(tmp_path, "import", "0.json", "--observed-at", "2024-01-01").communicate(timeout=60)
    for run in [hfscan(tmp_path, "export", "out") for _ in range(3)]:
        _, err = run.communicate(timeout=120)
        assert run.returncode == 0, err
        tables = {file.name for file in (tmp_path / "out").iterdir()}
        assert tables >= {"models", "figures", "snapshots", "frameworks", "reports", "README.md"}
    assert {file.name for file in tmp_path.iterdir()} == {"0.json", "hfscan.duckdb", "out"}


@pytest.mark.parametrize("target", ["hfscan.duckdb", "out"])
def test_second_process_names_the_holder_and_waits(tmp_path, target):
    write_dumps(tmp_path, 1)
    first = ("import", "0.json", "--observed-at", "2024-01-01")
    if target == "out":
        hfscan(tmp_path, *first).communicate(timeout=60)
    with start(tmp_path, "-c", HOLDER, tmp_path / target) as holder:
        assert holder.stdout.readline() == "held\n"
        second = hfscan(tmp_path, *(("export", "out") if target == "out" else first))
        line = second.stderr.readline()
        while "Waiting" not in line and line:
            line = second.stderr.readline()
        assert f"Waiting for process {holder.pid}, since " in line
        assert target in line
        assert second.poll() is None
        holder.stdin.close()
    _, err = second.communicate(timeout=60)
    assert second.returncode == 0, err


def test_killed_holder_blocks_nobody(tmp_path):
    with start(tmp_path, "-c", HOLDER, tmp_path / "h.duckdb") as holder:
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


@pytest.mark.parametrize("held", ["read", "write"])
def test_reader_and_writer_name_each_other(tmp_path, held):
    write_dumps(tmp_path, 1)
    path = tmp_path / "hfscan.duckdb"
    with Store.open(path, write=True):
        pass
    other = (
        ("import", "0.json", "--observed-at", "2024-01-01") if held == "read" else ("snapshots",)
    )
    with start(tmp_path, "-c", READER, path, held) as holder:
        assert holder.stdout.readline() == "held\n"
        run = hfscan(tmp_path, *other)
        out, err = run.communicate(timeout=60)
        assert (run.returncode, out) == (6, ""), err
        assert f"in use by another process ({holder.pid}). Wait until it ends" in err
        holder.stdin.close()
    again = hfscan(tmp_path, *other)
    assert again.communicate(timeout=60)[1] == ""
    assert again.returncode == 0


def test_link_leads_to_the_database(tmp_path):
    write_dumps(tmp_path, 1)
    (tmp_path / "target").mkdir()
    (tmp_path / "hfscan.duckdb").symlink_to(tmp_path / "target" / "h.duckdb")
    missing = hfscan(tmp_path, "snapshots")
    assert "There is no database at" in missing.communicate(timeout=60)[1]
    assert missing.returncode == 6
    run = hfscan(tmp_path, "import", "0.json", "--observed-at", "2024-01-01")
    assert run.communicate(timeout=60)[1] == ""
    assert (tmp_path / "hfscan.duckdb").is_symlink()
    assert [file.name for file in (tmp_path / "target").iterdir()] == ["h.duckdb"]
    with Store.open(tmp_path / "target" / "h.duckdb") as store:
        assert len(list_snapshots(store)) == 1


def test_crawl_through_a_link_writes_beside_its_target(tmp_path):
    (tmp_path / "target").mkdir()
    (tmp_path / "hfscan.duckdb").symlink_to(tmp_path / "target" / "h.duckdb")
    run = hfscan(tmp_path, "crawl", "--limit", "5")  # offline: it is stopped before it asks
    run.communicate(timeout=60)
    assert run.returncode == 3
    names = {journal_dir(tmp_path / "hfscan.duckdb"), cursors_file(tmp_path / "h.duckdb")}
    assert names == {tmp_path / "target" / "h.duckdb.journal", tmp_path / "h.duckdb.cursors"}
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith("hfscan.")] == [
        "hfscan.duckdb"
    ]


def test_broken_link_names_its_target(tmp_path):
    (tmp_path / "hfscan.duckdb").symlink_to(tmp_path / "gone" / "h.duckdb")
    write_dumps(tmp_path, 1)
    run = hfscan(tmp_path, "import", "0.json", "--observed-at", "2024-01-01")
    _, err = run.communicate(timeout=60)
    assert run.returncode == 9
    assert "gone is not there. Make the folder, or name a database elsewhere with --db" in err
    assert (tmp_path / "hfscan.duckdb").is_symlink()
