"""Text of the Hub is escaped in terminals, files and data formats, by every command."""

import csv
import io
import json
import re
import sys

import pytest
from testhub import FakeHub, Population

from hfscan.cli import main
from hfscan.pipeline import crawl
from hfscan.scope import Scope

HIDDEN = "\x1b[2J\x07\x7f\x9b31m\u202e\u2066\u200b\ufeff\u2028\u2029\u3164"
EVIL = f"=1+1{HIDDEN}\r\nError: forged [red]b[/red]"
ID = f"an{re.sub('[/:]', '', EVIL)}n/model"
ROWS = [
    {
        "_id": f"63ffff{number:018x}",
        "id": f"{ID}{number}",
        "tags": [tag, EVIL, f"license:{EVIL}"],
        "createdAt": "2022-08-19T20:19:12.000Z",
        "downloads": number,
        "pipeline_tag": EVIL,
        "library_name": EVIL,
        "config": {"model_type": EVIL, "architectures": [EVIL]},
        "siblings": [{"rfilename": f"{EVIL}.bin"}],
        EVIL: 1,
    }
    for number, tag in enumerate(["pytorch", "tf", "tf"])
]


def unsafe(text):
    """Return what of a text is no visible character, blank or line break."""
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
def run(monkeypatch, capsys):
    """Run a command as a user does; return exit code, stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["hfscan", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        output = capsys.readouterr()
        assert not unsafe(output.out), arguments
        assert not unsafe(output.err), arguments
        assert not re.search("^Error: forged", output.out + output.err, re.MULTILINE)
        return stop.value.code or 0, output.out, output.err

    return run


COMMANDS = {
    "snapshots": [],
    "frameworks": [],
    "trend": ["--per", "month"],
    "explain": [f"{ID}0"],
    "query": ["SELECT * FROM census"],
}


@pytest.mark.parametrize("format_", ["terminal", "md", "csv", "json"])
@pytest.mark.parametrize("command", COMMANDS)
def test_rows_are_printed_safely(run, db, command, format_):
    more = [] if command == "frameworks" else ["--db", db]
    code, out, _ = run(command, *COMMANDS[command], "--format", format_, *more)
    assert (code, bool(out)) == (0, True)


@pytest.mark.parametrize("question", [["--by", "library"], ["--by", "author"], ["--year", "2022"]])
@pytest.mark.parametrize("format_", ["terminal", "md", "json", "html"])
def test_reports_are_printed_safely(run, db, question, format_):
    page = ["--out", db.with_name("page.html")] if format_ == "html" else []  # it has Vega's text
    code, out, _ = run("report", *question, "--format", format_, "--db", db, *page)
    assert code == 0
    if page:
        text = re.sub("(?s)<script>.*?</script>", "", page[1].read_text("utf-8"))
        assert not {char for char in text if not char.isprintable()} - {"\n", "\xa0"}
    elif "--year" not in question:
        assert "forged" in out


def test_files_of_a_folder_are_safe(run, db, tmp_path):
    formats = [part for name in ("md", "csv", "json", "terminal") for part in ("--format", name)]
    assert run("report", "--db", db, *formats, "--out", tmp_path / "r")[0] == 0
    assert run("export", tmp_path / "e", "--db", db)[0] == 0
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".parquet"]
    assert len(files) > 10
    for path in files:
        assert re.fullmatch(r"[\w.-]+", path.name)
        assert not unsafe(path.read_text("utf-8")), path


def test_messages_and_errors_are_one_line(run, db, hub, tmp_path):
    new = tmp_path / f"n{EVIL.replace('/', '')}.duckdb"
    dump = tmp_path / "dump.json"
    dump.write_text(json.dumps(ROWS))
    (tmp_path / "bad.json").write_text(json.dumps({"id": ID})[:-3])
    folder = tmp_path / f"f{EVIL.replace('/', '')}"
    for arguments, code in (
        (["crawl", "--endpoint", hub.url, "--db", new], 0),
        (["import", dump, "--observed-at", "2024-01-01", "--db", new], 0),
        (["import", tmp_path / "bad.json", "--observed-at", "2024-01-01", "--db", new], 8),
        (["import", f"{folder}.json", "--observed-at", "2024-01-01", "--db", new], 8),
        (["explain", EVIL, "--db", db], 7),
        (["query", EVIL, "--db", db], 2),
        (["query", "x\x1b[31m\u202ey", "--db", db], 2),
        (["query", f"SELECT '{EVIL}'::INT", "--db", db], 2),
        (["query", "concentration", "--param", f"x{EVIL}", "--db", db], 2),
        (["query", "concentration", "--param", EVIL, "--db", db], 2),
        (["snapshots", "--db", f"{folder}.duckdb"], 6),
        (["report", "--db", db, "--name", EVIL], 11),
        (["report", "--db", db, f"--{EVIL}"], 2),
        ([EVIL], 2),
        (["export", folder, "--db", db], 0),
        (["export", folder, "--db", db, "--snapshot", "9"], 7),
        (["doctor", "--no-backends", "--db", new, "--endpoint", f"{hub.url}/{EVIL}"], 4),
        (["doctor", "--no-backends", "--db", new, "--endpoint", hub.url, "--format", "json"], 0),
        (["claims", "--db", db], 0),
        (["delete", "1", "--db", new], 0),
    ):
        found, out, err = run(*arguments)
        assert found == code, (arguments, out, err)
        assert bool(err) or found in (0, 1)  # doctor tells on stdout


def test_json_values_are_those_of_the_hub(run, db):
    _, out, _ = run(
        "query", "SELECT id, tags FROM census ORDER BY id", "--format", "json", "--db", db
    )
    rows = json.loads(out)
    assert [(row["id"], row["tags"]) for row in rows] == [(row["id"], row["tags"]) for row in ROWS]


def test_cells_of_csv_are_one_line_and_no_formula(run, db):
    _, out, _ = run("query", "SELECT library_name, tags FROM census", "--format", "csv", "--db", db)
    head, *rows = csv.reader(io.StringIO(out))
    assert head == ["library_name", "tags"]
    assert len(rows) == len(ROWS)
    for library, tags in rows:
        assert library.startswith("'=1+1\ufffd[2J")
        assert json.loads(tags)[1] == EVIL
