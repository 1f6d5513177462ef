"""Measure how costs grow: `python benchmarks/scale.py [--models N...] [--days N...]`.

Each of --models is the size of a database with one snapshot; each of --days a length of history of
--history-models models, of which each day changes what `benchmarks/history.py` says. Prints the CPU
seconds and peak memory of commands as processes, the size of the database, and the exponent of each
cost: the slope of the line through the logarithms. Start-up is part of each cost, so that small
sizes lower the exponent; the slope of the last step shows more.
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import linear_regression

from history import simulate_days
from questions import write_dump
from timing import read_cpu_seconds

from hfscan.scope import Scope
from hfscan.store import NewSnapshot, Store, ingest_files

_START = datetime(2025, 11, 1, tzinfo=UTC)
_READ: Mapping[str, tuple[str, ...]] = {
    "report --year 2022": ("report", "--year=2022", "--format=json"),
    "claims": ("claims", "--format=json"),
    "query exclusivity": ("query", "exclusivity", "--param=by=year"),
    "query concentration": ("query", "top_shares", "--param=per=author"),
    "query lineage": ("query", "lineage_parents"),
    "snapshots": ("snapshots",),
}
_READ_HISTORY = _READ | {
    "report of the first day": ("report", f"--as-of={_START:%Y-%m-%d}", "--format=json"),
    "query turnover": ("query", "turnover"),
    "query changes": ("query", "changes"),
}
_RESTORED = ("snapshots", "models", "frameworks", "history", "creation_dates")
# the kernel's peak of a process starts at that of its parent
_HFSCAN = """
import atexit, re, runpy, sys
from pathlib import Path
@atexit.register
def print_peak():
    status = Path("/proc/self/status").read_text()
    print(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1], file=sys.stderr)
runpy.run_module("hfscan", run_name="__main__", alter_sys=True)
"""
Costs = dict[str, float]


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--models", type=int, nargs="*", default=[300_000, 1_000_000, 3_000_000, 10_000_000]
    )
    parser.add_argument("--days", type=int, nargs="*", default=[1, 30, 365])
    parser.add_argument("--history-models", type=int, default=100_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if args.models:
            _print_costs("models", dict(_measure_sizes(Path(name), args.models)))
        if args.days:
            days = _measure_history(Path(name), args.history_models, args.days)
            _print_costs(f"days of {args.history_models:,} models", dict(days))


def _measure_sizes(folder: Path, sizes: list[int]) -> Iterator[tuple[int, Costs]]:
    for models in sizes:
        dump, db = folder / "models.parquet", folder / "h.duckdb"
        write_dump(dump, models)
        costs = _run("import", db, "import", str(dump), "--observed-at=2026-01-01", "--complete")
        dump.unlink()
        costs["MB of the database"] = db.stat().st_size / 1e6
        for label, arguments in _READ.items():
            costs |= _run(label, db, *arguments)
        db.unlink()
        yield models, costs


def _measure_history(folder: Path, models: int, lengths: list[int]) -> Iterator[tuple[int, Costs]]:
    db = folder / "history.duckdb"
    days = simulate_days(folder, models, max(lengths), "SELECT * EXCLUDE (n) FROM hub", _START)
    for number, dump in enumerate(days):
        day, seconds = _START + timedelta(days=number), read_cpu_seconds()
        with Store.open(db, write=True) as store:
            snapshot = NewSnapshot("import", dump.name, Scope(), day, day, True)
            ingest_files(store, [dump], snapshot)
        costs = {"import of the last day, CPU-s": read_cpu_seconds() - seconds}
        if number in lengths:
            costs["MB of the database"] = db.stat().st_size / 1e6
            for label, arguments in _READ_HISTORY.items():
                costs |= _run(label, db, *arguments)
            export = folder / f"export-{number}"
            costs |= _run("export of the history", db, "export", str(export),
                          *(f"--table={table}" for table in _RESTORED))  # fmt: skip
            costs |= _run("import of the history", folder / "again.duckdb", "import", str(export))
            (folder / "again.duckdb").unlink()
            yield number, costs


def _run(label: str, db: Path, command: str, *arguments: str) -> Costs:
    """Return the CPU seconds and the peak memory (MB) of a command."""
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-c", _HFSCAN, command, f"--db={db}", *arguments],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr
    messages = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"hfscan {command} failed: {messages}")
    seconds = usage.ru_utime + usage.ru_stime
    peak = int(messages.split()[-1]) * 1024 / 1e6
    print(f"  {label}: {seconds:.2f} CPU-s, {peak:.0f} MB", file=sys.stderr)
    return {f"{label}, CPU-s": seconds, f"{label}, MB": peak}


def _print_costs(unit: str, costs: Mapping[int, Costs]) -> None:
    """Print a Markdown table: a row for each cost, a column for each size."""
    sizes = [*costs]
    header = [f"Cost by {unit}", *(f"{size:,}" for size in sizes), "exponent", "of the last step"]
    print("|", " | ".join(header), "|")
    print("|", " | ".join(["---", *["---:"] * (len(header) - 1)]), "|")
    for label in costs[sizes[-1]]:
        values = [costs[size][label] for size in sizes]
        exponents = [_fit(sizes, values), _fit(sizes[-2:], values[-2:])]
        cells = [*(f"{value:,.3g}" for value in values), *(f"{slope:.2f}" for slope in exponents)]
        print("|", " | ".join([label, *cells]), "|", flush=True)


def _fit(sizes: list[int], values: list[float]) -> float:
    if len(sizes) < 2:
        return math.nan
    return linear_regression([*map(math.log, sizes)], [*map(math.log, values)]).slope


if __name__ == "__main__":
    main()
