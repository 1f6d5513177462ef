"""Every format states the covered part of a year."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

import hfscan
from hfscan.cli import cli
from hfscan.errors import InvalidRequestError, NotFoundError
from hfscan.scope import Scope
from hfscan.store import NewSnapshot, Store, ingest_files


def model(number, created, *tags):
    return {
        "_id": f"{int(datetime.fromisoformat(created).timestamp()):08x}{number:016x}",
        "id": f"ann/{number}", "tags": list(tags), "createdAt": created, "downloads": 3,
        "pipeline_tag": "fill-mask", "library_name": "transformers",
    }  # fmt: skip


MODELS = [
    model(1, "2022-03-02T23:29:04.000Z", "pytorch"),
    model(2, "2022-08-19T20:19:12.000Z", "tf"),
    model(3, "2023-05-01T00:00:00.000Z", "pytorch"),
    model(4, "2024-02-01T00:00:00.000Z", "pytorch"),
    model(5, "2024-07-11T17:04:39.000Z", "tf"),
]


def observe(db, day="2024-07-11", scope=None, models=MODELS):
    dump = db.with_name("dump.json")
    dump.write_text(json.dumps(models))
    seen = datetime.fromisoformat(day).replace(tzinfo=UTC)
    with Store.open(db, write=True) as store:
        ingest_files(store, [dump], NewSnapshot("import", day, scope or Scope(), seen, seen, None))


@pytest.fixture
def db(tmp_path):
    path = tmp_path / "h.duckdb"
    observe(path)
    return path


def ask(db, *arguments):
    done = CliRunner().invoke(cli, [*map(str, arguments), "--db", str(db)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def plain(text):
    return " ".join(text.replace("\\", "").split())


@pytest.mark.parametrize("format_", ["terminal", "md", "html"])
def test_partial_year_states_its_end(db, format_):
    text = plain(ask(db, "report", "--full", "--year", 2024, "--format", format_))
    assert "Of the 2 models created from 1 January to 11 July 2024, 2 (100.0 %) support" in text
    assert "Frameworks of the Hub's models, 2024 (to 11 July)" in text.replace("&#39;", "'")
    assert "Created from 1 January to 11 July 2024, download-weighted" in text
    assert "Existing on 11 July 2024" in text
    assert "Models created by 11 July 2024 that are in the snapshot" in text
    assert "Later models of 2024 are not counted." in text
    assert "the end of 2024" not in text


def test_full_year_has_no_partial_note(db):
    text = plain(ask(db, "report", "--full", "--year", 2023))
    assert "Of the 1 model created in 2023, 1 (100.0 %) support" in text
    assert "Existing at the end of 2023 Models created by the end of 2023 that" in text
    assert "PARTIAL" not in text
    assert json.loads(ask(db, "report", "--year", 2023, "--format=json"))["period"]["complete"]


def test_2022_begins_at_the_cutoff(db):
    text = plain(ask(db, "report", "--full", "--year", 2022))
    assert "created from 2 March to 31 December 2022 that support" in text
    assert "The Hub's creation dates begin on 2 March 2022, 23:29 UTC." in text
    assert "an imported data set dates to 2022" in text
    assert "Existing at the end of 2022" in text


def test_json_and_csv_have_covered_bounds(db, tmp_path):
    document = json.loads(ask(db, "report", "--year", 2024, "--format", "json"))
    assert document["period"] == {
        "since": "2024-01-01T00:00:00Z",
        "until": "2024-07-12T00:00:00Z",  # dated by its day, the dump holds models of that day
        "requested_since": "2024-01-01T00:00:00Z",
        "requested_until": "2025-01-01T00:00:00Z",
        "complete": False,
    }
    covered = {(one["population"], *one["covered"]) for one in document["figures"] if not one["by"]}
    assert covered == {
        ("created", "2024-01-01T00:00:00Z", "2024-07-12T00:00:00Z"),
        ("existing", None, "2024-07-12T00:00:00Z"),
    }
    ask(db, "report", "--year", 2024, "--format", "csv", "--out", tmp_path / "out")
    with (tmp_path / "out" / "report-2024-csv" / "created.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["covered_until"] for row in rows} == {"2024-07-12T00:00:00Z"}


def test_comparison_labels_the_partial_year(db):
    text = plain(ask(db, "report", "--full", "--year", 2023, "--compare-year", 2024))
    assert "Frameworks of the Hub's models: 2023 and 2024 (to 11 July)" in text
    assert "2023 and 2024 (to 11 July): PyTorch only from 100.0 % * of 1 to 50.0 % * of 2" in text
    assert "Later models of 2024 are not counted." in text
    report = json.loads(ask(db, "report", "--year", 2023, "--compare-year", 2024, "--format=json"))
    assert report["period"]["complete"]
    assert report["compared_with"]["period"]["until"] == "2024-07-12T00:00:00Z"


def test_trend_labels_partial_periods(db):
    assert "2024 (to 11 July)" in ask(db, "trend")
    assert "2022 (from 2 March)" in ask(db, "trend")
    assert "2024-07 (to 11 July)" in ask(db, "trend", "--per", "month", "--definition", "best")
    assert "2024 (to 11 July)" in ask(db, "trend", "--formats")
    rows = json.loads(ask(db, "trend", "--format", "json"))
    ends = {row["group"]: row["covered"] for row in rows}
    assert ends["2024"] == ["2024-01-01T00:00:00Z", "2024-07-12T00:00:00Z"]
    rows = list(csv.DictReader(io.StringIO(ask(db, "trend", "--formats", "--format", "csv"))))
    assert {row["until"] for row in rows if row["period"] == "2024"} == {"2024-07-12T00:00:00Z"}
    assert "2024 (to 11 July)" in ask(db, "report", "--full")  # by year of creation


def test_year_after_every_snapshot_is_refused(db):
    with pytest.raises(NotFoundError, match=r"from 2025-01-01 to 2025-12-31.*2024-07-11"):
        ask(db, "report", "--year", 2025)
    with hfscan.open_database(db) as database, pytest.raises(NotFoundError, match="2025-01-01"):
        database.figures(year=2025)


def test_reason_is_first_where_a_year_has_no_dates(db, tmp_path):
    reason = "The Hub has no creation dates for 2021, so the report {} has no"
    for options, name in (
        (("--out", tmp_path / "x.svg"), "year"),
        (("--name", "ecosystem"), "ecosystem"),
    ):
        arguments = ("report", "--year", 2021, *options, "--db", db)
        with pytest.raises((NotFoundError, InvalidRequestError)) as raised:
            CliRunner().invoke(cli, [*map(str, arguments)], catch_exceptions=False)
        assert str(raised.value).startswith(reason.format(name))


def test_year_before_the_cutoff_counts_nothing(db):
    text = plain(ask(db, "report", "--full", "--year", 2021))
    assert "The Hub has no creation dates for 2021." in text
    assert "Of the 1 model older than the Hub's dates, 1 (100.0 %)" in text
    assert "support PyTorch or TensorFlow. Of these, 1 (100.0 %) support PyTorch only" in text
    assert "How many of them are of 2021 is unknown." in text
    assert "At least At most" in text  # the bounds of the year are in the table
    assert "A model counts as PyTorch or TensorFlow if" in text
    assert "% of the older models: the 1 that support PyTorch or" in text
    summary = plain(ask(db, "report", "--year", 2021))
    assert "models. Definition: " in summary
    assert "Coverage The shares describe" in summary
    assert "First commits date the older models: hfscan backfill-dates." in summary
    assert "Created in 2021" not in text
    alone = plain(ask(db, "report", "--full", "--year", 2021, "--frameworks", "pytorch"))
    assert "Of the 1 model older than the Hub's dates, 1 support PyTorch. How many of" in alone
    assert "100.0 %" not in alone
    for format_ in ("html", "md", "json"):
        page = plain(ask(db, "report", "--year", 2021, "--format", format_))
        assert "First commits date the older models: hfscan backfill-dates." in page
    for options, tile in (
        ((), "<small>1 of 1 models that support PyTorch or TensorFlow"),
        (("--frameworks", "pytorch"), "<small>models older than the Hub"),
    ):
        page = plain(ask(db, "report", "--year", 2021, "--format", "html", *options))
        assert tile in page.partition('class="highlights"')[2].partition("</ul>")[0]
    with pytest.raises(InvalidRequestError, match=r"by task. The models of 2021 have no dates"):
        ask(db, "report", "--year", 2021, "--by", "task")
    assert "Existing at the end of 2021" not in text
    with (
        hfscan.open_database(db) as database,
        pytest.raises(NotFoundError, match="No model is dated"),
    ):
        database.figures(year=2021)


def test_crawl_of_part_of_a_year_is_labelled(tmp_path):
    path = tmp_path / "h.duckdb"
    scope = Scope(since=datetime(2023, 4, 1, tzinfo=UTC), until=datetime(2023, 7, 1, tzinfo=UTC))
    observe(path, "2024-07-11", scope)
    text = plain(ask(path, "report", "--full", "--year", 2023))
    assert "created from 1 April to 30 June 2023 that support" in text
    assert "Frameworks of the Hub's models, 2023 (1 April to 30 June)" in text
    assert "the snapshot holds models created from 2023-04-01 on" in text
    assert "Existing at the end" not in text
    with pytest.raises(NotFoundError, match="No snapshot covers the requested period"):
        ask(path, "report", "--year", 2024)


def test_snapshot_of_the_full_year_is_preferred(db):
    observe(db, "2025-02-01", models=[*MODELS, model(6, "2024-12-31T00:00:00.000Z", "tf")])
    assert "Of the 3 models created in 2024, 3 (100.0 %) support" in plain(
        ask(db, "report", "--year", 2024)
    )


LATE = [model(n, f"2024-0{1 + n % 5}-09T10:00:00.000Z", "pytorch") for n in range(100)]


def test_year_ends_with_the_data_where_the_snapshot_is_dated_late(tmp_path, run_cli):
    """The newest model is of 9 May, and the time of the dump is 24 July."""
    db = tmp_path / "h.duckdb"
    observe(db, "2024-07-24", models=LATE)
    for options in ((), ("--full",), ("--format", "md"), ("--format", "html")):
        _, out, _ = run_cli("report", "--year", "2024", *options, "--db", db)
        text = " ".join(out.replace("\xa0", " ").split())
        assert "created from 1 January to 9 May 2024" in text
        assert "2024 (to 9 May)" in text
        assert "to 24 July" not in text
        assert "No model was created in the 75 days before the snapshot." in text
    _, out, _ = run_cli("report", "--year", "2024", "--full", "--db", db)
    assert "the snapshot holds models created up to 2024-05-09. Later models" in " ".join(
        out.split()
    )
    assert "2024 (to 9 May)" in run_cli("trend", "--format", "md", "--db", db)[1]
    with hfscan.open_database(db) as database:
        figure = database.figure("exclusive", framework="pytorch", year=2024)
        assert figure.covered.until == datetime(2024, 5, 10)
        assert figure.denominator == 100


def test_year_after_the_data_is_as_the_snapshot_says(tmp_path, run_cli):
    """No model is of 2024, although the dump claims to be of 20 January."""
    db = tmp_path / "h.duckdb"
    models = [model(n, "2023-12-01T10:00:00.000Z", "pytorch") for n in range(100)]
    observe(db, "2024-01-20", models=models)
    _, out, _ = run_cli("report", "--year", "2024", "--db", db)
    assert "2024 (to 20 January)" in out
    assert "No model was created in the 49 days before" in " ".join(out.split())
