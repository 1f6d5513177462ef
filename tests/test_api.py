"""The Python API, as a notebook uses it."""

import json
from datetime import UTC, datetime
from xml.etree import ElementTree

import duckdb
import pytest
from click.testing import CliRunner
from dumps import ingest_models

import hfscan
from hfscan.cli import cli
from hfscan.errors import DatabaseError, InvalidRequestError, NotFoundError, QueryLimitError


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "h.duckdb"
    fields = {"createdAt": "2022-08-19T20:19:12.000Z", "library_name": "transformers"}
    tags = [["pytorch"], ["pytorch"], ["tf"], ["tf", "pytorch"], []]
    models = [{"id": f"ann/{n}", "tags": names, **fields} for n, names in enumerate(tags)]
    ingest_models(path, models)
    with hfscan.open_database(path) as database:
        yield database


def test_figure_has_a_share_and_its_request(database):
    figure = database.figure("exclusive", framework="pytorch", year=2022)
    assert (figure.share, figure.numerator, figure.denominator) == (0.5, 2, 4)
    assert (figure.definition, figure.frameworks) == ("best", ("pytorch", "tensorflow"))
    assert (figure.population, figure.cutoff) == ("created", "excluded")
    assert database.figure("none", definition="tag").numerator == 1
    assert database.figure("none").definition == "best"
    assert database.figure("shared", frameworks=("pytorch", "tensorflow", "jax")).numerator == 1


def test_tables_become_frames(database):
    figures = database.figures(year=2022, by="library")
    assert {row["group"] for row in figures} == {"transformers"}
    pandas, pyarrow = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    frame = figures.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.loc[0, "numerator"] == 2
    table = database.query("concentration", top=1).to_arrow()
    assert isinstance(table, pyarrow.Table)
    assert table.column("author").to_pylist() == ["ann"]


def test_report_has_answer_tables_and_chart(database, tmp_path):
    report = database.report(year=2022)
    assert report.answer.startswith("Of the 5 models created from 2 March to 19 August 2022, 4 ")
    assert report.to_dict()["year"] == 2022
    assert report.to_markdown().startswith(f"# {report.title}\n")
    classes = {row["class"]: row["numerator"] for row in report.breakdown if row["group"] is None}
    assert (classes["pytorch_only"], classes["tensorflow_only"], classes["both"]) == (2, 1, 1)
    assert report.figures[0]["numerator"] == report.table("created")[0]["numerator"] == 2
    for name, text in (
        ("report.html", "<!doctype html>"),
        ("report.md", "# Frameworks of"),
        ("report.json", '"year": 2022'),
        ("report.txt", "PyTorch only"),
    ):
        report.write(tmp_path / name)
        assert text in (tmp_path / name).read_text("utf-8")
    with pytest.raises(InvalidRequestError, match=r"no known extension.*\.html"):
        report.write(tmp_path / "report.pdf")
    with pytest.raises(InvalidRequestError, match="There is no section 'brakdown'"):
        report.chart("brakdown")
    html = report._repr_html_()
    assert "50.0 % *" in html
    assert "* Small counts: a few models" in html
    chart = report.chart()
    assert "PyTorch only" in chart.rows[0]["text"]
    assert ElementTree.fromstring(chart.to_svg()).tag.endswith("svg")
    assert f'alt="{chart.text}"' in chart._repr_html_()


def test_report_of_other_kinds(database):
    assert "fact-check" in database.report("claims").title.lower()
    comparison = database.report(year=2022, compare_year=2023)
    assert comparison.title.endswith("2022 (2 March to 19 August) and 2023")
    with pytest.raises(InvalidRequestError, match="compare_year requires year"):
        database.report(compare_year=2023)


def test_trend_equals_the_command(database, tmp_path):
    for options, arguments in (
        ({}, []),
        ({"per": "month", "definition": "tag"}, ["--per", "month", "--definition", "tag"]),
        ({"formats": True}, ["--formats"]),
        ({"by_snapshot": True}, ["--by-snapshot"]),
    ):
        result = CliRunner().invoke(
            cli, ["trend", *arguments, "--format", "json", "--db", str(tmp_path / "h.duckdb")]
        )
        rows = database.trend(**options)
        assert [dict(row) for row in rows] == json.loads(result.stdout)
        assert [*rows.notes] == [line for line in result.stderr.splitlines() if line in rows.notes]
        is_by_date = "by_snapshot" not in options
        assert any("older than 2 March 2022" in note for note in rows.notes) is is_by_date
    with pytest.raises(InvalidRequestError, match="formats and weight"):
        database.trend(formats=True, weight="downloads")
    for options in ({"per": "month"}, {"snapshot": database.snapshots[0].id}):
        with pytest.raises(InvalidRequestError, match="by_snapshot cannot be combined"):
            database.trend(by_snapshot=True, **options)


