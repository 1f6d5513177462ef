"""Lineage on the recorded models equals a recount in plain Python."""

import gc
import json
import re
from collections import Counter
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path

import duckdb
import pytest
import recount
from dumps import ingest
from recount_lineage import (
    Lineage,
    count_changes,
    count_families,
    count_growth,
    count_relations,
    count_resolutions,
    name_change,
    walk_trees,
)
from tracing import pause_tracing

from hfscan.figures import SnapshotView
from hfscan.store import Store

pytestmark = pytest.mark.slow
FILES = ("hub-2022-02.jsonl.gz", "hub-2024-07.parquet", "hub-2024-07-detail.jsonl.gz")


@pytest.fixture(scope="module")
def dumps(shared_data):
    """The objects of each of FILES."""
    gc.disable()  # much faster: all objects stay alive
    files = [list(read_dump(shared_data / name)) for name in FILES]
    gc.freeze()  # nor are they searched later
    gc.enable()
    return files


@pytest.fixture(scope="module", params=["2022-02", "2024-07", "2026-08"])
def recorded(request, dumps, shared_data, recorded_db, tmp_path_factory):
    """A view of a recorded snapshot, and the lineage of its models."""
    files = [*dumps]
    canonical = {row["id"] for row in files[0] if "/" not in row["id"]}
    if request.param == "2026-08":
        models = read_changes(shared_data / "hub-2026-08" / "changes.parquet")
        folder = tmp_path_factory.mktemp("changes")
        dump = folder / "models.jsonl"
        dump.write_text("".join(f"{json.dumps(model)}\n" for model in models))
        with Store.open(folder / "h.duckdb", write=True) as store:
            ingest(store, dump, day=datetime(2026, 8, 20, tzinfo=UTC), origin="hub-2026-08")
            yield SnapshotView.latest(store), Lineage(models, (), canonical)
        return
    snapshot = {"2022-02": 1, "2024-07": 2}[request.param]
    models = files.pop(snapshot - 1)
    with Store.open(recorded_db) as store:
        yield (
            SnapshotView.latest(store, snapshot=snapshot),
            Lineage(models, [row for file in files for row in file], canonical),
        )


def read_dump(path):
    """Yield the objects, with names as `id`."""
    if path.suffix == ".parquet":
        rows = duckdb.connect().execute(
            f"SELECT _id, id, tags, createdAt, downloads, pipeline_tag, library_name FROM '{path}'"
        )
        keys = [column[0] for column in rows.description]
        yield from (dict(zip(keys, row, strict=True)) for row in rows.fetchall())
    else:
        yield from (row | {"id": row["modelId"]} for row in recount.read_objects(path))


def read_changes(path):
    """Return the last state of each model."""
    rows = duckdb.connect().execute(
        f"SELECT id, op, tags, created_at, downloads_30d, library FROM '{path}' ORDER BY seq"
    )
    states = {row[0]: row for row in rows.fetchall()}
    return [
        {"id": name, "tags": tags, "createdAt": created, "downloads": downloads}
        | ({"library_name": library} if library else {})
        for name, op, tags, created, downloads, library in states.values()
        if op != "delete"
    ]


@pause_tracing()
def test_parents_are_recounted(recorded):
    view, lineage = recorded
    rows = view.run("lineage_parents", {})
    found = {
        row["resolution"]: (row["numerator"], row["names"], row["models"], row["example"])
        for row in rows
    }
    assert found == count_resolutions(lineage)
    declared = sum(map(len, lineage.declarations.values()))
    assert all(row["denominator"] == declared for row in rows)
    if "2024-07" in view.snapshot.origin:
        names = {name for names in lineage.declarations.values() for name in names}
        missing = [
            n for names in lineage.declarations.values() for n in names if n not in lineage.objects
        ]
        counts = (declared, len(lineage.declarations), len(names), len(set(missing)), len(missing))
        assert counts == (126_650, 117_155, 14_927, 2_237, 21_248)
        page = Path(__file__).parents[2] / "docs" / "lineage.md"
        table = re.findall(
            r"^\| ([\d,]+) \| ([\d,]+) \| (yes|no) \| (.*) \|$", page.read_text(), re.M
        )
        assert {(n, names, found, how) for n, names, found, how in table} == {
            (
                f"{row['numerator']:,}", f"{row['names']:,}",
                "yes" if row["resolved"] else "no", row["resolution"],
            )
            for row in rows
        }  # fmt: skip


@pytest.mark.parametrize("weight", ["models", "downloads"])
@pause_tracing()
def test_families_are_recounted(recorded, weight):
    view, lineage = recorded
    expected = count_families(lineage, weight)
    total = sum(row[1] for row in expected.values())
    rows = view.run("lineage_families", {"weight": weight, "top": 1_000_000})
    found = {
        row["family"]: (
            row["root"], row["numerator"], row["models"], row["children"], row["depth"],
            row["breadth"], row["downloads"], row["root_downloads"],
        )
        for row in rows
    }  # fmt: skip
    assert found == {root: row[:8] for root, row in expected.items()}
    for row in rows:
        assert row["denominator"] == total
        own, derived = row["root_downloads"], expected[row["family"]][8]
        share = round(derived / (derived + own), 9) if own is not None and derived + own else None
        assert row["derived_share"] == share
    order = sorted(expected, key=lambda root: (-expected[root][1], root))
    assert [row["family"] for row in rows] == order
    top = view.run("lineage_families", {"weight": weight})
    assert top == rows[:20]


