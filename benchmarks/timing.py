"""Time calls that take turns, so that what else the machine does affects all of them alike."""

import os
import time
from collections.abc import Callable, Mapping
from statistics import median


def read_cpu_seconds() -> float:
    """Return the seconds that all processors have worked for this process and its children."""
    used = os.times()
    return time.process_time() + used.children_user + used.children_system


def time_in_turns(
    calls: Mapping[str, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float] = read_cpu_seconds,
) -> dict[str, list[float]]:
    """Return the seconds of each call by the clock; the calls take turns."""
    seconds: dict[str, list[float]] = {label: [] for label in calls}
    for call in calls.values():
        call()  # warm
    for _ in range(rounds):
        for label, call in calls.items():
            started = clock()
            call()
            seconds[label].append(clock() - started)
    return seconds


def compare_with_scan(
    query: Callable[[], object], scan: Callable[[], object], rounds: int
) -> tuple[float, float, float]:
    """Return the median seconds of a query and of a scan, and the median ratio."""
    seconds = time_in_turns({"query": query, "scan": scan}, rounds)
    ratios = (taken / bare for taken, bare in zip(*seconds.values(), strict=True))
    return median(seconds["query"]), median(seconds["scan"]), median(ratios)
