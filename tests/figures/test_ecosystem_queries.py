"""Queries about downloads, formats and growth, on models counted by hand."""

from datetime import UTC, datetime

import pytest
from counted_models import fractions, model
from dumps import ingest_models

from hfscan.figures import SnapshotView, list_queries, load
from hfscan.store import Store

RANKED = [
    model("ann/a", 40, likes=1, library_name="timm"),
    model("ann/b", 30, likes=0, library_name="timm"),
    model("bob/c", 30, likes=0, library_name="peft"),
    model("bob/d", 0, likes=0),
    model("old", 0, likes=0),
    model("eve/unknown", likes=9),
]
"""Five models of known downloads, 100 in all, with a tie and two zeros."""


def test_top_shares_count_ties_zeros_and_unknown(run_query):
    rows = run_query(RANKED, "top_shares", under=31, percent=40)
    assert fractions(rows) == {
        "top 1": (40, 100),
        # a percentage is of the five models, rounded up
        **{f"top {percent} %": (40, 100) for percent in ("0.01", "0.1", "1", "10")},
        "top 40 %": (70, 100),
        "none": (2, 5),
        "under": (4, 5),
        "gini": (None, None),
    }
    assert {row["coverage"] for row in rows.values()} == {round(5 / 6, 6)}
    assert rows["top 40 %"]["share"] == 0.7
    # mean absolute difference 2 * (2 * 10 + 2 * 40 + 4 * 30) / 25 over twice the mean of 20
    assert rows["gini"]["share"] == pytest.approx(440 / 25 / 40)
    assert run_query(RANKED, "top_shares", weight="likes")["top 1"]["numerator"] == 9


def test_top_shares_of_equal_or_no_downloads(run_query):
    equal = run_query([model(f"ann/{n}", 7) for n in range(20)], "top_shares", under=7)
    assert equal["gini"]["share"] == pytest.approx(0, abs=1e-9)
    assert fractions(equal)["top 10"] == (70, 140)
    assert (equal["none"]["numerator"], equal["under"]["numerator"]) == (0, 0)
    zero = run_query([model(f"ann/{n}", 0) for n in range(20)], "top_shares")
    assert (zero["top 1"]["share"], zero["gini"]["share"]) == (None, None)
    assert zero["none"]["share"] == 1
    assert run_query([model("ann/a")], "top_shares") == {}  # no downloads are known


def test_top_shares_rank_accounts_and_libraries(run_query):
    authors = run_query(RANKED, "top_shares", per="author")
    assert fractions(authors)["top 1"] == (70, 100)  # of ann, bob and the model without account
    assert fractions(authors)["none"] == (1, 3)
    libraries = run_query(RANKED, "top_shares", per="library")
    # models without a library are not a library
    assert (fractions(libraries)["top 1"], fractions(libraries)["none"]) == ((70, 100), (0, 2))
    assert libraries["top 1"]["coverage"] == 0.5


@pytest.mark.parametrize("weight", ["downloads", "likes"])
def test_units_with_nothing_come_after_the_top_ones(run_query, weight):
    models = [model(f"ann/{n}", max(n - 5, 0), likes=max(n - 5, 0)) for n in range(12)]
    names = list(run_query(models, "top_shares", weight=weight))
    assert names[-3:] == ["none", "under", "gini"]
    assert all(name.startswith("top ") for name in names[:-3])


def test_top_shares_take_exact_percentages(run_query):
    models = [model(f"ann/{n}", 1) for n in range(10_000)]
    assert run_query(models, "top_shares", percent=0.07)["top 0.07 %"]["numerator"] == 7


