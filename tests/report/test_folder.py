"""Reports as files: golden files, folders, comparisons and own specifications."""

import csv
import io
import json
import re
from datetime import datetime
from itertools import pairwise, product
from xml.etree import ElementTree

import duckdb
import parity_runs
import pytest
from click.testing import CliRunner
from testhub import Population

from hfscan.cli import cli
from hfscan.errors import ReportConfigError
from hfscan.figures import SnapshotView
from hfscan.report import (
    FORMATS,
    ReportRequest,
    build,
    build_claims_report,
    build_database_report,
    compare,
    is_database_report,
    write_folder,
)
from hfscan.store import Store

DAY = datetime(2026, 11, 26, 12)


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    path = parity_runs.create_database(
        tmp_path_factory.mktemp("census") / "h.duckdb",
        Population.synthetic(600, seed=7),
        parity_runs.make_case("ann/bert", "tensorflow", load_method="converted"),
    )
    with duckdb.connect(path) as connection:  # where lines break depends on both
        connection.execute(
            "UPDATE snapshots SET observed_from = $day, observed_to = $day, origin = $origin",
            {"day": DAY, "origin": "http://127.0.0.1:8000"},
        )
    return path


@pytest.fixture(scope="module")
def report(database):
    with Store.open(database) as store:
        return build(SnapshotView.choose(store, None), ReportRequest(2022))


def mask(text):
    """Replace dates, URLs and versions by placeholders."""
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "DAY", text)
    text = re.sub(r"(napshot (\d+ )?of) \d{1,2} \w+ \d{4}", r"\1 DAY", text)
    text = text.replace(f"{DAY:%Y-%m-%d}", "DAY")
    text = re.sub(r"http\\?://127\\?.0\\?.0\\?.1\\?:\d+", "HUB", text)
    return re.sub(r'"hfscan_version": "[\d.]+"', '"hfscan_version": "VERSION"', text)


def build_report(store, name):
    """Return the report of this name: of all years (overview), of 2022, or 2022 and 2023."""
    if is_database_report(name):
        return build_database_report(store, name)
    view = SnapshotView.choose(store, None)
    report = build(
        view, ReportRequest(None if name in ("overview", "ecosystem") else 2022), name=name
    )
    if name != "compare":
        return report
    return compare(report, build(view, ReportRequest(2023), name=name), view)


@pytest.mark.parametrize("name", ["year", "overview", "compare", "ecosystem", "parity", "claims"])
def test_files_match_the_golden_ones(database, name, tmp_path, request):
    """After an intended change: delete tests/report/golden, run twice, and read the difference."""
    with Store.open(database) as store:
        report = build_report(store, name)
    golden, new_files = request.path.parent / "golden", []
    for path in write_folder(report, ("md", "json", "csv", "terminal"), tmp_path):
        if path.suffix == ".svg" or path.name == "snapshots.csv":
            continue
        expected = golden / path.relative_to(tmp_path)
        text = mask(path.read_text("utf-8"))
        if not expected.exists():
            expected.parent.mkdir(parents=True, exist_ok=True)
            expected.write_text(text, "utf-8")
            new_files.append(expected.name)
        assert text == expected.read_text("utf-8"), path.name
    assert not new_files, "written; read them and rerun"


def test_markdown_images_are_standalone_svg(report, tmp_path):
    paths = write_folder(report, ("md",), tmp_path)
    text = (tmp_path / "report-2022.md").read_text("utf-8")
    image_names = re.findall(r"!\[[^\]]*\]\((.+)\)", text)
    assert len(image_names) == len([path for path in paths if path.suffix == ".svg"]) >= 8
    for name in image_names:
        text = (tmp_path / name).read_text("utf-8")
        svg = ElementTree.fromstring(text)
        assert "var(" not in text  # colours that every program knows
        words = " ".join(svg.itertext())
        assert "Source: hfscan" in words
        assert "SYNTHETIC" in words


def test_csv_holds_all_figures_of_the_json(report, tmp_path):
    write_folder(report, ("csv", "json"), tmp_path)
    document = json.loads((tmp_path / "report-2022.json").read_text("utf-8"))
    rows = {}
    for path in (tmp_path / "report-2022-csv").iterdir():
        with path.open(encoding="utf-8", newline="") as file:
            rows[path.stem] = list(csv.DictReader(file))
    shares = [row["share"] for name in rows for row in rows[name] if row.get("definition")]
    figures = document["figures"] + document["variants"]
    assert sorted(shares) == sorted(
        "" if figure["share"] is None else str(figure["share"]) for figure in figures
    )
    assert [row["kind"] for row in rows["snapshots"]] == ["crawl"]


class Screen(io.StringIO):
    def isatty(self):
        return True


