"""Queries about what models are: licenses, sizes, bases, languages; counted by hand."""

import pytest
from counted_models import fractions, model, tagged

COMPOSED = [
    tagged("ann/a", "license:mit", downloads=50, safetensors={"total": 7}, files=["README.md"]),
    tagged("ann/b", "license:mit", downloads=20, safetensors={"total": 10**9},
           files=["x/README.md"]),
    tagged("bob/c", "license:mit", "license:apache-2.0", downloads=10),
    tagged("bob/d", downloads=10, files=[]),
    {"id": "eve/e", "downloads": 10},  # its tags are unknown
]  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "expected", "unknown"),
    [
        ({}, {"mit": 2, "(several)": 1, "(none)": 1}, 1),
        ({"weight": "downloads"}, {"mit": 70, "(several)": 10, "(none)": 10}, 10),
        ({"min_downloads": 20}, {"mit": 2}, 0),
        ({"by": "size"}, {"<0.1B": 1, "1B-10B": 1}, 3),
        ({"by": "model_card"}, {"model card": 1, "(none)": 2}, 2),
        (
            {
                "by": "account_group",
                "weight": "downloads",
                "account_groups": '{"ann": "AT", "bob": "BE"}',
            },
            {"AT": 70, "BE": 20},
            10,
        ),
        ({"by": "author", "top": 1}, {"ann": 2, "(other)": 3}, 0),
        ({"top": 1}, {"mit": 2, "(other)": 2}, 1),
    ],
    ids=str,
)
def test_composition_leaves_unknown_out_of_shares(run_query, parameters, expected, unknown):
    rows = run_query(COMPOSED, "composition", **parameters)
    assert (rows.pop("(unknown)")["numerator"] if unknown else 0) == unknown
    known = sum(expected.values())
    assert fractions(rows) == {group: (n, known) for group, n in expected.items()}
    for group, row in rows.items():
        assert row["share"] == pytest.approx(expected[group] / known)
        assert row["coverage"] == round(known / (known + unknown), 6)
    if "top" in parameters:
        assert [*rows][-1] == "(other)"


def test_composition_leaves_unknown_weights_out(run_query):
    models = [model("ann/a", 3), model("bob/b"), model("bob/c", 0)]
    by_author = run_query(models, "composition", by="author", weight="downloads")
    assert fractions(by_author) == {"ann": (3, 3), "bob": (0, 3)}
    assert (by_author["bob"]["models"], by_author["bob"]["share"]) == (1, 0)
    popular = run_query(models, "composition", by="author", min_downloads=1)
    assert fractions(popular) == {"ann": (1, 1)}


BASES = [
    tagged("u/none"),
    {"id": "u/unknown", "tags": None},
    tagged("u/unnamed", "base_model:Qwen/x"),
    tagged("u/finetune", "base_model:Qwen/x", "base_model:finetune:Qwen/x"),
    tagged("u/adapter", "base_model:adapter:Qwen/x"),  # some have no other tag
    tagged("u/merge", "base_model:Qwen/x", "base_model:google/y", "base_model:merge:Qwen/x"),
    tagged("u/short", "base_model:gpt2"),
    tagged("u/local", "base_model:adapter:C:\\Models\\x", "base_model:./x/y"),
    tagged("u/api", baseModels={"relation": "quantized", "models": [{"id": "google/y"}]}),
]


def test_composition_names_base_models(run_query):
    relations = run_query(BASES, "composition", by="relation")
    assert {group: row["numerator"] for group, row in relations.items()} == {
        "(none)": 1, "(unknown)": 1, "(unnamed)": 2, "finetune": 1, "adapter": 2, "merge": 1,
        "quantized": 1,
    }  # fmt: skip
    accounts = run_query(BASES, "composition", by="base_author")
    # neither a name without account nor a path tells whose base it is
    assert fractions(accounts) == {
        "Qwen": (3, 6), "google": (1, 6), "(several)": (1, 6), "(none)": (1, 6),
        "(unknown)": (3, 6),
    }  # fmt: skip
    assert accounts["Qwen"]["coverage"] == round(6 / 9, 6)


NAMED = [
    tagged("ann/a", "en", "de", "arxiv:1910.09700", downloads=50),
    tagged("ann/b", "en", "en", "arxiv:1706.03762", downloads=20),
    tagged("bob/c", "pytorch", "xx", downloads=10),
    {"id": "eve/e", "downloads": 10},  # its tags are unknown
]


def test_tag_values_count_a_model_for_each_value(run_query):
    rows = run_query(NAMED, "tag_values")
    assert fractions(rows) == {"(any)": (2, 3), "(none)": (1, 3), "en": (2, 3), "de": (1, 3)}
    assert {(row["coverage"], row["values_named"]) for row in rows.values()} == {(0.75, 2)}
    rows = run_query(NAMED, "tag_values", weight="downloads", top=1)
    assert fractions(rows) == {"(any)": (70, 80), "(none)": (10, 80), "en": (70, 80)}
    papers = run_query(NAMED, "tag_values", of="paper", min_downloads=21)
    assert fractions(papers) == {"(any)": (1, 1), "1910.09700": (1, 1)}


def test_composition_per_year_has_a_total_for_each(run_query):
    dates = {"ann/a": "2023-05-01", "ann/b": "2024-05-01", "bob/c": "2024-06-01"}
    models = [
        row | {"createdAt": f"{dates[row['id']]}T00:00:00.000Z"} if row["id"] in dates else row
        for row in COMPOSED
    ]
    rows = run_query(models, "composition", per="year")
    by_group = {(row["period"], group): row for group, row in rows.items()}
    # the last row of a group is of the last period, and models without a date are a period
    assert (by_group["2024", "mit"]["numerator"], by_group["2024", "mit"]["denominator"]) == (1, 2)
    assert by_group["(unknown)", "(none)"]["coverage"] == 0.5


def test_composition_of_what_a_snapshot_does_not_record_is_unknown(run_query):
    models = [model("ann/a", 3), model("bob/b", 4)]
    for by in ("gated", "task", "library", "architecture", "size"):
        rows = run_query(models, "composition", by=by)
        assert fractions(rows) == {"(unknown)": (2, 0)}, by
        assert (rows["(unknown)"]["share"], rows["(unknown)"]["coverage"]) == (None, 0)
    models[0] |= {"pipeline_tag": "fill-mask", "gated": False}
    assert fractions(run_query(models, "composition", by="task")) == {
        "fill-mask": (1, 2), "(none)": (1, 2),
    }  # fmt: skip
