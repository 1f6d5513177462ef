"""What a person sees in a terminal of 80 columns: summaries, tables, colours and progress."""

import json
import re
import shlex
from datetime import UTC, datetime

import pytest
from dumps import ingest_models
from processes import run_hfscan
from rich.cells import cell_len
from terminal import COLOUR, run_on_terminal, strip_styles
from testhub import FakeHub, Population

from hfscan.frameworks import taxonomy
from hfscan.pipeline import crawl
from hfscan.report.format import breakdown_label
from hfscan.report.tables import Table
from hfscan.report.writers.terminal_table import format_table
from hfscan.scope import Scope
from hfscan.wrap import wrap

WIDTH, LINES = 80, 25
REPORTS = [
    ("--year", "2022"),
    (),
    ("--year", "2023", "--definition", "tag"),
    ("--weight", "downloads"),
    ("--frameworks", "pytorch"),
    ("--frameworks", "pytorch,tensorflow,jax,onnx,keras,gguf,mlx,paddle,coreml,spacy"),
    ("--frameworks", "all"),
    ("--year", "2023", "--compare-year", "2022"),
    ("--name", "ecosystem"),
    ("--name", "lineage"),
    ("--name", "claims"),
]


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    """A database of two snapshots."""
    path = tmp_path_factory.mktemp("terminal") / "h.duckdb"
    for seed in (3, 4):
        with FakeHub(Population.synthetic(900, seed=seed), quota=None) as hub:
            crawl(Scope(), endpoint=hub.url, token=None, db=path, resume=False)
    return path


def find_wide_lines(text):
    return [line for line in text.splitlines() if cell_len(line) > WIDTH]


@pytest.mark.parametrize("options", REPORTS, ids=" ".join)
def test_summary_fits_25_lines_of_80_columns(db, run_cli, options):
    code, out, err = run_cli("report", "--db", db, *options)
    assert (code, err) == (0, "")
    assert len(out.splitlines()) <= LINES
    assert find_wide_lines(out) == []
    assert "\x1b" not in out
    assert out.splitlines()[-1].endswith("--full")


def test_summary_has_breakdown_coverage_caveats_and_commands(db, run_cli, monkeypatch):
    monkeypatch.setenv("HFSCAN_DB", str(db))
    _, out, _ = run_cli("report", "--year", "2022")
    report = json.loads(run_cli("report", "--year", "2022", "--format", "json")[1])
    words = " ".join(out.split())
    figure = next(figure for figure in report["figures"] if figure["name"] == "exclusive")
    assert f"{figure['numerator']} ({figure['share']:.1%}".replace("%", "") in words
    for row in report["breakdown"]:
        if row["group"] is None:
            label = breakdown_label(row["class"], taxonomy().titles)
            assert re.search(rf"^{label} +{row['numerator']:,} ", out, re.MULTILINE)
    assert f"The shares describe {figure['coverage']:.1%}".replace("%", " %") in words
    caveats = out[out.index("Caveats") : out.index("Next")]
    assert caveats.count("- ") == 3
    assert "SYNTHETIC" in caveats
    assert out[out.index("Next") :].count("hfscan report") == 3


def test_summary_of_downloads_has_no_caveats_that_count_models(db, run_cli):
    _, out, _ = run_cli("report", "--db", db, "--year", "2022", "--weight", "downloads")
    words = " ".join(out.split())
    assert re.search(r"Of the [\d,]+ downloads in 30 days of models created", words)
    caveats = words[words.index("Caveats") : words.index("Next")]
    assert "may be of 2022" not in caveats
    assert "largest accounts" not in caveats


def test_bars_are_proportional_to_shares(db, run_cli):
    _, out, _ = run_cli("report", "--db", db)
    bars = re.findall(r"^\D+[\d,]+ +<?([\d.]+) %[ *]*([█▏▎▍▌▋▊▉]*)$", out, re.MULTILINE)
    assert len(bars) == 8
    for share, bar in bars:
        eighths = sum(8 if block == "█" else " ▏▎▍▌▋▊▉".index(block) for block in bar)
        room = WIDTH * 8 / 100
        assert bool(eighths) == (float(share) > 0)
        assert eighths / 8 <= float(share) * room / 8 + 1
    ordered = sorted(bars, key=lambda item: float(item[0]))
    assert [len(bar) for _, bar in ordered] == sorted(len(bar) for _, bar in bars)


