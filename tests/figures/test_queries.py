"""Named queries run on the recorded models and equal a recount in plain Python."""

import gzip
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from recount_turnover import ACCOUNTS_OF_2024
from tracing import pause_tracing

from hfscan.errors import InconsistentError
from hfscan.figures import GROUPINGS, FigureRequest, SnapshotView, check_totals, load
from hfscan.figures.queries import COLUMN_FORMATS, list_queries
from hfscan.store import Store

ROOT = Path(__file__).parents[2]
TAG_BY_FRAMEWORK = {"pytorch": "pytorch", "tensorflow": "tf"}
COUNTED_TAGS = (*TAG_BY_FRAMEWORK.values(), "safetensors", "gguf")


@pytest.fixture(scope="module")
def store(recorded_db):
    with Store.open(recorded_db) as store:
        yield store


@pytest.fixture(scope="module")
def old_models(shared_data):
    with gzip.open(shared_data / "hub-2022-02.jsonl.gz", "rt") as lines:
        return {model["modelId"]: model for model in map(json.loads, lines)}


@pytest.fixture(scope="module")
def new_models(shared_data):
    """The models of snapshot 2, by id, with those of their tags that are counted below."""
    rows = duckdb.connect().execute(
        f"SELECT id, list_filter(tags, lambda tag: tag IN {COUNTED_TAGS}), createdAt, library_name "
        f"FROM read_parquet('{shared_data / 'hub-2024-07.parquet'}')"
    )
    names = ("id", "tags", "createdAt", "library_name")
    return {row[0]: dict(zip(names, row, strict=True)) for row in rows.fetchall()}


@pytest.fixture(scope="module")
def followed_models(old_models, new_models):
    """The models of snapshot 1, by the names that those without an account got until snapshot 2."""
    moves = {
        name: new
        for new in new_models
        if (parts := new.split("/"))[0] in ACCOUNTS_OF_2024
        if (name := parts[-1]) in old_models and name not in new_models
    }
    assert len(moves) == 68
    return {moves.get(name, name): model for name, model in old_models.items()}


def run_query(store, name, snapshot=2, **parameters):
    return SnapshotView.choose(store, None, snapshot=snapshot).run(name, parameters)


def test_two_views_of_one_store_keep_their_snapshots(store):
    first_view, second_view = (
        SnapshotView.choose(store, None, snapshot=number) for number in (1, 2)
    )
    counts = {
        view.snapshot.id: sum(
            figure.denominator for figure in view.compute_exclusivity(FigureRequest(weight=weight))
        )
        for weight in ("models", "downloads")
        for view in (first_view, second_view, first_view)
    }
    assert counts[1] != counts[2]
    for view in (first_view, second_view, first_view):
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
    needed = {"author": "google-bert"} if query.one_of else {}
    columns = SnapshotView.choose(store, None, snapshot=snapshot).list_columns(name, needed)
    assert query.columns.keys() <= {*columns}
    assert COLUMN_FORMATS.issuperset(query.columns.values())
    rows = run_query(store, name, snapshot, **needed)
    # no contradictions, comparison or measurements, nor a million models; snapshot 1 has no dates
    # and no base models; lineage_tree finds the model itself, by its former name
    lacks_columns = snapshot == 1 and (
        name in ("formats", "creation_cutoff", "newest_models")
        or (name.startswith("lineage_") and name not in ("lineage_relations", "lineage_tree"))
    )
    is_parity = name.startswith("parity_") or name.endswith(("_speed", "speed_ratio"))
    without_rows = [
        "check_totals", "compare", "sample_error", "sudden_drops", "partial_snapshots",
        "milestones",
        # completeness is not stated, so nothing is known to be gone
        "turnover", "survival", "group_events",
    ]  # fmt: skip
    is_empty = name in without_rows or is_parity or lacks_columns
    assert bool(rows) != is_empty
    for row in rows:
        if row.get("numerator") is not None:  # Gini's coefficient has none
            assert 0 <= row["numerator"] <= row["denominator"]


def list_countless_parameters():
    """Yield each query of models, with parameters for which it ignores downloads and likes."""
    for name in list_queries():
        query = load(name)
        weights = [parameter.values for parameter in query.parameters if parameter.name == "weight"]
        needed = {"author": "google-bert"} if query.one_of else {}
        for parameters in [{"weight": weight} for weight in weights[0]] if weights else [needed]:
            if query.reads_census and not query.reads_counts(parameters):
                yield name, parameters


@pytest.mark.parametrize(("name", "parameters"), [*list_countless_parameters()], ids=str)
@pause_tracing()
def test_census_has_the_counts_that_a_query_reads(store, name, parameters):
    """A query that ignores downloads and likes has the same rows where these are not joined."""
    view, query = SnapshotView.choose(store, None, snapshot=3), load(name)
    rows = view.run(name, parameters)
    assert rows or name == "milestones"
    assert rows == query.run(view.bind_census(), view.add_release(query, parameters))


