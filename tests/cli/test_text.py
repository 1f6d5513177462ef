"""Text of the Hub is escaped in terminals, files and data formats, by every command."""

import csv
import io
import json
import re

import pytest
from testhub import FakeHub, Population

from hfscan.pipeline import crawl
from hfscan.scope import Scope

INVISIBLE = "\x1b[2J\x07\x7f\x9b31m\u202e\u2066\u200b\ufeff\u2028\u2029\u3164"
HOSTILE = f"=1+1{INVISIBLE}\r\nError: forged [red]b[/red]"
HOSTILE_ID = f"an{re.sub('[/:]', '', HOSTILE)}n/model"
ROWS = [
    {
        "_id": f"63ffff{number:018x}",
        "id": f"{HOSTILE_ID}{number}",
        "tags": [tag, HOSTILE, f"license:{HOSTILE}"],
        "createdAt": "2022-08-19T20:19:12.000Z",
        "downloads": number,
        "pipeline_tag": HOSTILE,
        "library_name": HOSTILE,
        "config": {"model_type": HOSTILE, "architectures": [HOSTILE]},
        "siblings": [{"rfilename": f"{HOSTILE}.bin"}],
        HOSTILE: 1,
    }
    for number, tag in enumerate(["pytorch", "tf", "tf"])
]


def find_unsafe(text):
    """Return the characters that are not visible characters, blanks or line breaks."""
    return {char for char in text if not char.isprintable() and char != "\n"} | (
        {"\u3164"} & set(text)
    )


@pytest.fixture(scope="module")
def hub():
    with FakeHub(Population.from_rows(ROWS), quota=None) as hub:
        yield hub


@pytest.fixture(scope="module")
def db(hub, tmp_path_factory):
    path = tmp_path_factory.mktemp("census") / "h.duckdb"
    crawl(Scope(), endpoint=hub.url, token=None, db=path)
    return path


@pytest.fixture
def run_command(run_cli, monkeypatch):
    """Return a function that runs a command and checks that its output is safe."""

    # wide enough that no name is wrapped, which would begin a line with its second part
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        code, out, err = run_cli(*arguments)
        assert not find_unsafe(out), arguments
        assert not find_unsafe(err), arguments
        assert not re.search("^Error: forged", out + err, re.MULTILINE)
        return code, out, err

    return run


COMMANDS = {
    "snapshots": [],
    "frameworks": [],
    "trend": ["--per", "month"],
    "explain": [f"{HOSTILE_ID}0"],
    "query": ["SELECT * FROM census"],
}


@pytest.mark.parametrize("format_", ["terminal", "md", "csv", "json"])
@pytest.mark.parametrize("command", COMMANDS)
def test_rows_are_printed_safely(run_command, db, command, format_):
    options = [] if command == "frameworks" else ["--db", db]
    code, out, _ = run_command(command, *COMMANDS[command], "--format", format_, *options)
    assert (code, bool(out)) == (0, True)


@pytest.mark.parametrize("options", [["--by", "library"], ["--by", "author"], ["--year", "2022"]])
@pytest.mark.parametrize("format_", ["terminal", "md", "json", "html"])
def test_reports_are_printed_safely(run_command, db, options, format_):
    page_options = (
        ["--out", db.with_name("page.html")] if format_ == "html" else []
    )  # the page includes Vega
    code, out, _ = run_command("report", *options, "--format", format_, "--db", db, *page_options)
    assert code == 0
    if page_options:
        text = re.sub("(?s)<script>.*?</script>", "", page_options[1].read_text("utf-8"))
        assert not {char for char in text if not char.isprintable()} - {"\n", "\xa0"}
    elif "--year" not in options:
        assert "forged" in out


def test_files_of_a_folder_are_safe(run_command, db, tmp_path):
    formats = [part for name in ("md", "csv", "json", "terminal") for part in ("--format", name)]
    assert run_command("report", "--db", db, *formats, "--out", tmp_path / "r")[0] == 0
    assert run_command("export", tmp_path / "e", "--db", db)[0] == 0
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".parquet"]
    assert len(files) > 10
    for path in files:
        assert re.fullmatch(r"[\w.-]+", path.name)
        assert not find_unsafe(path.read_text("utf-8")), path


def test_messages_and_errors_are_one_line(run_command, db, hub, tmp_path):
    new_db = tmp_path / f"n{HOSTILE.replace('/', '')}.duckdb"
    dump = tmp_path / "dump.json"
    dump.write_text(json.dumps(ROWS))
    (tmp_path / "bad.json").write_text(json.dumps({"id": HOSTILE_ID})[:-3])
    folder = tmp_path / f"f{HOSTILE.replace('/', '')}"
    for arguments, code in (
        (["crawl", "--endpoint", hub.url, "--db", new_db], 0),
        (["import", dump, "--observed-at", "2024-01-01", "--db", new_db], 0),
        (["import", tmp_path / "bad.json", "--observed-at", "2024-01-01", "--db", new_db], 8),
        (["import", f"{folder}.json", "--observed-at", "2024-01-01", "--db", new_db], 8),
        (["explain", HOSTILE, "--db", db], 7),
        (["query", HOSTILE, "--db", db], 2),
        (["query", "x\x1b[31m\u202ey", "--db", db], 2),
        (["query", f"SELECT '{HOSTILE}'::INT", "--db", db], 2),
        (["query", "concentration", "--param", f"x{HOSTILE}", "--db", db], 2),
        (["query", "concentration", "--param", HOSTILE, "--db", db], 2),
        (["snapshots", "--db", f"{folder}.duckdb"], 6),
        (["report", "--db", db, "--name", HOSTILE], 11),
        (["report", "--db", db, f"--{HOSTILE}"], 2),
        ([HOSTILE], 2),
        (["export", folder, "--db", db], 0),
        (["export", folder, "--db", db, "--snapshot", "9"], 7),
        (["doctor", "--no-backends", "--db", new_db, "--endpoint", f"{hub.url}/{HOSTILE}"], 4),
        (["doctor", "--no-backends", "--db", new_db, "--endpoint", hub.url, "--format", "json"], 0),
        (["claims", "--db", db], 0),
        (["delete", "1", "--db", new_db], 0),
    ):
        exit_code, out, err = run_command(*arguments)
        assert exit_code == code, (arguments, out, err)
        assert bool(err) or exit_code in (0, 1)  # doctor prints to stdout


def test_json_values_are_those_of_the_hub(run_command, db):
    _, out, _ = run_command(
        "query", "SELECT id, tags FROM census ORDER BY id", "--format", "json", "--db", db
    )
    rows = json.loads(out)
    assert [(row["id"], row["tags"]) for row in rows] == [(row["id"], row["tags"]) for row in ROWS]


def test_cells_of_csv_are_one_line_and_no_formula(run_command, db):
    _, out, _ = run_command(
        "query", "SELECT library_name, tags FROM census", "--format", "csv", "--db", db
    )
    header, *rows = csv.reader(io.StringIO(out))
    assert header == ["library_name", "tags"]
    assert len(rows) == len(ROWS)
    for library, tags in rows:
        assert library.startswith("'=1+1\ufffd[2J")
        assert json.loads(tags)[1] == HOSTILE
