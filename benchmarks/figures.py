"""Measure the time of queries and of a report: `python benchmarks/figures.py DUMP`.

DUMP is a full dump (API objects, as `hfscan import` reads them) with creation dates. The queries
run on copies of it with --models in total. The report runs on the dump itself and is compared with
a plain DuckDB script that computes the same figures from lists of tags (plain_report.py). Prints
medians and ratios.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
from timing import read_cpu_seconds, time_in_turns

from hfscan.figures import SnapshotView, load
from hfscan.scope import Scope
from hfscan.store import NewSnapshot, Store, import_dates, ingest_files

YEAR = {"since": "2022-01-01", "until": "2023-01-01"}
QUERIES: dict[str, tuple[str, Mapping[str, object]]] = {
    "year x task": ("exclusivity", {**YEAR, "by": "task"}),
    "year": ("exclusivity", YEAR),
    "by library": ("exclusivity", {"by": "library", "top": 15}),
    "year, by authors' votes": ("exclusivity", {**YEAR, "weight": "authors"}),
    "cutoff": ("creation_cutoff", YEAR),
    "formats": ("formats", {}),
    "concentration": ("concentration", {}),
}
"""Label -> query and parameters."""


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dump", type=Path)
    parser.add_argument(
        "--dates", type=Path, help="creation dates, as `hfscan import --creation-dates` reads them"
    )
    parser.add_argument("--models", type=int, default=3_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        _measure_queries(Path(name), args.dump, args.models, args.rounds)
        _measure_report(Path(name), args.dump, args.dates, args.rounds)


def _measure_queries(folder: Path, dump: Path, models: int, rounds: int) -> None:
    copies = folder / "many.parquet"
    with duckdb.connect() as connection:
        (n,) = connection.execute(f"SELECT count(*) FROM '{dump}'").fetchone() or (0,)
        connection.execute(
            f"COPY (SELECT d.* REPLACE (d.id || '-' || copy AS id, d._id || copy AS _id) "
            f"FROM range({-(-models // n)}) AS copies(copy), '{dump}' AS d LIMIT {models}) "
            f"TO '{copies}'"
        )
    database = _import_dump(folder / "many.duckdb", copies)
    with Store.open(database) as store:
        view = SnapshotView.choose(store, None)
        view.bind_census()
        scan = "bare scan of the mask"
        sql = "SELECT tag_mask, count(*) FROM census GROUP BY ALL"
        calls: dict[str, Callable[[], object]] = {scan: lambda: store.execute(sql).fetchall()}
        for label, (query, parameters) in QUERIES.items():
            calls[label] = partial(load(query).run, store, parameters)
        seconds = time_in_turns(calls, rounds)
    print(f"Queries over {models:,} models (ms of all processors; ratio to the bare scan)")
    for label, times in seconds.items():
        ratio = median(time / base for time, base in zip(times, seconds[scan], strict=True))
        print(f"  {label:26} {1e3 * median(times):8.1f} ms  {ratio:5.2f} x")


def _measure_report(folder: Path, dump: Path, dates: Path | None, rounds: int) -> None:
    database = _import_dump(folder / "hfscan.duckdb", dump)
    plain = folder / "plain.duckdb"
    with duckdb.connect(plain) as connection:
        connection.execute(
            "CREATE TABLE models AS SELECT id, tags, pipeline_tag, library_name, downloads, "
            f"createdAt::TIMESTAMP AS created_at FROM '{dump}'"
        )
        connection.execute("CREATE TABLE dates (id VARCHAR, date TIMESTAMP)")
        if dates:
            connection.execute(
                "INSERT INTO dates SELECT modelId, min(creation_time::TIMESTAMP) "
                f"FROM '{dates}' WHERE creation_time IS NOT NULL GROUP BY ALL"
            )
    if dates:
        with Store.open(database, write=True) as store:
            import_dates(store, dates)
    script = [sys.executable, str(Path(__file__).with_name("plain_report.py")), str(plain)]
    report = [sys.executable, "-m", "hfscan", "report", "--year=2022"]
    report += ["--definition=tag", "--format=json"]
    calls: dict[str, Callable[[], dict[str, Any]]] = {
        "plain script over lists": lambda: _run_json(script),
        "hfscan report --year 2022": lambda: _run_json([*report, f"--db={database}"]),
    }
    expected, report_document = (call() for call in calls.values())
    _check_equal(expected, report_document)
    figures = sum(len(expected[part]) for part in ("figures", "variants"))
    print(f"A report as a process: {figures} figures and {len(expected['tables'])} tables, equal")
    for clock, unit in ((time.perf_counter, "s"), (read_cpu_seconds, "s of all processors")):
        base, hfscan = time_in_turns(calls, rounds, clock).values()
        for label, times in zip(calls, (base, hfscan), strict=True):
            print(f"  {label:26} {median(times):8.2f} {unit}, {min(times):.2f} to {max(times):.2f}")
        ratios = [a / b for a, b in zip(hfscan, base, strict=True)]
        print(f"  ratio {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def _run_json(command: list[str]) -> dict[str, Any]:
    output = subprocess.check_output(command)  # noqa: S603 our own
    document: dict[str, Any] = json.loads(output)
    return document


_KEYS = ("definition", "frameworks", "population", "cutoff", "weight", "by", "group", "name")


def _check_equal(expected: dict[str, Any], report_document: dict[str, Any]) -> None:
    """Raise AssertionError unless the report and the script give the same numbers."""
    for part in ("figures", "variants"):
        script, report = (
            {
                json.dumps([row[key] for key in (*_KEYS, "framework")]): row["numerator"]
                / (row["denominator"] or 1)
                for row in document[part]
            }
            for document in (expected, report_document)
        )
        assert script == report, (
            f"{part} differ: {[key for key in report if script.get(key) != report[key]]}"
        )
    for table in report_document["tables"]:
        rows = expected["tables"][table["name"]]
        assert len(rows) == len(table["rows"]), f"{table['name']} differs"
        for row, other in zip(rows, table["rows"], strict=True):
            assert row.items() <= other.items(), f"{table['name']} differs: {row}, {other}"


def _import_dump(database: Path, dump: Path) -> Path:
    now = datetime.now(UTC)
    with Store.open(database, write=True) as store:
        ingest_files(store, [dump], NewSnapshot("import", dump.name, Scope(), now, now, None))
    return database


if __name__ == "__main__":
    main()
