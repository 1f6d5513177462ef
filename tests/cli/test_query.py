"""`hfscan query`: limits, refused statements, and the values of its formats."""

import csv
import io
import json
import re
import sys

import pytest
from dumps import ingest_models
from processes import run_hfscan
from small_models import BERT, make_keras_model


@pytest.fixture(scope="module")
def db(tmp_path_factory):
    path = tmp_path_factory.mktemp("query") / "h.duckdb"
    ingest_models(path, [{"id": "ann/a", "tags": ["pytorch"]}])
    return path


@pytest.fixture
def query(db, run_cli):
    """Return a function that runs a query in this process: exit code, stdout and stderr."""
    return lambda sql, *arguments: run_cli("query", sql, *arguments, "--db", db)


@pytest.fixture
def query_in_process(db, tmp_path):
    """Return a function that runs a query in its own process: exit code, stdout and stderr."""
    return lambda sql, *arguments: run_hfscan(tmp_path, "query", sql, *arguments, "--db", db)


def test_tables_end_at_a_thousand_rows(query):
    for format_ in ("terminal", "md"):
        _, out, _ = query("FROM range(1500)", "--format", format_)
        assert out.endswith(
            "\n\n500 more rows. To get all, use --limit 0, --format csv or --format json.\n"
        )
        assert len(out.splitlines()) == 1004
    _, out, _ = query("FROM range(1000)")
    assert len(out.splitlines()) == 1002
    _, out, _ = query("FROM range(1500)", "--limit", "0")
    assert len(out.splitlines()) == 1502
    _, out, _ = query("FROM range(1000000000000)", "--limit", "2")
    assert "More than 1,000,000 more rows." in out


def test_data_formats_hold_all_rows_or_the_limit(query):
    for arguments, rows in (([], 1500), (["--limit", "7"], 7)):
        _, out, _ = query("FROM range(1500)", "--format", "csv", *arguments)
        assert out.splitlines() == ["range", *map(str, range(rows))]
        _, out, _ = query("FROM range(1500)", "--format", "json", *arguments)
        assert json.loads(out) == [{"range": number} for number in range(rows)]
    assert query("SELECT 1 AS a WHERE false", "--format", "json")[1] == "[]\n"
    assert query("SELECT 1 AS a WHERE false", "--format", "csv")[1] == "a\n"


@pytest.mark.parametrize(
    "sql", ["-- all\nSELECT 1 AS a", "--all\nSELECT 1 AS a", "-- a = b\n-- c\nSELECT 1 AS a"]
)
def test_sql_may_begin_with_a_comment(query, db, run_cli, sql):
    assert query(sql, "--format", "csv")[1] == "a\n1\n"
    assert run_cli("query", "--format", "csv", "--db", db, sql)[1] == "a\n1\n"


def test_option_is_not_taken_for_a_comment(query):
    for arguments in (("-- all",), ("--formt=csv", "SELECT 1")):
        code, out, _ = query(*arguments)
        assert (code, out) == (2, "")
    assert "There is no option '--formt'." in query("--formt=csv")[2]
    assert "The SQL is empty." in query("-- all")[2]


def test_sql_declares_its_parameters(query):
    declared = "-- param x INTEGER = 3 : a number\nSELECT $x AS a"
    assert query(declared, "--format", "csv")[1] == "a\n3\n"
    assert query(declared, "--param", "x=5", "--format", "csv")[1] == "a\n5\n"
    advice = "Declare it in a line before the SQL: -- param x VARCHAR = NULL : meaning"
    for arguments, message in (
        (("SELECT $x",), "No value is given for the parameter $x."),
        (("SELECT ?",), "No value is given for the parameter $1."),
        (("SELECT 1", "--param", "x=1"), "The SQL has no parameter x."),
    ):
        code, out, err = query(*arguments)
        assert (code, out) == (2, "")
        assert f"{message} {advice}" in err


def test_table_is_noted_with_its_snapshot_and_parameters(query):
    _, _, err = query("exclusivity", "--param", "weight=downloads")
    assert "Snapshot 1 of " in err
    assert "definition = best, " in err  # the default
    assert "weight = downloads, " in err
    assert query("exclusivity", "--format", "csv")[2] == ""