@pytest.mark.parametrize(("columns", "has_bars"), [("40", False), ("80", True)])
def test_bars_are_left_out_where_they_would_say_nothing(
    db, run_cli, monkeypatch, columns, has_bars
):
    monkeypatch.setenv("COLUMNS", columns)
    _, out, _ = run_cli("report", "--db", db)
    assert bool(re.search("[▏▎▍▌▋▊▉█]", out)) == has_bars
    assert re.search(r"^PyTorch only +\d+ +\d+\.\d %", out, re.MULTILINE)


@pytest.mark.parametrize("columns", ["40", "60", "80"])
def test_caveats_are_whole(db, run_cli, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    _, out, _ = run_cli("report", "--db", db, "--year", "2022")
    caveats = out[out.index("Caveats") : out.index("Next")]
    assert caveats.count("- ") == 3
    assert "..." not in caveats


def test_summary_shows_a_flag_on_the_data_in_full(tmp_path, run_cli):
    created = "2023-01-02T00:00:00.000Z"
    models = [{"id": f"ann/{n}", "tags": ["tf"], "createdAt": created} for n in range(200)]
    ingest_models(tmp_path / "h.duckdb", models, complete=True)
    _, text, _ = run_cli("report", "--db", tmp_path / "h.duckdb")
    assert (
        "No model was created in the 556 days before the snapshot. Its data are older than its "
        "time says, or its newest models are missing."
    ) in " ".join(text.split())
    assert len(text.splitlines()) <= 25


def test_storage_region_is_not_the_country_of_the_author(tmp_path, run_cli):
    models = [{"id": "ann/a", "tags": ["pytorch", "region:us"]}]
    ingest_models(tmp_path / "hfscan.duckdb", models)
    for options in ((), ("--full",), ("--format", "html")):
        code, out, _ = run_cli("report", "--by", "storage_region", *options)
        text = " ".join(out.replace("\xa0", " ").split())
        assert code == 0
        assert "By storage region" in text
        assert "where the Hub stores the files" in text
        assert "not the country of the author" in text
    assert run_cli("report", "--by", "region")[0] == 2


@pytest.mark.parametrize("options", [REPORTS[0], *REPORTS[6:9]], ids=" ".join)
def test_next_commands_run_as_printed(db, run_cli, options, monkeypatch):
    monkeypatch.setenv("HFSCAN_DB", str(db))
    _, out, _ = run_cli("report", *options)
    text = out[out.index("\nNext") + 5 :].replace("\\\n", " ")
    commands = [shlex.split(line) for line in text.splitlines()]
    assert 2 <= len(commands) <= 3
    for program, *arguments in commands:
        assert program == "hfscan"
        code, _, err = run_cli(*arguments)
        assert code == 0, err


def test_caveats_that_move_the_share_most_come_first(tmp_path, run_cli):
    """Half of the downloads are of one TensorFlow model; by files, all support both."""
    models = [
        {
            "id": f"ann/{n}", "tags": ["pytorch" if n else "tf"], "downloads": 30 if n else 900,
            "createdAt": "2023-12-31T00:00:00.000Z", "_id": f"6{n:023x}",
        }
        for n in range(30)
    ]  # fmt: skip
    ingest_models(tmp_path / "hfscan.duckdb", models, day=datetime(2024, 1, 1, tzinfo=UTC))
    _, out, _ = run_cli("report", "--year", "2023")
    caveats = re.findall(r"^(?:Caveats)? +- (.+)", out, re.MULTILINE)
    assert caveats[0] == "Whether the list of models is complete is unknown."
    assert caveats[1].startswith("Models deleted earlier are missing; tags are of ")
    assert caveats[2].startswith("Weighted by downloads: PyTorch only 49.2 %")
    assert "hfscan report --year 2023 --weight downloads\n" in out


def test_full_report_has_every_section(db, run_cli):
    _, out, _ = run_cli("report", "--db", db, "--year", "2022", "--full")
    report = json.loads(run_cli("report", "--db", db, "--year", "2022", "--format", "json")[1])
    assert find_wide_lines(out) == []
    lines = out.splitlines()
    for table in report["tables"]:
        assert " ".join(table["title"].split()) in " ".join(out.split())
    assert len(lines) > 200


def test_by_prints_one_table(db, run_cli):
    code, out, _ = run_cli("report", "--db", db, "--year", "2023", "--by", "task")
    assert code == 0
    assert find_wide_lines(out) == []
    assert sum(not line.strip("─") and bool(line) for line in out.splitlines()) == 1
    assert "The shares describe" in out
    report = json.loads(
        run_cli("report", "--db", db, "--year", "2023", "--by", "task", "--format", "json")[1]
    )
    figures = (figure for figure in report["figures"] if figure["name"] == "exclusive")
    groups = {figure["group"] for figure in figures if figure["by"] and figure["denominator"]}
    assert len(groups) > 5
    assert groups <= set(out.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "--year", "2022"),
        ("report", "--year", "2022", "--full"),
        ("report", "--name", "ecosystem", "--full"),
        ("snapshots",),
        ("snapshots", "--full"),
        ("frameworks",),
        ("frameworks", "pytorch"),
        ("query",),
        ("query", "concentration"),
        ("claims",),
        ("trend", "--by-snapshot"),
        ("show", "author-0000"),
    ],
    ids=" ".join,
)
def test_output_fits_the_terminal(db, tmp_path, arguments):
    """Nothing is wider than the terminal, and a pipe gets the same words."""
    code, out, err = run_on_terminal(tmp_path, *arguments, "--db", db)
    assert code == 0, err
    assert find_wide_lines(strip_styles(out)) == []
    assert find_wide_lines(strip_styles(err).rpartition("\r")[2]) == []


