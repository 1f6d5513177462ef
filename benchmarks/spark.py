"""Compare Spark with DuckDB: `python benchmarks/spark.py [--models N]`; needs PySpark and Java.

Exports invented models, runs the named queries that an export can answer in both engines, and
prints the wall seconds of each. Exits with 1 where a row differs.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from questions import make_database

from hfscan import export
from hfscan.store import Store, list_snapshots

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from spark_queries import CASES, normalize_rows, run_in_duckdb, run_in_spark

_SETTINGS = {"spark.driver.memory": "6g", "spark.sql.shuffle.partitions": "8"}


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=3_000_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        database, folder = Path(name) / "h.duckdb", Path(name) / "export"
        make_database(database, Path(name) / "models.parquet", args.models)
        with Store.open(database) as store:
            export.export(store, folder, snapshot=list_snapshots(store)[0])
            start = time.perf_counter()
            expected = run_in_duckdb(store)
            seconds = time.perf_counter() - start
        answers = run_in_spark(folder, _SETTINGS)
    differing = []
    for case, rows, (spark_rows, taken) in zip(CASES, expected, answers, strict=True):
        equal = normalize_rows(spark_rows) == normalize_rows(rows)
        differing += [] if equal else [case]
        verdict = "equal" if equal else "DIFFERS"
        print(f"{case[0]} {case[1]}: {len(rows):,} rows {verdict}, {taken:.1f} s in Spark")
    print(f"{len(CASES)} queries over {args.models:,} models: DuckDB {seconds:.1f} s, "
          f"Spark {sum(taken for _, taken in answers):.1f} s")  # fmt: skip
    if differing:
        sys.exit(f"Spark and DuckDB differ: {differing}")


if __name__ == "__main__":
    main()