@pytest.mark.parametrize("format_", ["csv", "terminal"])
@pytest.mark.parametrize(
    ("sql", "limit"),
    [
        ("SELECT a.range FROM range(1000000) a, range(1000000) b ORDER BY random()", "--max-disk"),
        ("SELECT list(range) FROM range(1000000000000)", "--max-memory"),
        ("SELECT string_agg(range, ',') FROM range(1000000000000)", "--max-memory"),
    ],
)
def test_query_beyond_its_limits_fails(query_in_process, sql, limit, format_):
    limits = ["--max-memory", "0.2", "--max-disk", "0.05"]
    code, _, err = query_in_process(sql, *limits, "--format", format_)
    assert code == 14
    assert err.startswith("Error: The query needs more")
    assert limit in err


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_long_strings_count_as_memory(query_in_process):
    sql = "SELECT length(repeat('x', 1000000000 + range)) FROM range(1000)"
    assert query_in_process(sql, "--max-memory", "0.5")[0] == 14


REFUSED_SQL = {
    "FROM read_csv('{folder}/dump.json')": "no files and no network",
    "FROM '{folder}/dump.json'": "no files and no network",
    "FROM read_text('{folder}/dump.json')": "no files and no network",
    "FROM glob('{folder}/*')": "no files and no network",
    "FROM query('FROM read_text(''{folder}/dump.json'')')": "no files and no network",
    "FROM read_parquet('https://example.org/x.parquet')": "no files and no network",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{folder}/stolen.csv'": "COPY is not a read-only statement",
    "COPY (SELECT 1) TO '{folder}/stolen.csv'": "COPY is not a read-only statement",
    "ATTACH '{folder}/other.duckdb'": "ATTACH is not a read-only statement",
    "INSTALL httpfs": "is not a read-only statement",
    "LOAD httpfs": "LOAD is not a read-only statement",
    "PRAGMA database_list": "PRAGMA is not a read-only statement",
    "SET memory_limit = '1TB'": "SET is not a read-only statement",
    "FROM enable_logging('QueryLog', storage='file', storage_path='{folder}/log')": "locked",
    "EXPLAIN ANALYZE SET memory_limit = '1TB'": "SET is not a read-only statement",
    "explain (analyze, format json) CREATE TEMP TABLE x AS SELECT 1": "CREATE is not a read-only",
    "/* x */ EXPLAIN -- y\nCREATE TEMP TABLE x AS SELECT 1": "CREATE is not a read-only statement",
    "CREATE TEMP TABLE x AS PIVOT census ON author": "CREATE is not a read-only statement",
    "CALL enable_logging()": "CALL is not a read-only statement",
    "CREATE TEMP TABLE x AS SELECT 1": "CREATE is not a read-only statement",
    "DELETE FROM snapshots": "DELETE is not a read-only statement",
    "SELECT nextval('snapshot_ids')": "read-only",
    "SELECT getenv('HOME')": "getenv does not exist",
    "SELECT 1; SELECT 2": "holds 2 statements",
    "/* nothing */": "is empty",
    " ": "is empty",
    "SELECT * FRM census": 'syntax error at or near "census"',
    "SELECT idd FROM census": 'Candidate bindings: "id"',
    "FROM censuss x": "censuss does not exist. Did you mean 'census'?",
    "FROM main.cens": "Did you mean 'census'?",
    "FROM snapshot x": "Did you mean 'snapshots'",
    "FROM models x": "Did you mean 'models_in'",
    "FROM enumm x": "The models are in census; docs/schema.md names the other relations.",
    "SELECT sum(id) FROM census": "add explicit type casts",
    "SELECT id::INTEGER FROM census": "Could not convert string 'ann/a'",
    "SELECT 9223372036854775807 + 1": "Overflow",
    "SELECT $a": "No value is given for the parameter $a.",
    "FROM names x": "does not exist",
}


@pytest.mark.parametrize("sql", REFUSED_SQL)
def test_wrong_sql_is_refused(query, db, sql):
    code, out, err = query(sql.format(folder=db.parent))
    assert (code, out) == (2, ""), err
    assert REFUSED_SQL[sql] in err
    assert {path.name for path in db.parent.iterdir()} == {"dump.json", "h.duckdb"}


@pytest.mark.parametrize(
    "name", ["enum", "models", "tables", "claims", "index", "pg_tabl", "schemata"]
)
def test_unknown_table_suggests_no_catalog_of_duckdb(query, name):
    code, _, err = query(f"SELECT * FROM {name}")
    assert code == 2
    assert not re.search("(pg|duckdb|sqlite)_|information_schema", err.replace(f" {name} ", " "))