PICKLE_CLASSES = [
    (["pytorch_model.bin"], "pickle only", "pickle only"),
    (["sub/Model.PTH", "model.safetensors"], *["pickle and safetensors"] * 2),
    (["model.safetensors", "training_args.bin"], "safetensors only", "pickle and safetensors"),
    (["checkpoint-5/optimizer.pt", "zero_optim_states.pt"], "neither", "pickle only"),
    (["scaler.pt", "rng_state_0.pth", "random_states_1.pkl"], "neither", "pickle only"),
    (["mobile_optimized.pt"], "pickle only", "pickle only"),
    (["upscaler.pth"], "pickle only", "pickle only"),
    (["last.ckpt"], "pickle only", "neither"),
    (["model.pt", "model.gguf"], "pickle only", "neither"),
    (["vocab.bin", "onnx/model.bin"], "neither", "pickle only"),
    (["model.pt.json", "pickle.py", "config.json"], "neither", "neither"),
    ([], "neither", "neither"),
]
PICKLE_MODELS = [model(f"ann/{n}", files=files) for n, (files, *_) in enumerate(PICKLE_CLASSES)]


@pytest.mark.parametrize("number", range(len(PICKLE_CLASSES)), ids=lambda n: str(PICKLE_CLASSES[n]))
def test_pickle_classes_follow_file_names(run_query, number):
    _, *classes = PICKLE_CLASSES[number]
    for definition, expected in zip(("weights", "extensions"), classes, strict=True):
        rows = run_query(PICKLE_MODELS, "pickle", alone=f"ann/{number}", definition=definition)
        assert {name for name, row in rows.items() if row["numerator"]} == {expected}
        assert len(rows) == 4


def test_pickle_leaves_unknown_files_out(run_query):
    models = [
        model("ann/a", 60, files=["model.pt"]),
        model("ann/b", 20, files=["model.safetensors"]),
        model("ann/c", 20),
        model("ann/d", files=["model.pt"]),
    ]
    rows = run_query(models, "pickle")
    assert fractions(rows)["pickle only"] == (2, 3)
    assert rows["pickle only"]["coverage"] == 0.75
    rows = run_query(models, "pickle", weight="downloads")
    assert fractions(rows)["pickle only"] == (60, 80)
    assert rows["pickle only"]["coverage"] == 0.8
    rows = run_query(models, "pickle", min_downloads=21)
    assert fractions(rows)["pickle only"] == (1, 1)
    unknown = run_query([model("ann/a")], "pickle")
    assert {row["share"] for row in unknown.values()} == {None}
    assert unknown["neither"]["coverage"] == 0


def test_milestones_count_calendar_days(run_query):
    times = ("2022-03-02T23:29:04", "2022-03-04T00:00:00", "2022-03-05T23:00:00",
             "2022-03-06T01:00:00", "2023-03-06T00:00:00")  # fmt: skip
    models = [model(f"ann/{n}", createdAt=f"{time}.000Z") for n, time in enumerate(times)]
    models.append(model("ann/undated"))
    rows = run_query(models[::-1], "milestones", every=2)
    assert {number: (row["reached_at"], row["days"]) for number, row in rows.items()} == {
        2: (datetime(2022, 3, 4), 2),
        4: (datetime(2022, 3, 6, 1), 2),
    }
    assert run_query(models, "milestones") == {}


def test_lorenz_curve_holds_the_least_downloaded(run_query):
    rows = run_query(RANKED, "lorenz", points=5)
    assert {units: row["numerator"] for units, row in rows.items()} == {
        0: 0, 1: 0, 2: 0, 3: 30, 4: 60, 5: 100,
    }  # fmt: skip
    assert {row["total_units"] for row in rows.values()} == {5}
    assert rows[4]["share_of_units"] == 0.8
    assert {row["coverage"] for row in rows.values()} == {round(5 / 6, 6)}
    # of three libraries and accounts, a third is one
    assert set(run_query(RANKED, "lorenz", per="author", points=3)) == {0, 1, 2, 3}
    assert run_query([model("ann/a")], "lorenz") == {}  # no downloads are known
    assert set(run_query(RANKED, "lorenz", points=0)) == {4}  # of the upper end only


