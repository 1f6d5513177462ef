"""The command line has documented exit codes, and messages with advice."""

import json
import re
import threading

import pytest
from processes import run_hfscan
from testhub import FakeHub, Population

from hfscan import errors
from hfscan.cli import COMMANDS
from hfscan.figures.queries import list_queries


def test_help_names_every_command(run_cli):
    code, out, _ = run_cli("--help")
    assert code == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command}\b", out, re.MULTILINE)
        assert run_cli(command, "--help")[0] == 0


def test_demo_needs_no_network(tmp_path):
    code, out, err = run_hfscan(
        tmp_path, "demo", HF_ENDPOINT="http://127.0.0.1:9", HF_HUB_OFFLINE="1"
    )
    assert (code, err.startswith("Serving")) == (0, True)
    assert "SYNTHETIC" in out
    assert "models created from 2 March to 31 December 2022, 94" in out
    assert (tmp_path / "demo" / "report-2022.md").read_text("utf-8").startswith("# Frameworks")
    assert "SYNTHETIC" in (tmp_path / "demo" / "report-2022.html").read_text("utf-8")
    # its database can be used without the fake Hub
    code, out, _ = run_hfscan(
        tmp_path, "report", "--year", 2023, "--db", "demo/hfscan.duckdb", "--format=json"
    )
    assert code == 0
    report = json.loads(out)
    assert report["year"] == 2023
    assert report["snapshot"]["synthetic"] == "models=20000, seed=2022"
    assert report["snapshot"]["complete"] is True


def test_missing_database_is_explained(run_cli):
    code, out, err = run_cli("report", "--year", 2022)
    assert (code, out) == (errors.DatabaseError.exit_code, "")
    assert "hfscan crawl" in err
    assert "hfscan demo" in err


def test_unreachable_hub_is_explained(run_cli):
    code, _, err = run_cli("crawl", "--endpoint", "http://127.0.0.1:9", "--limit", 5)
    assert code == errors.HubUnreachableError.exit_code
    assert "http://127.0.0.1:9" in err
    assert "hfscan demo" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("crawl", "--year", "1999"),
        ("crawl", "--year", "2022", "--since", "2022-01-01"),
        ("crawl", "--limit", "0"),
        ("report", "--year", "twenty"),
        ("report", "--as-of", "2024-01-01", "--snapshot", "1"),
        ("report", "--frameworks", ","),
        ("import", "x.json"),
        ("import", "x.json", "--observed-at", "2999-01-01"),
        ("fake-hub",),
        ("fake-hub", "--models", "5", "--fault", "flood"),
        ("scan",),
    ],
)
def test_wrong_usage_has_exit_code_2(run_cli, arguments):
    code, out, err = run_cli(*arguments)
    assert (code, out) == (2, "")
    assert "Error: " in err
    assert "Traceback" not in err


def test_report_on_imported_dump(run_cli, tmp_path):
    dump = tmp_path / "dump.jsonl"
    dump.write_text('{"modelId": "a/b", "tags": ["pytorch"]}\n{"modelId": "a/c", "tags": ["tf"]}\n')
    code, out, _ = run_cli("import", "dump.jsonl", "--observed-at", "2022-02-15")
    assert code == 0
    assert out.startswith("Snapshot 1: 2 models observed 2022-02-15 in hfscan.duckdb")
    assert "Missing columns: _id" in out
    code, out, _ = run_cli("report", "--out", "r.md")
    assert (code, out) == (0, "")
    assert "1 (50.0 % *) support PyTorch only" in (tmp_path / "r.md").read_text().replace("\\", "")
    code, _, err = run_cli("report", "--year", 2022)
    assert code == errors.NotFoundError.exit_code
    assert "no creation dates" in err
    code, out, err = run_cli("query", "SELECT 1", "--db", f"{'x' * 300}.duckdb")
    assert (code, out) == (9, "")
    assert "too long a file name" in err
    code, _, err = run_cli("report", "--frameworks", "pytorch,theano")
    assert code == errors.InvalidRequestError.exit_code
    assert "There is no framework 'theano'" in err