VALUES = {
    "'nan'::DOUBLE": ("NaN", "NaN"),
    "'inf'::FLOAT": ("Infinity", "Infinity"),
    "'-inf'::DOUBLE": ("-Infinity", "-Infinity"),
    "['nan'::DOUBLE]": (["NaN"], '["NaN"]'),
    "170141183460469231731687303715884105727::HUGEINT": (2**127 - 1, str(2**127 - 1)),
    "1.5": (1.5, "1.5"),
    "-2.00": (-2, "-2.00"),
    "1234567890123456789.123456789::DECIMAL(38, 9)": (
        "1234567890123456789.123456789", "1234567890123456789.123456789",
    ),
    "0.1::DOUBLE": (0.1, "0.1"),
    "true": (True, "true"),
    "NULL": (None, ""),
    "''": ("", ""),
    "DATE '2024-02-29'": ("2024-02-29", "2024-02-29"),
    "TIMESTAMP '2024-02-29 12:30:00'": ("2024-02-29 12:30:00", "2024-02-29 12:30:00"),
    "'infinity'::DATE": ("infinity", "infinity"),
    "'290000-01-01'::DATE": ("290000-01-01", "290000-01-01"),
    "INTERVAL 1 MONTH": ("1 month", "1 month"),
    "TIMESTAMP_NS '2024-01-01 00:00:00.123456789'": (
        "2024-01-01 00:00:00.123456789", "2024-01-01 00:00:00.123456789",
    ),
    "[1, NULL, 3]": ([1, None, 3], "[1, null, 3]"),
    "['a, b', 'c']": (["a, b", "c"], '["a, b", "c"]'),
    "[DATE '2024-01-01']": (["2024-01-01"], '["2024-01-01"]'),
    "{'a b': 1, 'c': [INTERVAL 2 DAY]}": (
        {"a b": 1, "c": ["2 days"]}, '{"a b": 1, "c": ["2 days"]}',
    ),
    "MAP {'a': 1}": ({"a": 1}, '{"a": 1}'),
    "'\\xAA'::BLOB": ("\\xAA", "\\xAA"),
    "'+1'": ("+1", "'+1"),
    "' =1'": (" =1", "' =1"),
    "-1": (-1, "-1"),
}  # fmt: skip
"""SQL -> its value in JSON, and its cell in CSV."""


def test_values_are_exact_in_json_and_csv(query):
    sql = "SELECT " + ", ".join(f"{value} AS c{n}" for n, value in enumerate(VALUES))

    def refuse(name):
        raise AssertionError(name)

    _, out, _ = query(sql, "--format", "json")
    (row,) = json.loads(out, parse_constant=refuse)
    _, out, _ = query(sql, "--format", "csv")
    _, cells = csv.reader(io.StringIO(out))
    for (sql, (value, cell)), json_value, csv_cell in zip(
        VALUES.items(), row.values(), cells, strict=True
    ):
        assert (json_value, type(json_value)) == (value, type(value)), sql
        assert csv_cell == cell, sql


def test_repeated_column_names_get_a_number(query):
    _, out, _ = query("SELECT 1 AS a, 2 AS a, DATE 'infinity' AS a", "--format", "json")
    assert json.loads(out) == [{"a": 1, "a_1": 2, "a_2": "infinity"}]
    _, out, _ = query("SELECT 1 AS a, 2 AS a", "--format", "csv")
    assert out == "a,a_1\n1,2\n"


def test_source_of_own_sql_is_its_snapshot(query, tmp_path):
    values = "['a'] AS snapshot, 'x' AS observed_at", "n AS snapshot, n AS observed_at"
    for columns in values:
        sql = f"SELECT {columns}, id FROM census, range(1, 4) AS r(n)"
        code, _, err = query(sql, "--out", "page.html")
        assert code == 0, err
        page = (tmp_path / "page.html").read_text("utf-8")
        assert "snapshot 1 of the Hugging Face Hub" in page
        assert "snapshots of the Hugging Face Hub" not in page


OWN_COLUMNS = [  # names that hfscan's own queries have, too
    "0.9 AS largest_share, 'x' AS class, 3 AS numerator",
    "'x' AS class, 'y' AS name",
    "0.45123 AS share, 7 AS interval, true AS small",
    "1 AS points, 'x' AS name, 'y' AS framework",
    "'2024-01-01' AS observed_at, 'x' AS flags, 'y' AS share_min",
    "true AS first, false AS second",
    "'exclusive' AS name, 0.9 AS largest_share",
]


