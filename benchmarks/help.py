"""Measure the time of `--help`: `python benchmarks/help.py`.

Prints medians of the CPU time of processes that print the help of each command, beside one that
only starts Python and imports click.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from statistics import median

from timing import time_in_turns

from hfscan.cli import COMMANDS


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    bare = "Python with click"
    calls: dict[str, Callable[[], object]] = {bare: partial(_run, "-c", "import click")}
    for name in COMMANDS:
        calls[name] = partial(_run, "-m", "hfscan", *name.split(), "--help")
    seconds = time_in_turns(calls, rounds)
    for label, times in seconds.items():
        ratio = median(time / base for time, base in zip(times, seconds[bare], strict=True))
        print(f"  {label:20} {median(times):6.3f} s  {ratio:5.2f} x")


def _run(*arguments: str) -> None:
    subprocess.check_output([sys.executable, *arguments])  # noqa: S603 our own


if __name__ == "__main__":
    main()