def test_explanation_tells_unknown_from_none(database):
    explained = database.explain("ann/4")
    assert explained.frameworks["tag"] == frozenset()
    assert explained.frameworks["weights"] is None
    html = explained._repr_html_()
    assert "tag: none" in html
    assert "weights: unknown, because its file names are not known" in html
    assert [row["evidence"] for row in database.explain("ann/2") if row["definition"] == "tag"] == [
        "tag tf"
    ]
    with pytest.raises(NotFoundError, match="no model 'ann/9'"):
        database.explain("ann/9")


def test_claims_and_lineage_are_rows(database):
    claims = database.claims()
    assert {"claim", "verdict", "primary"} <= set(claims.columns)
    assert [row["name"] for row in database.claims(claims[0]["name"])] == [claims[0]["name"]]
    assert [row["direction"] for row in database.lineage("ann/0")] == ["itself"]


def test_rows_with_other_keys_lose_nothing():
    """A key that the first row lacks: pyarrow would drop it."""
    records = hfscan.Records([{"a": 1}, {"a": 2, "b": 0.5}])
    assert records.columns == ("a", "b")
    pytest.importorskip("pyarrow")
    assert records.to_arrow().column("b").to_pylist() == [None, 0.5]
    assert records.to_pandas()["b"].isna().tolist() == [True, False]
    assert records.to_polars()["b"].to_list() == [None, 0.5]


def test_results_without_rows_have_their_columns(database):
    pairs = [
        (database.query("lineage_families"), "share"),
        (database.query("lineage_families", per_snapshot=True), "observed_at"),
        (database.trend(formats=True, frameworks="jax"), "share"),
        (database.events("family:ann/0"), "event"),
        (database.query("formats")[:0], "share"),
    ]
    for records, column in pairs:
        assert len(records) == 0
        assert column in records.columns
    for package in ("pandas", "polars", "pyarrow"):
        pytest.importorskip(package)
    for records, column in pairs:
        assert records.to_pandas()[column].tolist() == []
        assert records.to_polars()[column].to_list() == []
        assert records.to_arrow().column(column).to_pylist() == []
    with_rows = database.trend(formats=True)
    assert database.trend(formats=True, frameworks="jax").columns == with_rows.columns
    query = database.query("formats", per_snapshot=True)
    assert query.columns == ("snapshot", "observed_at", "flags", *database.query("formats").columns)


def test_notebook_table_escapes_text_and_counts_rows():
    records = hfscan.Records(
        [{"id": "<script>x</script>\u202e"}, *({"id": "b"} for _ in range(99))]
    )
    html = records._repr_html_()
    assert "&lt;script&gt;x&lt;/script&gt;\ufffd" in html
    assert "<script" not in html
    assert "50 more rows" in html
    assert "more rows" not in records[:50]._repr_html_()
    assert repr(records) == "<Records: 100 rows of id>"


def test_unknown_names_are_refused_with_a_hint(database, tmp_path):
    with pytest.raises(InvalidRequestError, match="no compared framework 'torch'"):
        database.figure("exclusive", framework="torch")
    with pytest.raises(InvalidRequestError, match="There is no query"):
        database.query("nope")
    with pytest.raises(DatabaseError, match="hfscan crawl"):
        hfscan.open_database(tmp_path / "none.duckdb")
    assert [snapshot.models for snapshot in database.snapshots] == [5]