def test_pipe_gets_the_text_of_the_terminal(db, tmp_path, run_cli):
    for arguments in (("report", "--year", "2022"), ("snapshots",), ("trend",)):
        _, screen, _ = run_on_terminal(tmp_path, *arguments, "--db", db)
        _, pipe, _ = run_cli(*arguments, "--db", db)
        assert strip_styles(screen) == pipe


def test_colours_only_on_a_terminal_without_no_color(db, tmp_path, run_cli):
    arguments = ("report", "--year", "2022", "--db", db)
    assert COLOUR.search(run_on_terminal(tmp_path, *arguments)[1])
    assert not COLOUR.search(run_on_terminal(tmp_path, *arguments, NO_COLOR="1")[1])
    assert "\x1b" not in run_on_terminal(tmp_path, *arguments, TERM="dumb")[1]
    assert "\x1b" not in run_cli(*arguments)[1]


@pytest.mark.parametrize(
    ("arguments", "label"),
    [
        (("report", "--out", "report.html"), "Building the report"),
        (("claims", "--out", "claims.html"), "Checking the claims"),
        (("export", "census", "--table", "models"), "Exporting"),
        (("trend",), "Counting models"),
        (("query", "breakdown"), "Running the query"),
        (("show", "author-0000"), "Reading the snapshots"),
        (("snapshots",), "Checking the snapshots"),
    ],
    ids=lambda item: item if isinstance(item, str) else item[0],
)
def test_long_commands_show_what_they_do(db, tmp_path, arguments, label):
    _, out, err = run_on_terminal(tmp_path, *arguments, "--db", db)
    assert label in err
    assert label not in out


def test_q_hides_progress(db, tmp_path):
    assert run_on_terminal(tmp_path, "-q", "query", "breakdown", "--db", db)[2] == ""


def test_restore_shows_progress(db, tmp_path, run_cli):
    tables = [f"--table={name}" for name in ("models", "creation_dates", "frameworks")]
    run_cli("export", "census", *tables, "--db", db)
    code, _, err = run_on_terminal(tmp_path, "import", "census", "--db", "restored.duckdb")
    assert code == 0, err
    assert "Importing" in err


def test_messages_break_between_words(db, tmp_path):
    _, _, err = run_on_terminal(tmp_path, "query", "concentratoin", "--db", db, columns=40)
    assert "Did you mean 'concentration'?" in " ".join(err.split())
    assert all(len(line) <= 40 for line in err.splitlines())
    assert "To list all" in err


def test_summary_needs_no_unicode(db, tmp_path):
    code, out, _ = run_hfscan(tmp_path, "report", "--db", db, PYTHONIOENCODING="latin-1")
    assert code == 0
    assert out.isascii()
    assert re.search(r"^PyTorch only +\d+ +[\d.]+ % +#+$", out, re.MULTILINE)


