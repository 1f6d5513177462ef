"""Named queries, run by a local Spark on an export and by DuckDB."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from click.testing import CliRunner

from hfscan.cli import cli
from hfscan.figures import SnapshotView, load
from hfscan.store import Store

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
CASES = [(name, parameters) for name, requests in REQUESTS.items() for parameters in requests]
SMALL = {
    "spark.sql.shuffle.partitions": "1",
    # compiling and planning for large data takes longer than these queries
    # (one compiler has 48 MB for its code, which are too few)
    "spark.driver.extraJavaOptions":
        "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC",
    "spark.sql.codegen.wholeStage": "false",
}  # fmt: skip
"""Settings of Spark for some thousand models. Adaptive execution stays on: it plans otherwise."""
_SCRIPT = """
import json, sys, time
from pyspark.sql import SparkSession
folder, settings = sys.argv[1], json.loads(sys.argv[2])
spark = SparkSession.builder.master("local[*]").config(map={
    "spark.ui.enabled": "false", "spark.driver.host": "127.0.0.1", **settings
}).getOrCreate()
for table in ("models", "frameworks"):
    spark.read.parquet(f"{folder}/{table}").createOrReplaceTempView(table)
answers = []
for query in json.load(sys.stdin):
    start = time.perf_counter()
    rows = [row.asDict() for row in spark.sql(query).collect()]
    answers.append((rows, time.perf_counter() - start))
with open(sys.argv[3], "w") as file:
    json.dump(answers, file, default=str)
"""
Row = dict[str, Any]


def print_sql(name: str, parameters: Mapping[str, str], dialect: str = "spark") -> str:
    """Return what `hfscan query --dialect` prints."""
    options = [f"--param={key}={value}" for key, value in parameters.items()]
    result = CliRunner().invoke(cli, ["query", name, "--dialect", dialect, *options])
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.stdout


def run_in_spark(folder: Path, settings: Mapping[str, str]) -> list[tuple[list[Row], float]]:
    """Return the rows and the wall seconds of each of CASES over an export."""
    with TemporaryDirectory() as work:
        answers = Path(work, "answers.json")  # Java writes its warnings to the standard output
        process = subprocess.run(
            [sys.executable, "-c", _SCRIPT, str(folder), json.dumps(settings), str(answers)],
            input=json.dumps([print_sql(*case) for case in CASES]),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert process.returncode == 0, process.stdout + process.stderr
        return [(rows, seconds) for rows, seconds in json.loads(answers.read_text())]


def run_in_duckdb(store: Store) -> list[list[Row]]:
    """Return the rows of each of CASES over the latest snapshot."""
    connection = SnapshotView.latest(store).bind_census()
    return [load(name).run(connection, parameters) for name, parameters in CASES]


def normalize_rows(rows: Sequence[Row]) -> list[Row]:
    """Return rows with rounded numbers, sorted: engines differ in how they sort text."""
    json_rows = json.loads(json.dumps(rows, default=str))
    return sorted(
        [{key: _round_number(value) for key, value in row.items()} for row in json_rows], key=repr
    )


def _round_number(value: Any) -> Any:
    try:
        return round(float(value), 5)
    except (TypeError, ValueError):
        return value
