"""Named queries: every one runs on both recorded censuses, and equals a plain recount."""

import gzip
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from hfscan.errors import InconsistentError
from hfscan.figures import FigureRequest, SnapshotView, check_totals, load
from hfscan.figures.queries import COLUMN_FORMATS, list_queries
from hfscan.store import Store

ROOT = Path(__file__).parents[2]
TAGS = {"pytorch": "pytorch", "tensorflow": "tf"}


@pytest.fixture(scope="module")
def store(recorded_db):
    with Store.open(recorded_db) as store:
        yield store


@pytest.fixture(scope="module")
def old(shared_data):
    with gzip.open(shared_data / "hub-2022-02.jsonl.gz", "rt") as lines:
        return {model["modelId"]: model for model in map(json.loads, lines)}


@pytest.fixture(scope="module")
def new(shared_data):
    rows = duckdb.connect().execute(
        "SELECT id, tags, createdAt, library_name FROM "
        f"read_parquet('{shared_data / 'hub-2024-07.parquet'}')"
    )
    names = ("id", "tags", "createdAt", "library_name")
    return {row[0]: dict(zip(names, row, strict=True)) for row in rows.fetchall()}


def ask(store, name, snapshot=2, **parameters):
    return SnapshotView.choose(store, None, snapshot=snapshot).run(name, parameters)


def test_two_views_of_one_store_keep_their_snapshots(store):
    first, second = (SnapshotView.choose(store, None, snapshot=number) for number in (1, 2))
    counts = {
        view.snapshot.id: sum(
            figure.denominator for figure in view.compute_exclusivity(FigureRequest(weight=weight))
        )
        for weight in ("models", "downloads")
        for view in (first, second, first)
    }
    assert counts[1] != counts[2]
    for view in (first, second, first):
        rows = view.bind_census().execute("SELECT DISTINCT snapshot FROM census").fetchall()
        assert rows == [(view.snapshot.id,)]


@pytest.mark.parametrize("name", list_queries())
@pytest.mark.parametrize("snapshot", [1, 2])
def test_query_has_a_header_and_runs(store, name, snapshot):
    query = load(name)
    assert query.title
    assert query.answers.endswith("?")
    assert query.chart
    assert all(parameter.meaning for parameter in query.parameters)
    connection = SnapshotView.choose(store, None, snapshot=snapshot).bind_census()
    result = connection.execute(query.sql, query.bind(connection, {}))
    assert query.columns.keys() <= {column[0] for column in result.description}
    assert COLUMN_FORMATS.issuperset(query.columns.values())
    rows = ask(store, name, snapshot)
    # nothing contradicts itself, is compared, or was measured, and one census has no dates
    undated = name in ("formats", "creation_cutoff") and snapshot == 1
    unmeasured = name.startswith("parity_") or name in ("framework_speed", "run_speed")
    empty = ("check_totals", "compare", "sudden_drops", "partial_snapshots")
    silent = name in empty or unmeasured or undated
    assert bool(rows) != silent
    for row in rows:
        if "numerator" in row:
            assert 0 <= row["numerator"] <= row["denominator"]


def supported(model):
    return frozenset(name for name, tag in TAGS.items() if tag in (model["tags"] or ()))


def test_concentration_is_recounted(store, new):
    owned = Counter(
        name.split("/")[0] if "/" in name else "(none)"
        for name, model in new.items()
        if supported(model) == {"pytorch"}
    )
    expected = sorted(owned.items(), key=lambda item: (-item[1], item[0]))[:20]
    rows = ask(store, "concentration")
    assert [(row["author"], row["numerator"]) for row in rows] == expected
    assert {row["denominator"] for row in rows} == {owned.total()}
    assert rows[-1]["cumulative_share"] == round(sum(n for _, n in expected) / owned.total(), 9)


def framework_set(models, name):
    if name not in models:
        return "(not in snapshot)"
    return " + ".join(sorted(supported(models[name]))) or "none"


def test_transitions_are_recounted(store, old, new):
    expected = Counter(
        (framework_set(old, name), framework_set(new, name)) for name in old.keys() | new.keys()
    )
    rows = ask(store, "transitions", earlier=1, later=2)
    assert {(row["before"], row["after"]): row["models"] for row in rows} == expected
    assert expected["pytorch", "pytorch"] > 0
    for row in rows:  # the ends of the flows: models that were there before
        present = [pair for pair in expected if pair[0] != "(not in snapshot)"]
        before = sum(expected[pair] for pair in present if pair[0] == row["before"])
        after = sum(expected[pair] for pair in present if pair[1] == row["after"])
        added = row["before"] == "(not in snapshot)"
        assert (row["before_total"], row["after_total"]) == (
            (None, None) if added else (before, after)
        )
    same = ask(store, "transitions", earlier=1, later=1)
    assert {(row["before"], row["after"]) for row in same} == {
        (framework_set(old, name),) * 2 for name in old
    }
    assert sum(row["models"] for row in same) == len(old)


def test_adoption_is_recounted(store, new):
    rows = ask(store, "formats", per="month")
    dated = [
        (model["createdAt"][:7], model["tags"])
        for model in new.values()
        if not model["createdAt"].startswith("2022-03-02T23:29")
    ]
    months = Counter(month for month, _ in dated)
    for tag, framework in (("pytorch", "pytorch"), ("safetensors",) * 2, ("gguf", "gguf")):
        carrying = Counter(month for month, tags in dated if tag in tags)
        found = {
            row["period"]: (row["numerator"], row["denominator"])
            for row in rows
            if row["framework"] == framework
        }
        assert found == {month: (carrying[month], n) for month, n in months.items()}


def test_transitions_by_library_are_recounted(store, old, new):
    def library(name):
        return (new.get(name) or old[name]).get("library_name") or "(none)"

    expected = Counter(
        (library(name), framework_set(old, name), framework_set(new, name))
        for name in old.keys() | new.keys()
    )
    rows = ask(store, "transitions", earlier=1, later=2, by="library", top=5)
    found = {(row["group"], row["before"], row["after"]): row["models"] for row in rows}
    groups = {group for group, *_ in found} - {"(other)"}
    assert len(groups) == 5
    assert "transformers" in groups
    assert {key: n for key, n in found.items() if key[0] in groups} == {
        key: n for key, n in expected.items() if key[0] in groups
    }
    assert sum(found.values()) == expected.total()


def test_contradicting_figures_are_found(store):
    view = SnapshotView.choose(store, None, snapshot=2)
    figures = list(view.compute_exclusivity(FigureRequest(by="library", top=3)))
    figures += view.compute_exclusivity(FigureRequest())
    check_totals(view, figures)
    for index in range(len(figures)):
        if figures[index].name == "available":
            continue  # overlaps with the others
        off = replace(figures[index], numerator=figures[index].numerator + 1)
        with pytest.raises(InconsistentError, match="do not add up"):
            check_totals(view, [*figures[:index], off, *figures[index + 1 :]])
