"""Named queries for other engines, run by a local Spark on an export."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec

import pytest
from click.testing import CliRunner
from sqlglot import parse_one
from testhub import FakeHub, Population

from hfscan import export
from hfscan.cli import cli
from hfscan.figures import SnapshotView, load
from hfscan.pipeline import crawl
from hfscan.scope import Scope
from hfscan.store import Store, list_snapshots

REQUESTS: dict[str, list[dict[str, str]]] = {
    "exclusivity": [
        {},
        {"frameworks": "pytorch,jax", "definition": "loadable", "transformers": "4", "by": "year"},
        {"frameworks": "all", "definition": "weights", "cutoff": "excluded", "since": "2023-01-01"},
        {"by": "license", "weight": "downloads", "top": "3"},
        {"by": "library", "weight": "authors", "exclude_top_authors": "2"},
    ],
    "breakdown": [
        {},
        {"frameworks": "pytorch,tensorflow,jax", "by": "year"},
        {"frameworks": "pytorch", "weight": "downloads"},
    ],
    "concentration": [{}, {"weight": "downloads"}],
    "formats": [{}, {"per": "month", "definition": "weights"}],
    "composition": [
        {},
        {"by": "relation", "weight": "downloads", "min_downloads": "1"},
        {"by": "base_author", "top": "3"},
        {"by": "model_card", "since": "2023-01-01"},
    ],
    "pickle": [{}, {"definition": "extensions", "weight": "downloads"}],
    "top_shares": [{}, {"per": "author", "weight": "likes", "percent": "2.5"}],
    "milestones": [{"every": "500"}],
}
SPARK_SCRIPT = """
import json, sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("local[1]").config(map={
    "spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "1",
    "spark.driver.host": "127.0.0.1",
    # compiling and planning for large data takes longer than these queries
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.sql.codegen.wholeStage": "false", "spark.sql.adaptive.enabled": "false",
}).getOrCreate()
for table in ("models", "frameworks"):
    spark.read.parquet(f"{sys.argv[1]}/{table}").createOrReplaceTempView(table)
print(json.dumps([[r.asDict() for r in spark.sql(q).collect()] for q in json.load(sys.stdin)],
    default=str))
"""


def print_sql(name, parameters, dialect="spark"):
    options = [f"--param={key}={value}" for key, value in parameters.items()]
    result = CliRunner().invoke(cli, ["query", name, "--dialect", dialect, *options])
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.stdout


@pytest.mark.parametrize("dialect", ["spark", "bigquery", "snowflake"])
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
    cases = [(name, parameters) for name, requests in REQUESTS.items() for parameters in requests]
    with Store.open(db) as store:
        snapshot = list_snapshots(store)[0]
        export.export(store, folder, snapshot=snapshot)
        connection = SnapshotView(store, snapshot).bind_census()
        expected = []
        for name, parameters in cases:
            expected.append(load(name).run(connection, parameters))
    process = subprocess.run(
        [sys.executable, "-c", SPARK_SCRIPT, str(folder)],
        input=json.dumps([print_sql(*case) for case in cases]), env=os.environ,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr[-3000:]
    for case, rows, spark_rows in zip(cases, expected, json.loads(process.stdout), strict=True):
        assert rows
        assert normalize_rows(spark_rows) == normalize_rows(rows), case


def normalize_rows(rows):
    """Return rows with rounded numbers, sorted: engines differ in how they sort text."""
    json_rows = json.loads(json.dumps(rows, default=str))
    return sorted(
        [{key: _round_number(value) for key, value in row.items()} for row in json_rows], key=repr
    )


def _round_number(value):
    try:
        return round(float(value), 5)
    except (TypeError, ValueError):
        return value
