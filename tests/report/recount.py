"""An independent count in plain Python, from the raw objects: no SQL, nothing of hfscan's code."""

import gzip
import json
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import duckdb
from evidence import ALL, DECISIVE, FORMATS, RUNTIMES, TELLING, serves


class Model(NamedTuple):
    created: str
    at_cutoff: bool
    author: str
    groups: dict
    downloads: int
    tag: frozenset
    weights: frozenset | None
    loadable: frozenset
    best: frozenset
    id: str
    marks: frozenset


MARKS = frozenset(["bert", "gpt2", "xlnet", "tensorboard"])
"""Tags that claims are about."""


def models(path: Path) -> list[Model]:
    """Return the models of a recorded census, oldest first."""
    return sorted(map(read, objects(path)), key=lambda one: one.created)


def objects(path: Path) -> Iterator[dict]:
    if path.suffix == ".parquet":
        cursor = duckdb.connect().execute(
            "SELECT id, tags, createdAt, pipeline_tag, library_name, downloads "
            f"FROM read_parquet('{path}')"
        )
        names = [column[0] for column in cursor.description]
        while batch := cursor.fetchmany(5_000):
            yield from (dict(zip(names, row, strict=True)) for row in batch)
    else:
        with gzip.open(path, "rt") as lines:
            yield from map(json.loads, lines)


without_files = cache(lambda tags, library: serves(tags, library, None, None))


def read(one: dict) -> Model:
    tags, library, created = one["tags"] or [], one.get("library_name"), one.get("createdAt") or ""
    id_ = one.get("id") or one["modelId"]
    if "siblings" in one:
        files = [file["rfilename"] for file in one["siblings"]]
        served = serves(tags, library, files, one.get("config"))
    else:
        served = without_files(TELLING.intersection(tags), library)
    groups = {
        "month": created[:7],
        "year": created[:4],
        "task": one.get("pipeline_tag") or "(none)",
        "library": library or "(none)",
        "author": id_.split("/")[0] if "/" in id_ else "(none)",
        "license": single([tag[8:] for tag in tags if tag.startswith("license:")]),
        "region": single([tag[7:] for tag in tags if tag.startswith("region:")]),
    }
    marks = MARKS.intersection(tags) | {tag[:6] for tag in tags if tag.startswith("arxiv:")}
    tag, weights, loadable, best = served
    return Model(
        created, created.startswith("2022-03-02T23:29:"), groups["author"], groups,
        one.get("downloads") or 0, tag, weights, loadable, best, id_,
        frozenset(marks),
    )  # fmt: skip


def single(values: list) -> str:
    return values[0] if len(values) == 1 else "(several)" if values else "(none)"


def members(everything, population, period, cutoff):
    if period:
        since, until = (bisect_left(everything, day, key=lambda one: one.created) for day in period)
        everything = everything[since if population == "created" else 0 : until]
    if cutoff == "included" or cutoff is None:
        return everything
    return [one for one in everything if one.at_cutoff == (cutoff == "only")]