def test_terminal_output_fits_80_columns(report, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    screen, pipe = Screen(), io.StringIO()
    FORMATS["terminal"](report, screen)
    text = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", screen.getvalue())  # no colour
    FORMATS["terminal"](report, pipe)
    assert "\x1b" not in pipe.getvalue()
    for section in report.sections:
        for figure in section.figures:  # no name is shortened
            is_hidden = figure.group is None or not figure.denominator or figure.name == "none"
            assert is_hidden or figure.group in pipe.getvalue()


def test_verdicts_on_claims_fit_80_columns(database, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm-256color")
    with Store.open(database) as store:
        report = build_claims_report(store, full=False)
    screen = Screen()
    FORMATS["terminal"](report, screen)
    text = re.sub(r"\x1b\[[0-9;]*m", "", screen.getvalue())
    assert [line for line in text.splitlines() if len(line.rstrip()) > 80] == []
    for row in report.sections[0].rows:  # no word is broken
        words = f"{row['claim']} {row['claimed']} {row['verdict'].replace('_', ' ')}".split()
        assert all(word in text for word in words), row


def test_comparison_of_two_years(database):
    with Store.open(database) as store:
        view = SnapshotView.choose(store, None)
        earlier_report, later_report = (
            build(view, ReportRequest(year), name="compare") for year in (2022, 2023)
        )
        comparison = compare(earlier_report, later_report, view)
        single_report = build(view, ReportRequest(2023))
    assert comparison.title == "Frameworks of the Hub's models: 2022 (from 2 March) and 2023"
    assert comparison.file_name == "compare-2022-2023"
    first_row = comparison.headline.rows[0]
    (expected,) = [
        figure
        for figure in single_report.headline.figures
        if (figure.name, figure.framework) == ("exclusive", "pytorch")
    ]
    assert (first_row["compared_numerator"], first_row["compared_denominator"]) == (
        expected.numerator,
        expected.denominator,
    )
    change = first_row["compared_numerator"] / first_row["compared_denominator"]
    change -= first_row["numerator"] / first_row["denominator"]
    assert first_row["points"] == pytest.approx(100 * change, abs=1e-5)
    for format_ in FORMATS:
        out = io.StringIO()
        FORMATS[format_](comparison, out)
        assert f"{first_row['points']:+.1f}" in out.getvalue() or format_ == "json"


HOSTILE = ("=cmd|' /C calc'!A0", "@SUM(1)", "../../<img src=x onerror=1>", "`x`|[y](z)\x1b[31m")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A database of models whose texts are formulas, markup and paths."""
    models = [
        {
            "_id": f"63ffff{number:018x}", "id": f"{text.replace('/', '')}/{number}",
            "tags": [tag], "createdAt": f"{year}-08-19T20:19:12.000Z", "downloads": 5,
            "pipeline_tag": text, "library_name": text,
        }
        for number, (text, tag, year) in enumerate(
            product(HOSTILE, ("pytorch", "tf"), (2022, 2023))
        )
    ]  # fmt: skip
    return parity_runs.create_database(
        tmp_path_factory.mktemp("hostile") / "h.duckdb",
        Population.from_rows(models),
        *(parity_runs.make_case(text, "pytorch", "outputs differ") for text in HOSTILE),
    )


@pytest.mark.parametrize("name", ["year", "overview", "compare", "ecosystem", "parity", "claims"])
def test_hub_text_is_harmless_in_every_file(hostile, name, tmp_path):
    with Store.open(hostile) as store:
        paths = write_folder(
            build_report(store, name), ("md", "csv", "terminal"), tmp_path / "a" / "b"
        )
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == set(paths)
    cells, lines = [], []
    for path in paths:
        text = path.read_text("utf-8")
        assert re.fullmatch(r"[\w.-]+", path.name)
        assert "\x1b" not in text or path.suffix == ".csv"
        if path.suffix == ".csv":
            cells += [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        elif path.suffix == ".md":
            lines = text.splitlines()
    formulas = [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert not [cell for cell in formulas if not re.fullmatch(r"-[\d.e-]+", cell)]
    assert not re.search(r"(?<!\\)[<`]", "\n".join(lines))
    for previous_line, line in pairwise(lines):
        if previous_line.startswith("|") and line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) == len(
                re.findall(r"(?<!\\)\|", previous_line)
            )
    if name != "claims":  # claims quote no model
        assert any("SUM" in cell for cell in cells)
        assert any("onerror" in line for line in lines)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (None, "Known: mine"),
        ("title = ", "cannot be read"),
        ('title = "T"\nheadline = "x"', "must have a title"),
        (
            '[[section]]\nname = "../x"\ntitle = "T"\npopulation = "requested"',
            "is not a valid section name",
        ),
        ('[[section]]\nname = "x"', "no population, title"),
    ],
)
def test_invalid_specification_is_reported(database, tmp_path, spec, message):
    spec_file = tmp_path / "mine" / "report.toml"
    spec_file.parent.mkdir()
    spec_file.write_text(spec or "")
    name = "mine" if spec else "other"
    with Store.open(database) as store:
        view = SnapshotView.choose(store, None)
        with pytest.raises(ReportConfigError, match=message):
            build(view, ReportRequest(2022), name=name, where=tmp_path)


def test_custom_specification_is_used(database, tmp_path):
    spec_file = tmp_path / "mine" / "report.toml"
    spec_file.parent.mkdir()
    spec_file.write_text(
        'title = "Mine, {year}"\nheadline = "all"\n'
        '[[section]]\nname = "all"\ntitle = "All"\npopulation = "requested"\n'
    )
    out = tmp_path / "out"
    options = ["--year", "2022", "--name", "mine", "--reports", str(tmp_path), "--out", str(out)]
    result = CliRunner().invoke(
        cli, ["report", "--db", str(database), *options, "--format", "json", "--format", "csv"]
    )
    assert result.exit_code == 0, result.output
    assert json.loads((out / "mine-2022.json").read_text("utf-8"))["report"] == "mine"
    assert sorted(path.name for path in (out / "mine-2022-csv").iterdir()) == [
        "all.csv",
        "snapshots.csv",
    ]