@pytest.mark.parametrize("columns", OWN_COLUMNS)
def test_columns_of_own_sql_mean_what_the_user_says(query, tmp_path, columns):
    """A page has the values of a terminal, also where hfscan's own columns have these names."""
    header = "/* */\n-- chart: bar x=share y=name\n-- column share: breakdown_class\n"
    for sql in (f"SELECT {columns}", f"{header}SELECT {columns} WHERE true"):
        code, _, err = query(sql, "--out", "page.html")
        assert code == 0, err
        table = re.findall(
            r"<t[hd][^>]*>(.*?)</t[hd]>", (tmp_path / "page.html").read_text("utf-8")
        )
        names, values = csv.reader(query(sql, "--format", "csv")[1].splitlines())
        assert [re.sub(r"<[^>]+>", "", cell) for cell in table] == names + values


def test_names_in_own_sql_are_no_links(query, tmp_path):
    query("SELECT 'bert' AS family", "--out", "page.html")
    assert "huggingface.co/bert" not in (tmp_path / "page.html").read_text("utf-8")


def test_plan_is_printed_with_its_lines(query):
    for sql in ("EXPLAIN SELECT count(*) FROM census", "EXPLAIN ANALYZE SELECT 1"):
        _, out, _ = query(sql)
        assert "explain_key" not in out
        assert len(out.splitlines()) > 4
    (row,) = json.loads(query("EXPLAIN SELECT 1", "--format", "json")[1])
    assert "\n" in row["explain_value"]


def test_query_keeps_the_order_of_its_rows(query):
    sql = "SELECT range, INTERVAL (range) DAY AS i FROM range(5000) ORDER BY range DESC"
    _, out, _ = query(sql, "--format", "csv")
    numbers = [int(line.partition(",")[0]) for line in out.splitlines()[1:]]
    assert numbers == list(reversed(range(5000)))


def test_page_of_a_query_says_what_is_counted(run_command, tmp_path):
    run_command.import_day("2024-01-01", BERT, make_keras_model("ann/k"))
    named = ("query", "concentration", "--param", "framework=tensorflow")
    run_command(*named, "--out", tmp_path / "page.html")
    page = " ".join((tmp_path / "page.html").read_text("utf-8").replace("\xa0", " ").split())
    assert (
        "Account ann: 100.0 % * of the models that support TensorFlow only, by best evidence<"
    ) in page
    assert "largest account together" not in page
    assert (
        "Parameters: framework = tensorflow, frameworks = pytorch,tensorflow, definition = best"
        in (page)
    )
    run_command("query", "formats", "--out", tmp_path / "page.html")
    assert "definition = best" in (tmp_path / "page.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("concentration", "framework=jax", "Set frameworks to jax,pytorch,tensorflow, or to all."),
        (
            "concentration",
            "top=0",
            "The parameter top takes a whole number from 1 to 2,147,483,647, not '0'.",
        ),
        (
            "composition",
            "top=0",
            "The parameter top takes a whole number from 1 to 2,147,483,647, not '0'.",
        ),
        (
            "milestones",
            "every=0",
            "The parameter every takes a whole number from 1 to 2,147,483,647, not '0'.",
        ),
        ("lorenz", "points=-1", "points takes a whole number from 0 to 2,147,483,647, not '-1'."),
        ("composition", "top=-1", "top takes a whole number from 1 to 2,147,483,647, not '-1'."),
        ("composition", "min_downloads=99999999999", "from 0 to 2,147,483,647, not '99999999999'."),
        ("tag_values", "of=foo", "There is no value for of 'foo'. Known: language, paper, "),
        ("lorenz", "per=foo", "There is no value for per 'foo'. Known: model, author, "),
        (
            "survival",
            "every=0",
            "The parameter every takes a whole number from 1 to 2,147,483,647, not '0'.",
        ),
        ("top_shares", "percent=0", "percent takes a number above 0, up to 100, not '0'."),
        ("top_shares", "percent=200", "percent takes a number above 0, up to 100, not '200'."),
    ],
)
def test_value_that_has_no_result_is_refused(query, name, value, message):
    code, out, err = query(name, "--param", value)
    assert (code, out) == (2, "")
    assert message in err


def test_framework_of_all_is_compared(query):
    arguments = ("--param", "framework=jax", "--param", "frameworks=all")
    assert query("concentration", *arguments)[0] == 0


@pytest.mark.parametrize("sql", ["turnover", "parity_summary", "SELECT 1"])
def test_snapshot_of_a_query_that_reads_none_is_refused(query, sql):
    for selected in (["--snapshot", "1"], ["--as-of", "2025-01-01"]):
        code, _, err = query(sql, *selected)
        assert code == 2
        assert "Omit --snapshot and --as-of." in err
    assert query("SELECT count(*) FROM CENSUS", "--snapshot", "1")[0] == 0
