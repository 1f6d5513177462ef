"""Lineage: parents, families and their queries, on models counted by hand."""

from datetime import UTC, datetime

import pytest
from dumps import DAY, ingest_models

from hfscan.figures import SnapshotView
from hfscan.store import Store


def model(name, *bases, relation="", **fields):
    prefix = f"base_model:{relation}:" if relation else "base_model:"
    return {"id": name, "tags": [f"{prefix}{base}" for base in bases], "downloads": 1, **fields}


@pytest.fixture
def run_sql(tmp_path):
    """Return a function that runs SQL over `census`: the newest of snapshots of models."""

    def run(sql, models, *earlier_models):
        db = tmp_path / "h.duckdb"
        for year, earlier in enumerate(earlier_models, 2022):
            ingest_models(db, earlier, day=datetime(year, 1, 1, tzinfo=UTC))
        ingest_models(db, models, day=DAY)
        with Store.open(db) as store:
            return SnapshotView.latest(store).bind_census().execute(sql).fetchall()

    return run


RESOLUTIONS = {
    "ann/base": ("ann/base", "exact"),
    "Ann/BASE": ("ann/base", "other case"),
    "gpt2": ("openai-community/gpt2", "canonical name"),
    "GPT2": ("openai-community/gpt2", "canonical name"),
    "roberta-base": (None, "no account in the name"),  # its new name is not there
    "bob/gone": (None, "not in the snapshot"),
    "old/gone": (None, "only in other snapshots"),
    "old/name": ("new/name", "other snapshot"),
    "swapped/name": (None, "only in other snapshots"),  # two models had it
    "./outputs/run": (None, "not a repo id"),
    "C:\\Models\\x": (None, "not a repo id"),
}
"""Name of a base -> the parent, and how it is found or why not."""


def test_parents_are_found_by_the_names_that_they_had(run_sql):
    earlier = [
        model("old/name", _id="a1"),
        model("old/gone", _id="a2"),
        model("swapped/name", _id="a3"),
    ]
    later = [model("swapped/name", _id="a4")]
    models = [
        model("ann/base", _id="b1"),
        model("openai-community/gpt2", _id="b2"),
        model("new/name", _id="a1"),
        model("other/name", _id="a3"),
        model("another/name", _id="a4"),
        *(model(f"u/{n}", base, _id=f"c{n}") for n, base in enumerate(RESOLUTIONS)),
    ]
    rows = run_sql(
        "SELECT name, parent, resolution FROM resolved_parents()", models, earlier, later
    )
    assert {name: found for name, *found in rows} == {
        name: list(found) for name, found in RESOLUTIONS.items()
    }


def test_redirects_of_the_hub_lead_to_parents(tmp_path):
    db = tmp_path / "h.duckdb"
    ingest_models(db, [model("new/name"), model("u/child", "Old/name")])
    with Store.open(db, write=True) as store:
        store.execute(
            "INSERT INTO creation_dates VALUES "
            "('old/name', NULL, 'new/name', 'first commit', 'test', TIMESTAMP '2024-01-01')"
        )
        view = SnapshotView.latest(store).bind_census()
        rows = view.execute("SELECT parent, resolution FROM resolved_parents()").fetchall()
    assert rows == [("new/name", "redirect")]


def test_model_that_names_itself_has_no_parent(run_sql):
    models = [
        model("ann/self", "ann/Self"),
        model("openai-community/gpt2", "gpt2"),
        model("ann/both", "ann/both", "ann/self"),
    ]
    rows = run_sql("SELECT model, name, parent, resolution FROM resolved_parents()", models)
    assert sorted(rows) == [
        ("ann/both", "ann/both", None, "itself"),
        ("ann/both", "ann/self", "ann/self", "exact"),
        ("ann/self", "ann/Self", None, "itself"),
        ("openai-community/gpt2", "gpt2", None, "itself"),
    ]


FAMILY = [
    model("a/root"),
    model("a/child", "a/root"),
    model("a/grandchild", "a/child"),
    model("a/leaf", "a/grandchild"),
    model("b/merge", "z/missing", "a/child", "b/root"),  # the first parent that is there counts
    model("b/root"),
    model("m/orphan", "z/missing"),
    model("m/below", "m/orphan"),
    model("y/one", "y/two"),
    model("y/two", "y/three"),
    model("y/three", "y/one"),
    model("y/below", "y/three"),
    {"id": "unknown/tags", "tags": None, "downloads": 1},
    model("s/self", "s/self"),
]