ORPHAN_CLASSES = [
    (["tf_model.h5"], {}, "TensorFlow classes"),
    (["x/tf_model-00001-of-00002.h5"], {}, "TensorFlow classes"),
    (["flax_model.msgpack"], {}, "Flax classes"),
    (["tf_model.h5", "flax_model.msgpack"], {}, "TensorFlow and Flax classes"),
    (["tf_model.h5", "pytorch_model.bin"], {}, "current"),
    (["tf_model.h5", "model.safetensors"], {}, "current"),
    (["tf_model.h5", "model.onnx"], {}, "current"),
    (["flax_model.msgpack", "model.gguf"], {}, "current"),
    (["params.msgpack"], {"library_name": "flax"}, "current"),
    (["model.ckpt.index", "model.ckpt.meta"], {}, "TensorFlow 1"),
    (["frozen_inference_graph.pb"], {}, "TensorFlow 1"),
    (["ckpt-1.index", "ckpt-1.data-00000-of-00001"], {}, "current"),
    (["saved_model.pb", "frozen_graph.pb"], {}, "current"),
    (["saved_model.pb"], {"library_name": "keras"}, "Keras SavedModel"),
    (["saved_model.pb", "model.keras"], {"library_name": "keras"}, "current"),
    (["saved_model.pb"], {}, "current"),
    (["model.h5"], {"tags": ["tf-keras"]}, "Keras 2"),
    (["model.h5"], {"tags": ["keras"]}, "current"),
    (["saved_model.pb"], {"tags": None}, "(unknown)"),
    (["model.h5"], {"tags": None}, "(unknown)"),
    (["tf_model.h5"], {"tags": None}, "TensorFlow classes"),
    (["frozen_graph.pb"], {"tags": None}, "TensorFlow 1"),
    (["weights.bin"], {}, "(unknown)"),
    (["config.json"], {}, "no weights"),
    (None, {"tags": ["tf"], "library_name": "transformers"}, "TensorFlow classes"),
    (None, {"tags": ["tf", "transformers"]}, "TensorFlow classes"),
    (None, {"tags": ["tf", "jax"], "library_name": "transformers"},
     "TensorFlow and Flax classes"),
    (None, {"tags": ["tf", "pytorch"], "library_name": "transformers"}, "current"),
    (None, {"tags": ["tf"], "library_name": "keras"}, "(unknown)"),
    (None, {"tags": ["jax"], "library_name": "scenic"}, "current"),
    (None, {"tags": ["jax"]}, "(unknown)"),
    (None, {"tags": []}, "(unknown)"),
]  # fmt: skip
ORPHAN_MODELS = [
    model(f"ann/{n}", 3, files=files) | fields
    for n, (files, fields, _) in enumerate(ORPHAN_CLASSES)
]


@pytest.mark.parametrize("number", range(len(ORPHAN_CLASSES)), ids=lambda n: str(ORPHAN_CLASSES[n]))
def test_orphan_class_follows_files_and_tags(run_query, number):
    rows = run_query(ORPHAN_MODELS, "orphans", alone=f"ann/{number}")
    *_, expected = ORPHAN_CLASSES[number]
    assert {name: row["numerator"] for name, row in rows.items()} == {expected: 1}
    assert {row["coverage"] for row in rows.values()} == {float(expected != "(unknown)")}


def test_orphans_name_models_of_which_only_the_framework_is_known(run_query):
    known = {"tags": ["tf"], "library_name": "transformers"}
    only_framework = {"tags": ["tf"], "library_name": "keras"}
    fields = [known, only_framework, only_framework, {"tags": []}]
    models = [model(f"ann/{n}", 3, files=None) | more for n, more in enumerate(fields)]
    for row in run_query(models, "orphans").values():
        assert (row["denominator"], row["undecided"]) == (1, 2)


