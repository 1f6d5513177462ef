"""Closed or full stdout and stderr give a message and a documented exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fork_client import name_socket, run_forked
from processes import can_fork, start_fork_server

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs descriptors of POSIX")

EMOJI = "a/\N{GRINNING FACE}"
COMMANDS = {
    "snapshots": ("snapshots",),
    "report": ("report",),
    "report-json": ("report", "--format", "json"),
    "report-md": ("report", "--format", "md"),
    "report-html": ("report", "--format", "html"),
    "query": ("query", "FROM census"),
    "query-csv": ("query", "FROM census", "--format", "csv"),
    "queries": ("query",),
    "trend": ("trend", "--by-snapshot", "--format", "json"),
    "claims": ("claims",),
    "explain": ("explain", EMOJI),
    "frameworks": ("frameworks",),
    "export": ("export", "exported", "--table", "models"),
    "doctor": ("doctor", "--no-backends"),
    "help": ("--help",),
    "version": ("--version",),
}
WITHOUT_DB = {"queries", "frameworks", "help", "version"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a database of a model whose name few encodings can represent."""
    path = tmp_path_factory.mktemp("streams")
    rows = [{"id": EMOJI, "_id": "63b1" + "0" * 20, "tags": ["pytorch"], "author": "a"}]
    (path / "dump.json").write_text(json.dumps(rows), encoding="utf-8")
    result = run_command(
        path, "import", "dump.json", "--observed-at", "2024-01-01", stdout=subprocess.PIPE
    )
    assert result.returncode == 0, result.stderr
    return path


def run_command(folder, *args, **options):
    """Run hfscan with these options of subprocess.run, and `variables` of the environment."""
    variables = {"HF_HUB_OFFLINE": "1", "PYTHONUTF8": "0"}
    variables |= options.pop("variables", {})
    options.setdefault("stderr", subprocess.PIPE)
    command = [sys.executable, "-m", "hfscan", *args]
    env = os.environ | variables
    return subprocess.run(command, cwd=folder, env=env, check=False, timeout=300, **options)


def run_into(stdout, folder, *args):
    """Run hfscan with this descriptor as stdout; return exit code and stderr."""
    if not can_fork(()):
        result = run_command(folder, *args, stdout=stdout)
        return result.returncode, result.stderr
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    with (folder / "stderr").open("w+b") as stderr, Path(os.devnull).open("rb") as nothing:
        streams = [nothing.fileno(), stdout, stderr.fileno()]
        address = name_socket(start_fork_server())
        code = run_forked(address, ["hfscan", *args], str(folder), environment, streams, 300)
        stderr.seek(0)
        return code, stderr.read()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("name", COMMANDS)
def test_full_stdout_ends_with_code_9(folder, name):
    with Path("/dev/full").open("w") as full_device:
        code, stderr = run_into(full_device.fileno(), folder, *COMMANDS[name])
    assert code == 9, stderr
    last_line = stderr.decode().strip().splitlines()[-1]
    assert last_line.startswith("Error: Cannot write to standard output: No space left")
    assert b"Traceback" not in stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_closed_pipe_ends_with_code_141(folder, name):
    read_end, write_end = os.pipe()
    os.close(read_end)
    code, stderr = run_into(write_end, folder, *COMMANDS[name])
    os.close(write_end)
    assert code == 141, stderr
    assert b"Error" not in stderr
    assert b"Traceback" not in stderr


@pytest.mark.parametrize("name", ["snapshots", "report-json", "help"])
def test_closed_stdout_ends_with_code_9(folder, name):
    result = run_command(folder, *COMMANDS[name], preexec_fn=lambda: os.close(1))
    assert result.returncode == 9, result.stderr
    assert b"Cannot write to standard output: the stream is closed" in result.stderr


def test_closed_stdout_leaves_files_intact(folder):
    """A file opened later must not become stdout."""

    def close():
        os.close(1)
        os.close(2)

    result = run_command(folder, "report", "--out", "closed.json", stderr=None, preexec_fn=close)
    assert result.returncode == 0
    assert json.loads((folder / "closed.json").read_text("utf-8"))["snapshot"]["id"] == 1


def test_full_stderr_stops_nothing(folder):
    with Path("/dev/full").open("w") as full_device:
        result = run_command(
            folder, "report", "--out", "r.md", stdout=subprocess.PIPE, stderr=full_device
        )
        assert result.returncode == 0
        failed = run_command(
            folder, "report", "--db", "none", stdout=subprocess.PIPE, stderr=full_device
        )
        assert failed.returncode == 6


@pytest.mark.parametrize(
    ("encoding", "read_encoding"),
    [("cp1252", "cp1252"), ("latin-1", "latin-1"), ("ascii", "utf-8")],
)
def test_text_is_escaped_for_narrow_encodings(folder, encoding, read_encoding):
    variables = {"PYTHONIOENCODING": encoding}
    query = ("query", "SELECT id FROM census")
    for command in (query, COMMANDS["explain"]):
        result = run_command(folder, *command, stdout=subprocess.PIPE, variables=variables)
        assert result.returncode == 0, result.stderr
        expected = EMOJI if read_encoding == "utf-8" else "a/\\U0001f600"
        assert expected in result.stdout.decode(read_encoding)
    error = run_command(folder, "explain", "b/\N{GRINNING FACE}", variables=variables)
    assert error.returncode == 7
    assert b"Traceback" not in error.stderr


@pytest.mark.parametrize("format_", ["csv", "json", "md"])
def test_data_is_utf8_in_any_encoding(folder, format_):
    query = ("query", "SELECT id FROM census", "--format", format_)
    outputs = [
        run_command(folder, *query, stdout=subprocess.PIPE, variables=variables).stdout
        for variables in ({"PYTHONIOENCODING": "cp1252"}, {"LC_ALL": "C"}, {"PYTHONUTF8": "1"})
    ]
    assert EMOJI.encode() in outputs[0]
    assert len(set(outputs)) == 1
