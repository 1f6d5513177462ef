"""Measure queries over several snapshots: `python benchmarks/turnover.py DATABASE`.

DATABASE is one that `python benchmarks/history.py --models 3000000 --days 2 --keep DATABASE` made.
Runs each query in turn with a bare scan of the columns that it reads. Prints medians of the time of
all processors, and the ratios.
"""

import argparse
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from timing import compare_with_scan

from hfscan.figures import load
from hfscan.store import Store

SCANS = {
    "series_id": "max(series_id)", "model": "max(model)", "valid_from": "max(valid_from)",
    "valid_to": "max(valid_to)", "key": "sum(strlen(key))", "id": "sum(strlen(id))",
    "author": "sum(strlen(author))", "created_at": "max(created_at)",
    "at_cutoff": "count(*) FILTER (at_cutoff)", "tags": "sum(len(tags))",
    "downloads": "sum(downloads)", "likes": "sum(likes)",
}  # fmt: skip
"""Column -> an aggregate that reads it."""
INTERVAL = "series_id model valid_from valid_to"
COUNTS = f"{INTERVAL} downloads likes"
ONE = {"versions": f"{INTERVAL} key id", "all_counts": COUNTS}
QUERIES: dict[str, tuple[str, Mapping[str, object], Mapping[str, str]]] = {
    "turnover": ("turnover", {}, {"versions": f"{INTERVAL} key id created_at at_cutoff"}),
    "survival": (
        "survival", {"by": "year"}, {"versions": f"{INTERVAL} key id created_at at_cutoff"},
    ),
    "license changes": (
        "license_changes", {"earlier": 1, "later": 3},
        {"models_in(1)": "key id tags", "models_in(3)": "key id tags downloads"},
    ),
    "what a name is": ("subject", {"name": "{id}"}, {"versions": "key id author"}),
    "one model": ("model_history", {"model": "{id}"}, ONE),
    "its events": ("model_events", {"model": "{id}"}, ONE),
    "its summary": ("model_summary", {"model": "{id}"}, ONE),
    "one account": ("group_history", {"author": "{author}"}, ONE),
    "models of it": (
        "group_events", {"author": "{author}"},
        {"versions": f"{INTERVAL} key id created_at at_cutoff"},
    ),
    "one family": (
        "group_history", {"family": "{base}"},
        ONE | {"census": "key id tags"},
    ),
    "models of that": (
        "group_events", {"family": "{base}"},
        {"versions": f"{INTERVAL} key id created_at at_cutoff", "census": "key id tags"},
    ),
}  # fmt: skip
"""Label -> query, parameters, and the columns that it reads of each relation."""
_BASE = "google-bert/bert-base-uncased"  # of many models of the benchmark


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with Store.open(args.database) as store:
        (models,) = store.fetch_one("SELECT max(models) FROM snapshots")
        # a model that changed, and its account
        changed = store.fetch_one(
            "SELECT id, author FROM versions WHERE valid_to IS NOT NULL LIMIT 1"
        )
        names = dict(zip(("id", "author"), changed, strict=True)) | {"base": _BASE}
        print(f"{models:,} models (ms of all processors; ratio to a bare scan)")
        for label, (query, parameters, columns) in QUERIES.items():
            values = {
                key: value.format_map(names) if isinstance(value, str) else value
                for key, value in parameters.items()
            }
            _measure(store, label, query, values, columns, args.rounds)


def _measure(
    store: Store,
    label: str,
    query: str,
    parameters: Mapping[str, object],
    columns: Mapping[str, str],
    rounds: int,
) -> None:
    scans = [
        f"SELECT {', '.join(SCANS[name] for name in names.split())} FROM {relation}"
        for relation, names in columns.items()
    ]

    def scan_all() -> None:
        for scan in scans:
            store.execute(scan).fetchall()

    call = partial(load(query).run, store, parameters)
    seconds, _, ratio = compare_with_scan(call, scan_all, rounds)
    print(f"  {label:16} {1e3 * seconds:8.1f} ms  {ratio:5.2f} x")


if __name__ == "__main__":
    main()