def test_families_follow_parents_to_the_first_model(run_sql):
    rows = run_sql("SELECT model, root, root_kind, depth FROM families()", FAMILY)
    assert {name: tuple(family) for name, *family in rows} == {
        "a/root": ("a/root", "model", 0),
        "a/child": ("a/root", "model", 1),
        "a/grandchild": ("a/root", "model", 2),
        "a/leaf": ("a/root", "model", 3),
        "b/merge": ("a/root", "model", 2),
        "b/root": ("b/root", "model", 0),
        "m/orphan": ("z/missing", "missing", 1),
        "m/below": ("z/missing", "missing", 2),
        # a cycle starts at its first model by name
        "y/one": ("y/one", "cycle", 0),
        "y/three": ("y/one", "cycle", 1),
        "y/two": ("y/one", "cycle", 2),
        "y/below": ("y/one", "cycle", 2),
        "unknown/tags": (None, None, None),
        "s/self": ("s/self", "model", 0),
    }


def test_missing_bases_of_other_case_are_one_family(run_sql, tmp_path):
    models = [
        model("a/x", "Z/Gone"), model("a/y", "z/gone"), model("a/z", "z/gone"), model("a/w", "a/x"),
        model("b/x", "Z/GONE", "b/y"), model("b/y"),
    ]  # fmt: skip
    rows = run_sql("SELECT model, parent, root, depth FROM derivatives() ORDER BY model", models)
    assert rows == [
        ("a/w", "a/x", "z/gone", 2), ("a/x", "z/gone", "z/gone", 1), ("a/y", "z/gone", "z/gone", 1),
        ("a/z", "z/gone", "z/gone", 1), ("b/x", "b/y", "b/y", 1),
    ]  # fmt: skip
    names = run_sql("SELECT name FROM resolved_parents() ORDER BY name", models)
    assert names == [("Z/GONE",), ("Z/Gone",), ("a/x",), ("b/y",), ("z/gone",), ("z/gone",)]
    tree = run_query(tmp_path, models, "lineage_tree", model="z/GONE")
    assert [(row["model"], row["children"]) for row in tree][:2] == [("z/gone", 4), ("a/x", 1)]
    families = run_query(tmp_path, models, "lineage_families")
    assert {row["family"]: (row["numerator"], row["children"]) for row in families} == {
        "z/gone": (4, 4), "b/y": (1, 1),
    }  # fmt: skip


def test_tree_shows_the_most_downloaded(tmp_path):
    """Totals are of all models, shown or not."""
    models = [model("a/0"), *(model(f"a/{n}", "a/0", downloads=n) for n in range(1, 9))]
    models += [model("b/x", "a/8"), model("b/y", "b/x")]
    rows = run_query(tmp_path, models, "lineage_tree", model="a/0", top=2, down=2)
    assert [row["model"] for row in rows] == ["a/0", "a/8", "a/7", "b/x"]
    totals = [(row["models"], row["siblings"], row["children"]) for row in rows]
    assert totals == [(1, 1, 8), (10, 8, 1), (10, 8, 0), (10, 1, 1)]


def test_tree_goes_through_merges_and_cycles(tmp_path):
    """A model is reached by the shortest way, of equal ones by the base named first."""
    models = [
        model("a/0"), model("a/1", "a/0"), model("a/2", "a/1"), model("a/3", "a/2"),
        model("m/merge", "z/gone", "a/2", "A/1", "a/1", "a/0"), model("m/leaf", "m/merge"),
        model("m/late", "a/3", "a/2"),
        model("y/1", "y/2"), model("y/2", "y/1"), model("y/3", "y/1"),
    ]  # fmt: skip
    columns = ("direction", "model", "steps", "via", "children", "in_cycle", "parents")

    def run(name):
        rows = run_query(tmp_path, models, "lineage_tree", model=name)
        return [tuple(map(row.get, columns)) for row in rows]

    assert run("a/1") == [
        ("up", "a/0", 1, "a/1", 2, False, None),
        ("itself", "a/1", 0, None, 2, False, ["a/0"]),
        ("down", "a/2", 1, "a/1", 3, False, ["a/1"]),
        ("down", "m/merge", 1, "a/1", 1, False, ["z/gone", "a/2", "a/1", "a/0"]),
        ("down", "a/3", 2, "a/2", 1, False, ["a/2"]),
        ("down", "m/late", 2, "a/2", 0, False, ["a/3", "a/2"]),
        ("down", "m/leaf", 2, "m/merge", 0, False, ["m/merge"]),
    ]
    assert run("y/2") == [
        ("up", "y/1", 1, "y/2", 2, True, ["y/2"]),
        ("itself", "y/2", 0, None, 1, False, ["y/1"]),
        ("down", "y/1", 1, "y/2", 2, True, ["y/2"]),
        ("down", "y/3", 2, "y/1", 0, False, ["y/1"]),
    ]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (None, None), ([], "(none)"), (["mit", "license:"], "(none)"), (["license:mit"], "mit"),
        (["license:mit", "x", "license:apache-2.0"], "apache-2.0 + mit"),
    ],
)  # fmt: skip
def test_licenses_are_one_text(run_sql, tags, expected):
    models = [{"id": "u/x", "tags": tags, "downloads": 1}]
    assert run_sql("SELECT licenses(tags) FROM census", models) == [(expected,)]