def test_downloads_beyond_a_double_stay_exact(tmp_path):
    """2^53 + 1, which no double represents, is exact in the API, queries, reports, comparisons."""
    path, exact = tmp_path / "h.duckdb", 2**53 + 1
    downloads = {"ann/a": ("pytorch", 2**53), "ann/b": ("pytorch", 1), "bob/c": ("tf", exact)}
    models = [
        {"id": key, "tags": [tag], "downloads": count} for key, (tag, count) in downloads.items()
    ]
    for month in (1, 2):
        ingest_models(path, models, day=datetime(2024, month, 1, tzinfo=UTC))

    def run_command(*arguments):
        result = CliRunner().invoke(cli, [*arguments, "--format", "json", "--db", str(path)])
        return json.loads(result.stdout)

    report = run_command("report", "--weight", "downloads")
    comparison = run_command(
        "report", "--weight", "downloads", "--snapshot", "1", "--compare-snapshot", "2"
    )
    with hfscan.open_database(path) as database:
        figures = [database.figure("exclusive", framework="pytorch", weight="downloads").as_dict()]
        rows = database.query("exclusivity", weight="downloads")
        assert database.figure("available", framework="tensorflow", weight="authors").share == 0.5
    for table in (
        figures,
        rows,
        run_command("query", "exclusivity", "--param", "weight=downloads"),
        report["figures"],
        comparison["tables"][0]["rows"],
    ):
        assert (table[0]["numerator"], table[0]["denominator"]) == (exact, 2 * exact)
        assert isinstance(table[0]["numerator"], int)


def test_closed_database_is_reported(database):
    report = database.report(year=2022)
    database.close()
    database.close()
    for ask in (database.report, database.claims, lambda: database.query("breakdown")):
        with pytest.raises(DatabaseError, match="The database is closed"):
            ask()
    with pytest.raises(DatabaseError, match="The database is closed"):
        _ = database.snapshots
    assert report.breakdown  # what was returned stays usable


def test_file_that_is_open_with_other_settings_is_not_called_damaged(tmp_path):
    path = tmp_path / "h.duckdb"
    ingest_models(path, [{"id": "ann/a"}])
    with (
        duckdb.connect(path, read_only=True),
        pytest.raises(DatabaseError, match="is open in this process with other settings") as error,
    ):
        hfscan.open_database(path)
    assert "damaged" not in str(error.value)


@pytest.mark.parametrize(
    ("method", "arguments", "message"),
    [
        ("report", {"year": "2022"}, "year takes a whole number, not '2022'"),
        ("report", {"frameworks": 3}, "frameworks takes a name, or a list of names, not 3"),
        ("report", {"snapshot": True}, "snapshot takes a whole number, not True"),
        ("report", {"name": 2022}, "name takes a text, not 2022"),
        ("report", {"top": 2.5}, "top takes a whole number, not 2.5"),
        ("figures", {"by": ["task"]}, r"by takes a text, not \['task'\]"),
        ("figures", {"weight": "download"}, "There is no weight 'download'"),
        ("report", {"weight": "author"}, "Known: models, downloads, authors"),
        ("trend", {"as_of": "2022-01-01"}, "as_of takes a datetime, not '2022-01-01'"),
        ("trend", {"per": "week"}, "There is no period 'week'. Known: year, month"),
        ("explain", {"model": None}, "model takes a text, not None"),
        ("trend", {"frameworks": []}, "No framework is named"),
        ("query", {"name": None}, "name takes a text, not None"),
        ("lineage", {"model": "ann/0", "up": "2"}, "up takes a whole number, not '2'"),
        ("lineage", {"model": "ann/0", "down": -1}, "up and down take a whole number from 0"),
        ("query", {"name": 1}, "name takes a text, not 1"),
    ],
)
def test_values_of_other_types_are_refused(database, method, arguments, message):
    with pytest.raises((InvalidRequestError, NotFoundError), match=message):
        getattr(database, method)(**arguments)


@pytest.mark.parametrize(
    ("method", "argument", "known"),
    [
        ("report", "yaer", "year"),
        ("report", "definitoin", "definition"),
        ("trend", "snapsot", "snapshot"),
        ("figures", "populaton", "population"),
    ],
)
def test_misspelt_arguments_are_refused(database, method, argument, known):
    message = rf"{method}\(\) has no argument '{argument}'. Did you mean '{known}'"
    with pytest.raises(TypeError, match=message):
        getattr(database, method)(**{argument: None})


@pytest.mark.parametrize(
    ("argument", "hint"), [("snapshto", "It takes path."), ("pth", "Did you mean 'path'?")]
)
def test_misspelt_argument_of_opening_is_refused(argument, hint):
    with pytest.raises(TypeError) as error:
        hfscan.open_database(**{argument: "h.duckdb"})
    assert str(error.value) == f"open_database() has no argument '{argument}'. {hint}"