def test_numbers_align_at_the_decimal_point():
    table = Table(
        ("Name", "Share"), (("a", "9.5 %"), ("b", "100.0 % *"), ("c", "<0.1 %"), ("d", "-"))
    )
    lines = format_table(table, WIDTH)[2:]
    assert {line.index(".") for line in lines[:3]} == {lines[0].index(".")}
    assert lines[3].index("-") == lines[0].index(".") - 1


def test_wide_table_becomes_records():
    columns = tuple(f"column_{n}" for n in range(12))
    table = Table(columns, (columns, tuple("x" * 12)))
    lines = format_table(table, WIDTH)
    assert lines[0].split() == ["column_0", "column_0"]
    assert lines[12] == ""
    assert len(lines) == 25


def test_wide_table_leaves_out_empty_columns(db, run_cli):
    code, out, _ = run_cli("query", "exclusivity", "--db", db)
    assert code == 0
    table, note = out.split("\n\n")
    headings, _, *rows = table.splitlines()
    assert headings.split() == [
        "name", "framework", "numerator", "denominator", "population_size", "coverage", "small",
    ]  # fmt: skip
    assert [row.split()[0] for row in rows] == ["exclusive"] * 2 + ["available"] * 2 + [
        "shared",
        "none",
    ]
    assert " ".join(note.split()) == (
        "Empty in all rows: group, largest_model, largest_share, share_without_largest, cluster."
    )
    assert find_wide_lines(out) == []


def test_words_are_not_broken():
    text = "automatic-speech-recognition 95.2 % * (100.0 %) of openai-community/gpt2"
    for width in range(28, 60):
        lines = wrap(text, width)
        assert " ".join(lines) == text
        assert all(cell_len(line) <= width for line in lines)
        assert not any(line.startswith(("%", "*")) for line in lines)
    assert wrap("   indented text here", 12) == ["   indented", "   text here"]
    assert wrap("模型" * 10, 10) == ["模型模型模", "型模型模型"] * 2


def test_narrow_terminal_shows_the_breakdown(db, tmp_path):
    code, out, err = run_on_terminal(
        tmp_path, "report", "--year", "2022", columns=40, NO_COLOR="1", HFSCAN_DB=str(db)
    )
    assert code == 0, err
    lines = strip_styles(out).splitlines()
    assert all(cell_len(line) <= 40 for line in lines)
    assert len(lines) <= 2 * LINES
    for label in ("PyTorch only", "TensorFlow only", "both", "files unknown"):
        assert any(re.match(rf"{label} +[\d,]+ ", line) for line in lines), label


def test_pipe_has_the_width_that_columns_names(db, run_cli, monkeypatch):
    for text, columns in (("60", 60), ("120", 120), ("", WIDTH), ("x", WIDTH), ("0", WIDTH)):
        monkeypatch.setenv("COLUMNS", text)
        _, out, _ = run_cli("report", "--year", "2022", "--full", "--db", db)
        widest = max(cell_len(line) for line in out.splitlines())
        assert columns - 12 <= widest <= columns


def test_terminal_has_its_own_width_where_columns_names_none(db, tmp_path):
    for text in ("0", "x", "²"):
        arguments = ("report", "--year", "2022", "--full", "--db", db)
        code, out, err = run_on_terminal(tmp_path, *arguments, columns=100, COLUMNS=text)
        assert code == 0, err
        assert 88 <= max(cell_len(line) for line in strip_styles(out).splitlines()) <= 100


def test_delete_asks_on_a_terminal(tmp_path, run_cli):
    """Without a terminal, or with --yes, it does not."""
    db = tmp_path / "d.duckdb"
    delete = ("delete", "1", "--db", db)
    ingest_models(db, [{"id": "ann/a"}])
    code, out, err = run_on_terminal(tmp_path, *delete, answer="n")
    assert (code, out) == (0, "")
    assert "Snapshot 1: import observed" in err
    assert "Nothing was deleted." in err
    assert "Deleted snapshot 1: import" in run_on_terminal(tmp_path, *delete, answer="y")[1]
    ingest_models(db, [{"id": "ann/a"}])
    delete = ("delete", "2", "--db", db)
    code, out, err = run_on_terminal(tmp_path, *delete, "--yes", answer="n")
    assert (code, "Deleted snapshot 2" in out, "Delete for good" in err) == (0, True, False)
    ingest_models(db, [{"id": "ann/a"}])
    assert "Deleted snapshot 3" in run_cli("delete", "3", "--db", db)[1]
