"""Measure the CPU time of commands, as processes: `python benchmarks/commands.py --db FILE`.

Prints medians: of `--help` of each command, beside a process that only imports click; of a report
as a page beside the same as JSON; and of all claims. FILE: a database with a full snapshot.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median

from timing import time_in_turns

from hfscan.cli import COMMANDS

Calls = Mapping[str, Callable[[], object]]


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", type=Path, required=True)
    parser.add_argument("--year", type=int, default=2022)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    hfscan = partial(_run, "-m", "hfscan")
    helps = {name: partial(hfscan, *name.split(), "--help") for name in COMMANDS}
    _compare({"Python with click": partial(_run, "-c", "import click"), **helps}, args.rounds)
    report = partial(hfscan, "report", f"--db={args.db}", f"--year={args.year}")
    formats = {
        f"report as {name}": partial(report, f"--format={name}") for name in ("json", "html")
    }
    _compare(formats, args.rounds)
    _compare({"claims": partial(hfscan, "claims", f"--db={args.db}")}, args.rounds)


def _compare(calls: Calls, rounds: int) -> None:
    """Print the times of calls, and their ratios to the first."""
    seconds = time_in_turns(calls, rounds)
    first = next(iter(seconds.values()))
    for label, times in seconds.items():
        ratio = median(taken / base for taken, base in zip(times, first, strict=True))
        print(f"  {label:20} {median(times):6.3f} s  {ratio:5.2f} x", flush=True)


def _run(*arguments: str) -> None:
    subprocess.check_output([sys.executable, *arguments])  # noqa: S603 our own


if __name__ == "__main__":
    main()