def test_query_takes_sql(database):
    rows = database.query("SELECT id, len(tags) AS tags FROM census ORDER BY id LIMIT 2")
    assert [dict(row) for row in rows] == [{"id": "ann/0", "tags": 1}, {"id": "ann/1", "tags": 1}]
    assert database.query("SELECT id FROM census WHERE false").columns == ("id",)
    for sql, message in (
        ("SELECT nope FROM census", "DuckDB: .*nope"),
        ("DROP TABLE versions", "not a read-only statement"),
        ("SELECT 1; SELECT 2", "holds 2 statements"),
    ):
        with pytest.raises(InvalidRequestError, match=message):
            database.query(sql)
    with pytest.raises(InvalidRequestError, match="per_snapshot runs a named query"):
        database.query("SELECT 1 FROM census", per_snapshot=True)


def test_sql_reads_only_the_database(database, tmp_path):
    """Afterwards everything else works, also on a second connection."""
    secret, copy = tmp_path / "secret.csv", tmp_path / "copy.csv"
    secret.write_text("word\npassword\n")
    for sql in (
        f"SELECT * FROM '{secret}'",
        f"SELECT * FROM read_csv('{secret}')",
        f"SELECT content FROM read_text('{secret}')",
        f"SELECT * FROM glob('{tmp_path}/*')",
        f"ATTACH '{secret}' AS other",
        f"COPY (SELECT 1) TO '{copy}'",
        "SET enable_external_access = true",
    ):
        with pytest.raises(InvalidRequestError, match=r"no files and no network|not a read-only"):
            database.query(sql)
    assert not copy.exists()
    assert [row["numerator"] for row in database.query("concentration")] == [2]
    assert database.report(year=2022).figures
    with hfscan.open_database(tmp_path / "h.duckdb") as second:
        assert len(second.query("SELECT id FROM census")) == 5
        assert len(second.query("formats")) == len(database.query("formats"))


def test_text_of_the_user_stays_as_it_is(database, tmp_path):
    """Also where it looks like an option or a command of hfscan."""
    with pytest.raises(NotFoundError, match="has no model 'a/--compare-year'"):
        database.explain("a/--compare-year")
    with pytest.raises(InvalidRequestError, match='column "--as-of" not found'):
        database.query('SELECT "--as-of" FROM census')
    with pytest.raises(DatabaseError) as missing:
        hfscan.open_database(tmp_path / "my --db file.duckdb")
    assert "my --db file.duckdb. Create one with `hfscan crawl`" in str(missing.value)
    assert str(missing.value).endswith("or name another file with the argument path.")
    with pytest.raises(QueryLimitError, match=r"Select less, or aggregate earlier\.$"):
        database.query("SELECT list(range) FROM range(1000000000000) WHERE range <> -1")


def test_whole_numbers_of_numpy_are_numbers(database):
    numpy = pytest.importorskip("numpy")
    year = numpy.int64(2022)
    figure = database.figure("exclusive", framework="pytorch", year=year)
    assert figure.numerator == 2
    assert database.report(year=year, exclude_top_authors=numpy.int32(0)).figures
    assert len(database.query("concentration", top=numpy.uint8(1), snapshot=numpy.int16(1))) == 1
    with pytest.raises(InvalidRequestError, match="year takes a whole number"):
        database.figures(year=numpy.float64(2022))


def test_messages_name_arguments_not_options(database, tmp_path):
    """The command line names the same by its options."""
    path = str(tmp_path / "h.duckdb")
    for method, arguments, command, message in (
        ("report", {"compare_year": 2023}, ["report", "--compare-year", "2023"],
         "--compare-year requires --year."),
        ("report", {"transformers": 5, "definition": "tag"},
         ["report", "--transformers", "5", "--definition", "tag"],
         "--transformers has no effect on --definition tag. Omit one of them."),
        ("report", {"name": "claims", "year": 2022},
         ["report", "--name", "claims", "--year", "2022"],
         "Report 'claims' covers the whole database. It cannot be combined with --year, "
         "--snapshot, --as-of or other filters."),
    ):  # fmt: skip
        result = CliRunner().invoke(cli, [*command, "--db", path])
        assert str(result.exception) == message
        with pytest.raises(InvalidRequestError) as raised:
            getattr(database, method)(**arguments)
        expected = message
        for name in ("compare-year", "as-of", "year", "transformers", "definition", "snapshot"):
            expected = expected.replace(f"--{name}", name.replace("-", "_"))
        assert str(raised.value) == expected
    with pytest.raises(DatabaseError) as missing:
        hfscan.open_database(tmp_path / "none.duckdb")
    assert "--db" not in str(missing.value)