def test_family_may_be_deep(run_sql):
    models = [model("a/0"), *(model(f"a/{n}", f"a/{n - 1}") for n in range(1, 400))]
    rows = run_sql("SELECT max(depth), count(DISTINCT root) FROM families()", models)
    assert rows == [(399, 1)]


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("finetune:a/b", ("finetune", "a/b")),
        ("https://huggingface.co/a/b", ("(unnamed)", "https://huggingface.co/a/b")),
        ("mistral:latest", ("(unnamed)", "mistral:latest")),
        ("merge:gpt2", ("merge", "gpt2")),
    ],
)
def test_only_relations_of_the_hub_are_relations(run_sql, tag, expected):
    models = [{"id": "u/x", "tags": [f"base_model:{tag}"]}]
    assert run_sql("SELECT relation, name FROM declared_parents()", models) == [expected]


def test_empty_names_are_no_parents(run_sql):
    models = [model("u/x", "", " "), {"id": "u/y", "tags": ["base_model:"], "baseModels": None}]
    assert run_sql("FROM declared_parents()", models) == []
    assert run_sql("SELECT root FROM families() ORDER BY root", models) == [("u/x",), ("u/y",)]


def run_query(tmp_path, models, name, **parameters):
    ingest_models(tmp_path / "h.duckdb", models)
    with Store.open(tmp_path / "h.duckdb") as store:
        return SnapshotView.latest(store).run(name, parameters)


UNTAGGED = {"baseModels": {"models": [{"id": "a/base"}], "relation": None}, "downloads": 5}


def test_relation_is_not_inferred_from_unknown_tags(tmp_path):
    models = [model("a/base"), {"id": "u/x"} | UNTAGGED, model("u/lora", "a/base")]
    models[2]["tags"].append("lora")
    rows = run_query(tmp_path, models, "lineage_relations", relations="inferred")
    assert {row["relation"]: row["numerator"] for row in rows} == {
        "(unnamed)": 1, "adapter": 1, "(none)": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("base_tags", "child_tags"),
    [(None, ["base_model:a/base"]), ([], None)],
    ids=["base unknown", "derivative unknown"],
)
def test_pairs_with_an_unknown_license_have_no_change(tmp_path, base_tags, child_tags):
    """Where one side has no license tag and the other is unknown, none was added or dropped."""
    models = [
        {"id": "a/base", "tags": base_tags},
        UNTAGGED | {"id": "u/x", "tags": child_tags},
        model("c/base"),
        model("u/same", "c/base"),
    ]
    rows = run_query(tmp_path, models, "lineage_drift")
    totals = [row for row in rows if row["relation"] == "(all)"]
    assert {row["change"]: row["numerator"] for row in totals} == {
        "same": 1, "added": 0, "dropped": 0, "replaced": 0,
    }  # fmt: skip
    assert {(row["denominator"], row["coverage"]) for row in totals} == {(1, 0.5)}


def test_families_leave_unknown_downloads_out(tmp_path):
    models = [
        model("a/base"),
        model("u/x", "a/base", downloads=3),
        {"id": "u/y", "tags": ["base_model:b/base"]},
        {"id": "u/z", "downloads": 9},
    ]
    rows = run_query(tmp_path, models, "lineage_families", weight="downloads")
    assert [(row["family"], row["numerator"], row["coverage"]) for row in rows] == [
        ("a/base", 3, 0.5)
    ]
    rows = run_query(tmp_path, models, "lineage_families")
    assert [(row["family"], row["numerator"], row["coverage"]) for row in rows] == [
        ("a/base", 1, 0.75), ("b/base", 1, 0.75),
    ]  # fmt: skip


def test_relations_of_unknown_bases_have_no_coverage(tmp_path):
    (row,) = run_query(tmp_path, [{"id": "u/x", "downloads": 9}], "lineage_relations")
    assert (row["relation"], row["denominator"], row["coverage"]) == ("(unknown)", 0, 0)
