"""An independent count in plain Python, from the raw objects: no SQL, nothing of hfscan."""

import gzip
import json
from collections import Counter, defaultdict
from pathlib import Path

import duckdb

TAGS = {"pytorch": "pytorch", "tensorflow": "tf", "jax": "jax"}


def rows(path: Path):
    """Yield API objects of a recorded census."""
    if path.suffix == ".parquet":
        cursor = duckdb.connect().execute(
            "SELECT tags, createdAt, pipeline_tag, library_name, downloads "
            f"FROM read_parquet('{path}')"
        )
        names = [column[0] for column in cursor.description]
        while batch := cursor.fetchmany(50_000):
            yield from (dict(zip(names, row, strict=True)) for row in batch)
    else:
        with gzip.open(path, "rt") as lines:
            yield from map(json.loads, lines)


def members(objects, population, period, floor):
    for one in objects:
        created = one.get("createdAt")
        if period:
            since, until = period
            if created >= until or (population == "created" and created < since):
                continue
        at_floor = bool(created) and created.startswith("2022-03-02T23:29:")
        if (floor == "excluded" and at_floor) or (floor == "only" and not at_floor):
            continue
        yield one


def count(objects, *, universe, population, period, floor, weight, by, top):
    """Return {(name, framework, group): (numerator, denominator)}."""
    by_group = defaultdict(Counter)
    for one in members(objects, population, period, floor):
        group = {
            None: None,
            "month": (one.get("createdAt") or "")[:7],
            "task": one.get("pipeline_tag") or "(none)",
            "library": one.get("library_name") or "(none)",
        }[by]
        served = frozenset(name for name in universe if TAGS[name] in (one["tags"] or ()))
        by_group[group][served] += 1 if weight == "models" else one.get("downloads") or 0
    if top is not None:
        size = {g: sum(n for s, n in tally.items() if s) for g, tally in by_group.items()}
        largest = sorted(size, key=lambda group: (-size[group], group))[:top]
        folded = defaultdict(Counter)
        for group, tally in by_group.items():
            folded[group if group in largest else "(other)"].update(tally)
        by_group = folded
    figures = {}
    for group, tally in by_group.items():
        serving = sum(n for served, n in tally.items() if served)
        for name in universe:
            figures["exclusive", name, group] = (tally[frozenset([name])], serving)
            available = sum(n for served, n in tally.items() if name in served)
            figures["available", name, group] = (available, serving)
        shared = sum(n for served, n in tally.items() if len(served) > 1)
        figures["shared", None, group] = (shared, serving)
        figures["none", None, group] = (tally[frozenset()], sum(tally.values()))
    return figures
