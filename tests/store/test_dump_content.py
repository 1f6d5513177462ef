"""Content of dumps: split names, other repos, repeated keys, truncated cells, partial lists."""

import duckdb
import pytest
from dumps import encode, ingest

from hfscan.errors import ImportFileError
from hfscan.store import list_snapshots


@pytest.mark.parametrize("kind", ["json", "csv", "parquet"])
def test_name_is_joined_with_author(store, tmp_path, kind):
    dump = tmp_path / f"d.{kind}"
    lines = "author,name,tags\na,bert,pytorch\nc,bert,tf\nNone,gpt2,tf\nd,e/f,tf\n"
    (tmp_path / "d.csv").write_text(lines)
    if kind != "csv":
        with duckdb.connect() as connection:
            relation = f"read_csv('{tmp_path / 'd.csv'}', all_varchar=true)"
            connection.execute(f"COPY (FROM {relation}) TO '{dump}'")
    result = ingest(store, dump)
    rows = store.execute("SELECT id, tag_mask FROM models_in(1) ORDER BY id")
    assert rows.fetchall() == [("a/bert", 1), ("c/bert", 2), ("e/f", 2), ("gpt2", 2)]
    assert (result.duplicates, result.missing_id) == (0, 0)


DATASET = {"paperswithcode_id": "glue", "tags": ["language:en"]}
SPACE = {"sdk": "gradio", "tags": ["gradio"]}


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        (DATASET, "datasets"),
        ({"tags": ["size_categories:1K<n<10K"]}, "datasets"),
        ({"tags": ["format:parquet", "library:datasets"]}, "datasets"),
        (SPACE, "spaces"),
        ({"tags": ["gradio", "region:us"]}, "spaces"),
        ({"cardData": {"title": "x", "sdk": "docker"}}, "spaces"),
        ({"cardData": '{"title": "x", "sdk": "docker"}'}, "spaces"),
        ({"card_data": {"sdk": "docker"}, "tags": "region:us"}, "spaces"),
    ],
    ids=str,
)
@pytest.mark.parametrize("suffix", ["json", "parquet"])
def test_lists_of_other_repos_are_refused(store, tmp_path, fields, kind, suffix):
    rows = [{"id": f"a/{number}", **fields} for number in range(3)]
    dump = tmp_path / f"d.{suffix}"
    (tmp_path / "d.json").write_bytes(encode([*rows, {"id": "a/b", "tags": []}]))
    if suffix == "parquet":
        with duckdb.connect() as connection:
            connection.execute(f"COPY (FROM read_json('{tmp_path / 'd.json'}')) TO '{dump}'")
    with pytest.raises(ImportFileError, match=f"list of {kind}, not of models: 3 of 4 rows"):
        ingest(store, dump)
    assert list_snapshots(store) == []


def test_models_with_fields_of_spaces_are_models(store, tmp_path):
    (tmp_path / "d.json").write_bytes(
        encode(
            [
                {"id": "a/b", "sdk": None, "x": 1, "cardData": {"license": "mit"}},
                {"id": "a/c", **SPACE, "library_name": "x"},
                {"id": "a/d", "cardData": {"sdk": "gradio"}, "pipeline_tag": "fill-mask"},
            ]
        )
    )
    assert ingest(store, tmp_path / "d.json").models == 3


def test_columns_of_unequal_length_are_refused(store, tmp_path):
    (tmp_path / "d.json").write_bytes(encode({"id": ["a/b", "a/c"], "tags": [["pytorch"]]}))
    with pytest.raises(ImportFileError, match="columns of unequal length"):
        ingest(store, tmp_path / "d.json")


def test_contradicting_key_is_counted(store, tmp_path):
    rows = {"a/b": {"id": "c/d", "tags": []}, "a/c": {"tags": []}, "a/e": {"id": "a/e", "tags": []}}
    (tmp_path / "d.json").write_bytes(encode(rows))
    result = ingest(store, tmp_path / "d.json")
    ids = store.execute("SELECT id FROM models_in(1) ORDER BY id")
    assert ids.fetchall() == [("a/c",), ("a/e",), ("c/d",)]
    assert result.unknown_keys == {"the object's key": 1}


def test_truncated_cells_are_unreadable(store, tmp_path):
    row = {"id": "a/b", "tags": '["pyt', "library_name": "ker", "downloads": 7}
    page = {"rows": [{"row": row, "truncated_cells": ["tags", "library_name"]}]}
    (tmp_path / "d.json").write_bytes(encode(page))
    result = ingest(store, tmp_path / "d.json")
    rows = store.execute(
        "SELECT tags, tag_mask, library_name, downloads, unreadable FROM models_in(1)"
    )
    assert rows.fetchall() == [(None, None, None, 7, ["tags", "library_name"])]
    assert (result.partial, list_snapshots(store)[0].complete) == (False, None)


@pytest.mark.parametrize("extent", [{"partial": True}, {"num_rows_total": 4}])
def test_part_of_the_rows_is_never_complete(store, tmp_path, extent):
    pages = []
    for number in range(3):
        pages.append(tmp_path / f"{number}.json")
        rows = [{"row": {"id": f"a/{number}", "tags": []}}]
        pages[-1].write_bytes(encode({"rows": rows, **extent}))
    result = ingest(store, *pages, complete=True)
    assert (result.models, result.partial, list_snapshots(store)[0].complete) == (3, True, False)