@pytest.mark.parametrize("weight", ["models", "downloads"])
@pytest.mark.parametrize("relations", ["named", "inferred"])
@pause_tracing()
def test_relations_are_recounted(recorded, weight, relations):
    view, lineage = recorded
    rows = view.run("lineage_relations", {"weight": weight, "relations": relations})
    expected = count_relations(lineage, weight, relations)
    assert {row["relation"]: row["numerator"] for row in rows} == expected
    known = expected.total() - expected["(unknown)"]
    assert {row["denominator"] for row in rows} == {known}


@pytest.mark.parametrize(
    ("per", "by"), [("month", "relation"), ("quarter", "family"), ("year", "author")]
)
@pause_tracing()
def test_growth_is_recounted(recorded, per, by):
    view, lineage = recorded
    groups, models = count_growth(lineage, per, by)
    largest = sorted(groups, key=lambda group: (-groups[group].total(), group))[:5]
    rows = view.run("lineage_growth", {"per": per, "by": by, "top": 5})
    if not groups:
        assert rows == []
        return
    labels = [*largest, *(["(other)"] if len(groups) > 5 else [])]
    assert len(rows) == len(models) * len(labels)
    for row in rows:
        period, group = row["period"], row["group"]
        members = set(groups) - set(largest) if group == "(other)" else {group}
        assert row["numerator"] == sum(groups[name][period] for name in members)
        assert row["denominator"] == sum(counts[period] for counts in groups.values())
        assert row["models"] == models[period]


@pytest.mark.parametrize(
    ("of", "weight"), [("framework", "models"), ("format", "downloads"), ("license", "models")]
)
@pause_tracing()
def test_changes_are_recounted(recorded, of, weight):
    view, lineage = recorded
    pairs, totals = count_changes(lineage, of, weight)
    options = {"of": of, "weight": weight, "relations": "inferred"}
    rows = view.run("lineage_changes", options | {"top": 1_000_000})
    names = ("numerator", "before_total")
    found = {
        (parse(row["before"]), parse(row["after"]), row["change"]): tuple(map(row.get, names))
        for row in rows
    }
    expected = {}
    for (_, before, after), n in pairs.items():
        total = sum(m for (_, old, _), m in pairs.items() if old == before)
        key = (strip(before), strip(after), name_change(before, after, of))
        expected[key] = (expected.get(key, (0,))[0] + n, total)
    assert found == expected
    assert {row["denominator"] for row in rows} <= {pairs.total()}

    drift = {}
    for row in view.run("lineage_drift", options):
        drift[row["relation"], row["change"]] = (
            row["numerator"],
            row["denominator"],
            row["coverage"],
        )
    for relation in {relation for relation, *_ in pairs} | ({"(all)"} if pairs.total() else set()):
        known = {key: n for key, n in pairs.items() if relation in ("(all)", key[0])}
        if not (denominator := sum(known.values())):
            continue
        total = totals.total() if relation == "(all)" else totals[relation]
        for change in ("same", "added", "dropped", "replaced"):
            n = sum(n for (_, *sides), n in known.items() if name_change(*sides, of) == change)
            coverage = round(denominator / total, 6)
            assert drift.pop((relation, change)) == (n, denominator, coverage)
    assert drift == {}


def parse(text):
    return frozenset() if text in ("none", "(none)") else frozenset(text.split(" + "))


def strip(trait):
    return frozenset(name.removeprefix("license:") for name in trait)


TREES = {
    "2024-07": [
        "openai-community/gpt2", "HuggingFaceH4/zephyr-7b-beta", "mistralai/Mistral-7B-v0.1",
        "weiren119/distilhubert-finetuned-gtzan", "decapoda-research/llama-7b-hf",
        "Kabster/BioMistral-Zephyr-Beta-SLERP", "MaziyarPanahi/mergekit-slerp-jeyctse-GGUF",
    ],
    "2026-08": ["Qwen/Qwen3.8-27B", "meta-models/Muse-Glimmer-30B"],
}  # fmt: skip


@pause_tracing()
def test_trees_are_those_of_a_plain_walk(recorded):
    view, lineage = recorded
    names = next((names for key, names in TREES.items() if key in view.snapshot.origin), None)
    for model, expected in walk_trees(lineage, names or [*lineage.parents][:5]).items():
        rows = view.run("lineage_tree", {"model": model, "up": 1000, "down": 1000})
        found = {"up": {}, "down": {}}
        for row in rows:
            if row["direction"] != "itself":
                found[row["direction"]][row["model"]] = row["steps"]
        assert found == expected


def test_concentration_by_family_equals_a_recount(recorded):
    view, lineage = recorded
    downloads = Counter()
    for model, row in lineage.objects.items():
        if row["tags"] is not None and row.get("downloads") is not None:
            downloads[lineage.families.get(model, (model,))[0]] += row["downloads"]
    ranked = sorted(downloads.values())
    rows = {row["name"]: row for row in view.run("top_shares", {"per": "family"})}
    assert rows["none"]["numerator"] == ranked.count(0)
    for size in (1, 10, 100, 200):
        counts = (rows[f"top {size}"]["numerator"], rows[f"top {size}"]["denominator"])
        assert counts == (sum(ranked[-size:]), sum(ranked))
    curve = view.run("lorenz", {"per": "family", "points": 4})
    assert {row["total_units"] for row in curve} == {len(ranked)}
    lowest = [0, *accumulate(ranked)]
    assert [row["numerator"] for row in curve] == [lowest[row["units"]] for row in curve]