def test_file_of_a_hub_dataset_is_imported(tmp_path):
    folder = tmp_path / "dataset"
    folder.mkdir()
    (folder / "models.jsonl").write_text('{"id": "a/b", "tags": ["pytorch"]}\n')
    row = {"_id": "6" * 24, "id": "datasets/ann/stats", ".folder": str(folder)}
    row["createdAt"] = "2024-01-01T00:00:00.000Z"
    name = "hf://datasets/ann/stats/models.jsonl"
    with FakeHub(Population.from_rows([row])) as hub:
        environment = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
        code, out, err = run_hfscan(
            tmp_path, "import", name, "--observed-at", "2024-07-11", **environment
        )
        assert (code, err) == (0, "")
        assert out.startswith("Snapshot 1: 1 model ")
        code, _, err = run_hfscan(
            tmp_path, "import", name + "x", "--observed-at", "2024-07-11", **environment
        )
        assert code == errors.HubRefusedError.exit_code
        assert "cannot be downloaded" in err
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "other")}
    code, _, err = run_hfscan(
        tmp_path, "import", name, "--observed-at", "2024-07-11", **environment
    )
    assert code == errors.HubUnreachableError.exit_code
    assert "HF_ENDPOINT" in err


def test_queries_are_listed_and_read_only(run_cli, tmp_path):
    rows = '{"id": "a/b", "tags": ["pytorch"]}\n{"id": "=cmd/x", "tags": ["tf"]}\n'
    (tmp_path / "dump.jsonl").write_text(rows)
    run_cli("import", "dump.jsonl", "--observed-at", "2022-02-15")
    code, out, _ = run_cli("query")
    assert code == 0
    for name in list_queries():
        assert re.search(rf"^{name} ", out, re.MULTILINE)
    code, out, _ = run_cli(
        "query", "concentration", "--param", "framework=tensorflow", "--format=json"
    )
    assert [(row["author"], row["numerator"]) for row in json.loads(out)] == [("=cmd", 1)]
    code, out, _ = run_cli("query", "SELECT id FROM census ORDER BY id", "--format", "csv")
    assert (code, out) == (0, "id\n'=cmd/x\na/b\n")
    code, out, _ = run_cli("query", "SELECT count(*) AS models FROM census", "--format", "md")
    assert out == "| models |\n| --- |\n| 2 |\n"
    for sql in (
        "SELECT * FROM read_text('dump.jsonl')",
        "COPY models TO 'stolen.csv'",
        "DELETE FROM versions",
        "ATTACH 'other.duckdb'",
        "SET enable_external_access = true",
        "SELEC 1",
    ):
        code, out, err = run_cli("query", sql)
        assert (code, out) == (2, ""), sql
        assert "Traceback" not in err
    code, _, err = run_cli("query", "nope")
    assert code == errors.InvalidRequestError.exit_code
    assert "To list all" in err
    assert not (tmp_path / "stolen.csv").exists()


def test_unreadable_dump_names_the_line(run_cli, tmp_path):
    (tmp_path / "dump.jsonl").write_text('{"id": "a/b"}\n{"id": \n')
    code, _, err = run_cli("import", "dump.jsonl", "--observed-at", "2022-02-15")
    assert code == errors.ImportFileError.exit_code
    assert "dump.jsonl, line 2" in err


def test_crawl_offline_is_refused(tmp_path):
    code, _, err = run_hfscan(tmp_path, "crawl", HF_HUB_OFFLINE="1")
    assert code == errors.HubUnreachableError.exit_code
    assert "HF_HUB_OFFLINE" in err


def test_exit_codes_are_unique_and_documented(request):
    codes = {
        error.exit_code: name
        for name, error in vars(errors).items()
        if isinstance(error, type) and issubclass(error, errors.HfscanError)
    }
    assert len(codes) == len([name for name in vars(errors) if name.endswith("Error")])
    page = (request.config.rootpath / "docs" / "cli.md").read_text(encoding="utf-8")
    for code in codes:
        assert re.search(rf"^\| {code} \|", page, re.MULTILINE), code


def test_command_leaves_threads_of_its_caller(run_cli):
    """A program that calls the command line continues after it."""
    event = threading.Event()
    thread = threading.Thread(target=event.wait, args=(30,))
    thread.start()
    try:
        assert run_cli("frameworks")[0] == 0
        assert thread.is_alive()
    finally:
        event.set()
        thread.join()