def count(
    everything,
    *,
    definition,
    frameworks,
    population,
    period,
    cutoff,
    weight,
    exclude_top_authors,
    by,
    top,
):
    """Return {(name, framework, group): (numerator, denominator)}."""
    frameworks = ALL if tuple(frameworks) == ("all",) else frameworks
    competing = frozenset(frameworks)
    cut = cache(lambda keys: None if keys is None else keys & competing)
    keys_of, counted = attrgetter(definition), members(everything, population, period, cutoff)
    if exclude_top_authors:
        owned = Counter(one.author for one in counted if cut(keys_of(one)))
        largest = sorted(owned, key=lambda name: (-owned[name], name))[:exclude_top_authors]
        counted = [one for one in counted if one.author not in largest]
    # an author's vote is split over the author's models in the denominator
    known = Counter(one.author for one in counted if keys_of(one) is not None)
    supporting = Counter(one.author for one in counted if cut(keys_of(one)))
    by_group, known_by_group = defaultdict(Counter), defaultdict(Counter)
    # what is alike is counted at once, for there are many
    alike = Counter(
        (
            one.groups[by] if by else None,
            keys_of(one),
            {"models": 1, "downloads": one.downloads, "authors": one.author}[weight],
        )
        for one in counted
    )
    for (group, keys, each), n in alike.items():
        if keys is None:
            continue
        served, is_author = cut(keys), weight == "authors"
        known_by_group[group][served] += n * (Fraction(1, known[each]) if is_author else each)
        if served:
            vote = Fraction(1, supporting[each]) if is_author else each
            by_group[group][served] += n * vote
    if top is not None:
        size = {group: by_group[group].total() for group in known_by_group}
        largest = sorted(size, key=lambda group: (-size[group], group))[:top]
        by_group, known_by_group = (fold(groups, largest) for groups in (by_group, known_by_group))
    figures = {}
    for group, known_tally in known_by_group.items():
        tally = by_group[group]
        serving = tally.total()
        for name in frameworks:
            figures["exclusive", name, group] = (tally[frozenset([name])], serving)
            available = sum(n for served, n in tally.items() if name in served)
            figures["available", name, group] = (available, serving)
        shared = sum(n for served, n in tally.items() if len(served) > 1)
        figures["shared", None, group] = (shared, serving)
        figures["none", None, group] = (known_tally[frozenset()], known_tally.total())
    return {
        key: tuple(n if isinstance(n, int) else round(float(n), 6) for n in pair)
        for key, pair in figures.items()
    }


def fold(by_group, largest):
    """Return the tallies of the largest groups; the others add up to "(other)"."""
    folded = defaultdict(Counter)
    for group, tally in by_group.items():
        folded[group if group in largest else "(other)"].update(tally)
    return folded


def break_down(everything, *, frameworks, by):
    """Return {(class, group): models} for all models, and for each group."""
    competing = frozenset(ALL if tuple(frameworks) == ("all",) else frameworks)
    tally = Counter()
    for one in everything:
        name = class_of(one, competing)
        tally[name, None] += 1
        if by:
            tally[name, one.groups[by]] += 1
    return tally


def class_of(one: Model, competing: frozenset) -> str:
    served = one.best & competing
    if len(served) > 1:
        return "both" if len(competing) == 2 else "several"
    if served:
        return f"{min(served)}_only"
    if one.best & (DECISIVE - RUNTIMES):
        return "other_framework"
    if one.best & RUNTIMES:
        return "runtime_format"
    if one.best & FORMATS:
        return "unknown_framework"
    return "files_unknown" if one.weights is None else "no_weights"


def dates(path: Path) -> dict:
    """Return repo id -> true date of creation."""
    rows = duckdb.connect().execute(
        f"SELECT modelId, min(creation_time AT TIME ZONE 'UTC')::VARCHAR FROM '{path}' "
        "WHERE creation_time IS NOT NULL GROUP BY ALL"
    )
    return dict(rows.fetchall())


def dated(everything, dates: dict, *, definition, frameworks, year):
    """Return {(name, framework): (certain, dated, undated, in conflict)}, as ids say them."""
    begin, end = f"{year}-01-01", f"{year + 1}-01-01"
    competing = frozenset(ALL if tuple(frameworks) == ("all",) else frameworks)
    found = defaultdict(Counter)
    for one in everything:
        date = dates.get(one.id) if one.at_cutoff else None
        conflict = date is not None and date >= "2022-03-02 23:29:00"
        if not one.at_cutoff:
            age = "certain" if begin <= one.created < end else None
        elif date is None or conflict:
            age = "undated"
        else:
            age = "dated" if begin <= date < end else None
        if age is None:
            continue
        served = getattr(one, definition) & competing
        name = ("exclusive", *served) if len(served) == 1 else ("shared", None)
        if served:
            found[name][age] += 1
            found[name]["impossible_dates"] += conflict
    return {
        name: tuple(ages[age] for age in ("certain", "dated", "undated", "impossible_dates"))
        for name, ages in found.items()
    }
