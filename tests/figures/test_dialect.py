"""Named queries for other engines, run by a local Spark on an export."""

import re
import shutil
from importlib.util import find_spec

import pytest
from click.testing import CliRunner
from spark_queries import (
    CASES,
    REQUESTS,
    SMALL,
    normalize_rows,
    print_sql,
    run_in_duckdb,
    run_in_spark,
)
from sqlglot import parse_one
from testhub import FakeHub, Population
from tracing import pause_tracing

from hfscan import export
from hfscan.cli import cli
from hfscan.pipeline import crawl
from hfscan.scope import Scope
from hfscan.store import Store, list_snapshots


@pytest.mark.parametrize("dialect", ["spark", "bigquery", "snowflake"])
@pause_tracing()
def test_translated_sql_has_no_macros_or_parameters(dialect):
    for name, requests in REQUESTS.items():
        for parameters in requests:
            text = print_sql(name, parameters, dialect)
            parse_one(text, read=dialect)
            for construct in (
                "frameworks(",
                "mask_by_definition(",
                "list_",
                "ubigint",
                "single_value(",
                "bit_count(",
                "grouping",
            ):
                assert construct not in text.lower()
            assert not re.search(r"\$[a-z]", text)  # a parameter; patterns end in $


def test_query_beyond_an_export_is_not_translated():
    result = CliRunner().invoke(cli, ["query", "transitions", "--dialect", "spark"])
    assert "an export holds only one snapshot" in str(result.exception)


def test_loadable_for_other_engines_needs_a_release():
    options = ["--dialect", "spark", "--param", "definition=loadable"]
    result = CliRunner().invoke(cli, ["query", "exclusivity", *options])
    assert "Set transformers to 4 or 5" in str(result.exception)


@pytest.mark.spark
@pytest.mark.slow
def test_spark_counts_as_duckdb(tmp_path):
    if find_spec("pyspark") is None or shutil.which("java") is None:
        pytest.skip("needs pyspark and Java")
    db, folder = tmp_path / "h.duckdb", tmp_path / "export"
    with FakeHub(Population.synthetic(3_000, seed=2), quota=None) as hub:
        crawl(Scope(), endpoint=hub.url, token=None, db=db)
    with Store.open(db) as store:
        export.export(store, folder, snapshot=list_snapshots(store)[0])
        expected = run_in_duckdb(store)
    answers = run_in_spark(folder, SMALL)
    for case, rows, (spark_rows, _) in zip(CASES, expected, answers, strict=True):
        assert rows
        assert normalize_rows(spark_rows) == normalize_rows(rows), case
