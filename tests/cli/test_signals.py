"""SIGINT and SIGTERM end a command during a DuckDB query without loss of data."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from processes import start_hfscan

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs signals of POSIX")

IGNORING_SCRIPT = """
import os, signal, sys
from hfscan.cli import cli, main
signal.signal(signal.SIGINT, signal.SIG_IGN)
run = cli.main
def run_interrupted(**options):
    os.kill(os.getpid(), signal.SIGINT)
    return run(**options)
cli.main = run_interrupted
main()
"""
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
SLOW_QUERY = (
    "(SELECT count(*) FROM range(100_000) AS a, range(1_000_000) AS b WHERE a.range * b.range = 7)"
)
COMMANDS = {
    "report": ("report",),
    "trend": ("trend",),
    "query": ("query", f"SELECT {SLOW_QUERY}"),
    "explain": ("explain", "a/b"),
    "export": ("export", "out"),
    "claims": ("claims",),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a database whose queries take hours."""
    path = tmp_path_factory.mktemp("signals")
    rows = [{"id": "a/b", "tags": ["pytorch"], "createdAt": "2023-01-01T00:00:00.000Z"}]
    (path / "dump.json").write_text(json.dumps(rows))
    process = start_hfscan(path, "import", "dump.json", "--observed-at", "2024-01-01")
    assert process.communicate(timeout=300)[1] == ""
    with duckdb.connect(path / "hfscan.duckdb") as connection:
        connection.execute("ALTER TABLE versions RENAME TO quick")
        connection.execute(f"CREATE VIEW versions AS FROM quick WHERE {SLOW_QUERY} >= 0")
    return path


def read_cpu_seconds(process):
    """Return the CPU time of a process, 0 where it is unknown; starting takes 0.4 s."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    return 0


def wait_for_start(process):
    """Wait until a process has started."""
    deadline = time.monotonic() + (300 if Path("/proc/self/stat").exists() else 3)
    while process.poll() is None and read_cpu_seconds(process) < 1 and time.monotonic() < deadline:
        time.sleep(0.01)


def send_signal(process, number):
    """Send a signal to a process that has started; return exit code and stderr."""
    wait_for_start(process)
    process.send_signal(number)
    try:
        err = process.communicate(timeout=300)[1]
    finally:
        process.kill()
    return process.returncode, err


@pytest.mark.parametrize("number", CODES)
@pytest.mark.parametrize("name", COMMANDS)
def test_signal_ends_a_query(folder, name, number):
    code, err = send_signal(start_hfscan(folder, *COMMANDS[name]), number)
    assert code == CODES[number], err
    assert "Stored data is kept" in err
    assert "Traceback" not in err
    assert not (folder / "out").exists()


def test_many_signals_end_a_query_as_one_does(folder):
    """As of a key that is held down."""
    process = start_hfscan(folder, *COMMANDS["report"])
    wait_for_start(process)
    for _ in range(5):
        process.send_signal(signal.SIGINT)  # none, if it has ended
        time.sleep(0.05)
    err = process.communicate(timeout=300)[1]
    assert process.returncode == CODES[signal.SIGINT], err
    assert err.count("Stored data is kept") == 1
    assert "Traceback" not in err


@pytest.mark.parametrize("number", CODES)
def test_signal_ends_an_import(tmp_path, number):
    rows = "".join(f'{{"id": "a/{n}", "tags": ["pytorch", "t{n}"]}}\n' for n in range(150_000))
    (tmp_path / "dump.jsonl").write_text(rows)
    command = ("import", "dump.jsonl", "--observed-at", "2024-01-01")
    code, err = send_signal(start_hfscan(tmp_path, *command), number)
    assert code in {0, CODES[number]}, err  # a fast machine may be done
    assert "Traceback" not in err
    assert not [*tmp_path.glob("*.lock"), *tmp_path.glob("*.staged")]
    repeated = start_hfscan(tmp_path, *command)
    out, err = repeated.communicate(timeout=300)
    assert repeated.returncode == 0, err
    assert "150,000 models" in out or "already" in out


def test_ignored_signal_stays_ignored(folder):
    """As with `nohup`, or in the background of a script."""
    command = ("query", "--db", str(folder / "hfscan.duckdb"))
    process = subprocess.Popen(
        [sys.executable, "-c", IGNORING_SCRIPT, *command], stdout=subprocess.PIPE, text=True
    )
    assert "exclusivity" in process.communicate(timeout=300)[0]
    assert process.returncode == 0