def test_orphans_by_account_are_those_of_dropped_classes(run_query):
    models = [
        model("ann/a", 50, files=["tf_model.h5"]),
        model("ann/b", 5, files=["tf_model.h5"]),
        model("bob/c", 30, files=["flax_model.msgpack"]),
        model("eve/d", 900, files=["pytorch_model.bin"]),
        model("eve/e", files=["tf_model.h5"]),  # its downloads are unknown
    ]
    rows = run_query(models, "orphans", by="author", weight="downloads")
    assert [(row["class"], row["group"], row["numerator"], row["denominator"], row["models"])
            for row in rows.values()] == [
        ("TensorFlow classes", "ann", 55, 985, 2), ("Flax classes", "bob", 30, 985, 1),
    ]  # fmt: skip
    (row,) = run_query(models, "orphans", by="model", weight="downloads", top=1).values()
    assert (row["group"], row["needs"]) == ("ann/a", "transformers 4")


OLDER = {"createdAt": "2022-03-02T23:29:04.000Z"}


@pytest.mark.parametrize(("query", "parameters"), [
    ("formats", {"only": "pytorch"}), ("lineage_growth", {"by": "relation"}),
])  # fmt: skip
@pytest.mark.parametrize("per", ["month", "year"])
def test_models_at_the_cutoff_are_of_no_period(run_query, query, parameters, per):
    """The Hub dates 3 older models to March 2022; one model is really of that month."""
    tags = {"tags": ["pytorch", "base_model:finetune:ann/a"]}
    march = {"createdAt": "2022-03-20T00:00:00.000Z"}
    models = [
        *(model(f"ann/{name}", **OLDER) | tags for name in "bc"),
        model("ann/a", **OLDER) | {"tags": []},
        model("ann/d", **march) | tags,
    ]
    period = {"month": "2022-03", "year": "2022"}[per]
    rows = run_query(models, query, per=per, cutoff="included", **parameters)
    assert {name: row["numerator"] for name, row in rows.items()} == {"(older)": 2, period: 1}
    excluded = run_query(models, query, per=per, cutoff="excluded", **parameters)
    assert {name: row["numerator"] for name, row in excluded.items()} == {period: 1}
    only = run_query(models, query, per=per, cutoff="only", **parameters)
    assert {name: row["numerator"] for name, row in only.items()} == {"(older)": 2}


MOST = 2**63 - 1  # downloads of one model: the largest number that a snapshot holds
COUNTING = [name for name in list_queries() if "downloads" in load(name).sql]


@pytest.fixture(scope="module")
def most_downloaded(tmp_path_factory):
    """Two snapshots of three models, which have more downloads together than 64 bits hold."""
    db = tmp_path_factory.mktemp("most") / "h.duckdb"
    models = [
        model(
            f"ann/{n}", MOST, files=["tf_model.h5"], library_name="transformers", likes=MOST,
            pipeline_tag="x", createdAt=f"2023-05-0{n}T00:00:00.000Z", downloadsAllTime=MOST,
        )
        | {"tags": ["transformers", "tf", "en", "license:mit", "base_model:ann/1"]}
        for n in (1, 2, 3)
    ]  # fmt: skip
    for day in (1, 2):
        ingest_models(db, models, day=datetime(2024, 7, day, tzinfo=UTC), complete=True)
    with Store.open(db) as store:
        yield SnapshotView.latest(store)


@pytest.mark.parametrize("name", COUNTING)
def test_sums_of_downloads_have_no_bound(most_downloaded, name):
    """With every parameter that counts them."""
    query = load(name)
    allowed = {parameter.name: parameter.values for parameter in query.parameters}
    for weight in allowed.get("weight", ("",)):
        for per in allowed.get("per", ("",)):
            given = {
                "weight": weight,
                "per": per,
                "earlier": 1,
                "later": 2,
                "model": "ann/1",
                "author": "ann",
            }
            rows = most_downloaded.run(
                name, {key: given[key] for key in given.keys() & allowed if given[key]}
            )
            if weight not in ("", "models", "authors"):
                totals = {row["denominator"] for row in rows if "denominator" in row}
                assert not totals or max(filter(None, totals)) in (2 * MOST, 3 * MOST)