@pytest.mark.parametrize("by", GROUPINGS)
@pytest.mark.parametrize("snapshot", [1, 2, 3])
@pause_tracing()
def test_breakdown_adds_up_in_every_group(store, by, snapshot):
    view, query = SnapshotView.choose(store, None, snapshot=snapshot), load("breakdown")
    parameters = query.bind(view.bind_census(), view.add_release(query, {"by": by}))
    rows = store.execute(  # there are many accounts
        'SELECT "group", coalesce(sum(numerator), 0), min(denominator), max(denominator) '
        f'FROM (\n{query.sql}\n) GROUP BY "group"',
        parameters,
    ).fetchall()
    assert all(size == least == most for _, size, least, most in rows)
    sizes = {group: size for group, size, *_ in rows}
    assert sizes.pop(None) == sum(sizes.values()) == view.snapshot.models


def find_frameworks(model):
    return frozenset(name for name, tag in TAG_BY_FRAMEWORK.items() if tag in (model["tags"] or ()))


@pause_tracing()
def test_concentration_is_recounted(store, new_models):
    models_by_author = Counter(
        # without an account, the model is ranked by itself
        name.split("/")[0] if "/" in name else f"/{name}"
        for name, model in new_models.items()
        if find_frameworks(model) == {"pytorch"}
    )
    expected = sorted(models_by_author.items(), key=lambda item: (-item[1], item[0]))[:20]
    rows = run_query(store, "concentration", definition="tag")
    found = [("/" * (not row["has_account"]) + row["author"], row["numerator"]) for row in rows]
    assert found == expected
    assert {row["denominator"] for row in rows} == {models_by_author.total()}
    assert rows[-1]["cumulative_share"] == round(
        sum(n for _, n in expected) / models_by_author.total(), 9
    )


def describe_frameworks(models, name):
    if name not in models:
        return "(not in snapshot)"
    return " + ".join(sorted(find_frameworks(models[name]))) or "none"


def test_transitions_are_recounted(store, followed_models, new_models):
    expected = Counter(
        (describe_frameworks(followed_models, name), describe_frameworks(new_models, name))
        for name in followed_models.keys() | new_models.keys()
    )
    rows = run_query(store, "transitions", earlier=1, later=2, definition="tag")
    assert {(row["before"], row["after"]): row["models"] for row in rows} == expected
    assert expected["pytorch", "pytorch"] > 0
    for row in rows:  # the totals of the flow chart, of models in the earlier snapshot
        earlier_changes = [change for change in expected if change[0] != "(not in snapshot)"]
        before_total = sum(
            expected[change] for change in earlier_changes if change[0] == row["before"]
        )
        after_total = sum(
            expected[change] for change in earlier_changes if change[1] == row["after"]
        )
        is_added = row["before"] == "(not in snapshot)"
        assert (row["before_total"], row["after_total"]) == (
            (None, None) if is_added else (before_total, after_total)
        )
    unchanged_rows = run_query(store, "transitions", earlier=1, later=1, definition="tag")
    assert {(row["before"], row["after"]) for row in unchanged_rows} == {
        (describe_frameworks(followed_models, name),) * 2 for name in followed_models
    }
    assert sum(row["models"] for row in unchanged_rows) == len(followed_models)


def test_adoption_is_recounted(store, new_models):
    rows = run_query(store, "formats", per="month", definition="tag")
    tags_by_month = [
        (model["createdAt"][:7], model["tags"])
        for model in new_models.values()
        if not model["createdAt"].startswith("2022-03-02T23:29")
    ]
    months = Counter(month for month, _ in tags_by_month)
    for tag, framework in (("pytorch", "pytorch"), ("safetensors",) * 2, ("gguf", "gguf")):
        tagged_counts = Counter(month for month, tags in tags_by_month if tag in tags)
        counts = {
            row["period"]: (row["numerator"], row["denominator"])
            for row in rows
            if row["framework"] == framework
        }
        assert counts == {month: (tagged_counts[month], count) for month, count in months.items()}


def test_transitions_by_library_are_recounted(store, followed_models, new_models):
    def get_library(name):
        return (new_models.get(name) or followed_models[name]).get("library_name") or "(none)"

    expected = Counter(
        (
            get_library(name),
            describe_frameworks(followed_models, name),
            describe_frameworks(new_models, name),
        )
        for name in followed_models.keys() | new_models.keys()
    )
    rows = run_query(
        store, "transitions", earlier=1, later=2, by="library", top=5, definition="tag"
    )
    counts = {(row["group"], row["before"], row["after"]): row["models"] for row in rows}
    groups = {group for group, *_ in counts} - {"(other)"}
    assert len(groups) == 5
    assert "transformers" in groups
    assert {key: n for key, n in counts.items() if key[0] in groups} == {
        key: n for key, n in expected.items() if key[0] in groups
    }
    assert sum(counts.values()) == expected.total()


def test_contradicting_figures_are_found(store):
    view = SnapshotView.choose(store, None, snapshot=2)
    figures = list(view.compute_exclusivity(FigureRequest(by="library", top=3)))
    figures += view.compute_exclusivity(FigureRequest())
    check_totals(view, figures)
    for index in range(len(figures)):
        if figures[index].name == "available":
            continue  # overlaps with the other figures
        wrong_figure = replace(figures[index], numerator=figures[index].numerator + 1)
        with pytest.raises(InconsistentError, match="do not add up"):
            check_totals(view, [*figures[:index], wrong_figure, *figures[index + 1 :]])
