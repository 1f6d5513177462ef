"""JSON dumps of every known shape are imported; other content is refused by file name."""

import codecs
import gzip
import json
from datetime import datetime

import pytest
from dumps import A, B, C, encode, ingest, ingest_data, read_rows

from hfscan.errors import ImportFileError
from hfscan.store import list_snapshots

WITHOUT_ID = [{key: value for key, value in row.items() if key != "id"} for row in (A, B, C)]


def make_view_row(row: dict, number: int) -> dict:
    return {"row_idx": number, "row": row, "truncated_cells": []}


CELLS = ["tags", "downloads", "createdAt"]


def get_cells(row: dict) -> list:
    return [row.get(name) for name in CELLS]


def make_split(columns: list, data: list) -> dict:
    return {"columns": columns, "index": list(range(len(data))), "data": data}


SHAPES = {
    "lines.jsonl": b"\n".join(map(encode, (A, B, C))),
    "viewer.json": encode(
        {
            "features": [{"feature_idx": 0, "name": "id"}],
            "rows": [make_view_row(row, n) for n, row in enumerate((A, B, C))],
            "num_rows_total": 3,
        }
    ),
    "viewer.jsonl": b"\n".join(encode(make_view_row(row, 0)) for row in (A, B, C)),
    "models.json": encode({"models": [A, B, C], "total": 3}),
    "items.json": encode({"items": [A, B, C], "features": [{"name": "x"}]}, indent=2),
    "data.json": encode({"status": "ok", "data": {"results": [A, B, C]}}),
    "any_key.json": encode({"page": 1, "whatever": [A, B, C]}),
    "keyed.json": encode(dict(zip((A["id"], B["id"], C["id"]), WITHOUT_ID, strict=True))),
    "array_per_line.jsonl": encode([A, B]) + b"\n" + encode([C]) + b"\n",
    "wrapper_per_line.jsonl": encode({"models": [A, B]}) + b"\n" + encode({"models": [C]}),
    "object_then_array.jsonl": encode(A) + b"\n" + encode([B, C]),
    "nested.json": encode([[A], [[B], C]]),
    "concatenated.json": encode([A, B]) + encode([C]),
    "concatenated_pretty.json": encode([A, B], indent=1) + b"\n" + encode([C], indent=1),
    "bom.json": codecs.BOM_UTF8 + encode([A, B, C]),
    "bom.jsonl": codecs.BOM_UTF8 + b"\n".join(map(encode, (A, B, C))),
    "utf16.json": json.dumps([A, B, C]).encode("utf-16"),
    "pretty.jsonl": encode([A, B, C], indent=4),
    "pretty_objects.json": b"\n".join(encode(row, indent=4) for row in (A, B, C)),
    "pretty.txt": encode([A, B, C], indent=4),
    "no_extension": b"\n".join(map(encode, (A, B, C))),
    "gzip_named.json": gzip.compress(encode([A, B, C])),
    "plain_named.json.gz": encode([A, B, C]),
    "members.jsonl.gz": gzip.compress(encode(A) + b"\n") + gzip.compress(encode([B, C])),
    "columns.json": encode(
        {
            "id": {"0": "ann/a", "1": "bob/b", "2": "c"},
            "tags": {"0": A["tags"], "1": B["tags"], "2": []},
            "downloads": {"0": 7, "1": 0},
            "createdAt": {"0": A["createdAt"]},
        }
    ),
    "split.json": encode(
        make_split(["id", *CELLS], [[row["id"], *get_cells(row)] for row in (A, B, C)])
    ),
    "split_index.json.gz": gzip.compress(
        encode(
            make_split(CELLS, list(map(get_cells, (A, B, C))))
            | {"index": ["ann/a", "bob/b", "c"]}
        )
    ),
    "datasette.json": encode(
        {"ok": True, "columns": ["id", *CELLS], "truncated": False,
         "rows": [[row["id"], *get_cells(row)] for row in (A, B, C)]}
    ),
    "clickhouse.json": encode(
        {"meta": [{"name": name, "type": "String"} for name in ("id", *CELLS)], "rows": 3,
         "data": [[row["id"], *get_cells(row)] for row in (A, B, C)]}
    ),
    "columns_by_id.json": encode(
        {name: {row["id"]: row.get(name) for row in (A, B, C)} for name in CELLS}
    ),
    "elasticsearch.json": encode(
        {"took": 3, "timed_out": False, "hits": {"total": {"value": 3, "relation": "eq"},
         "hits": [{"_index": "m", "_id": "x", "_source": row} for row in (A, B, C)]}}
    ),
    "elasticdump.jsonl": b"\n".join(
        encode({"_index": "m", "_type": "_doc", "_id": key, "_source": source})
        for key, source in (("x", A), (B["id"], WITHOUT_ID[1]), ("y", C))
    ),
    "graphql.json": encode(
        {"data": {"models": {"edges": [{"cursor": "x", "node": row} for row in (A, B, C)]}}}
    ),
    "model_id.json": encode(
        [{"model_id": A["id"]} | WITHOUT_ID[0], {"modelId": B["id"]} | WITHOUT_ID[1], C]
    ),
    "model.json": encode(
        [{"model": row["id"]} | fields for row, fields in zip((A, B, C), WITHOUT_ID, strict=True)]
    ),
    "name.json": encode(
        [{"name": row["id"]} | fields for row, fields in zip((A, B, C), WITHOUT_ID, strict=True)]
    ),
    "snake.jsonl": encode({key: value for key, value in A.items() if key != "createdAt"}
        | {"created_at": A["createdAt"]}) + b"\n" + encode(B) + b"\n" + encode(C),
    "late_snake.jsonl": encode(B) + b"\n" + encode(C) + b"\n" + encode(
        {"ID": A["id"], "Tags": A["tags"], "downloads": 7, "CREATED_AT": A["createdAt"]}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SHAPES)
def test_shape_is_read(store, tmp_path, name):
    result = ingest_data(store, tmp_path, name, SHAPES[name])
    assert read_rows(store) == [
        ("ann/a", ["pytorch"], 7, datetime(2023, 1, 2, 3, 4, 5)),
        ("bob/b", ["tf", "keras"], 0, None),
        ("c", [], None, None),
    ]
    assert (result.models, result.missing_id, result.unknown_keys) == (3, 0, {})


REFUSED = {
    "error.json": (encode({"error": "Rate limited"}), r"error message.*Rate limited"),
    "error_object.json": (encode({"error": {"message": "x"}, "data": []}), "error message"),
    "html.json": (b"<!DOCTYPE html><p>504", "HTML"),
    "html.json.gz": (gzip.compress(b"\n <html>"), "HTML"),
    "empty.json": (b"", "is empty"),
    "spaces.jsonl": (b" \n\n", "is empty"),
    "empty_object.json": (b"{}", "an empty object"),
    "other.json": (encode({"a": 1, "b": [2]}), "holds no models"),
    "others.json": (encode([{"sha": "x"}, {"sha": "y"}]), "an object with sha"),
    "ids.json": (encode(["a/b", "c/d"]), "but text"),
    "number.json": (b"5", "begins with '5'"),
    "values.json": (encode([["a/b", ["tf"]]]), "holds no models"),
    "split_no_id.json": (encode(make_split(["likes"], [[5]])), "holds no models"),
    "split_doubled.json": (encode(make_split(["id", "id"], [["a/b", "c/d"]])), "holds no models"),
    "hits_no_id.json": (
        encode({"hits": {"hits": [{"_index": "m", "_id": "x", "_source": {"likes": 5}}]}}),
        "an object with likes",
    ),
    "id_object.json": (encode([{"id": {"$oid": "5"}, "tags": 1}]), "an object with id"),
    "named.json": (encode([{"name": "HTTPError", "message": "x"}]), "an object with name"),
    "deep.json": (b"[" * 100_000, "not valid JSON"),
    "cut.json": (encode([A, B])[:-1] + b",", "line 1 is not valid JSON"),
    "cut.json.gz": (gzip.compress(encode([A, B])[:-1] + b",\n"), "line 1 is not valid JSON"),
    "cut_pretty.json": (encode([A, B], indent=1)[:-2], "line .* is not valid JSON"),
    "page_in_lines.jsonl": (encode(A) + b"\n<html>\n" + encode(B), "line 2 is not valid JSON"),
    "cut_gzip.json.gz": (gzip.compress(encode([A] * 999))[:-20], "damaged gzip"),
    "cut_gzip.jsonl.gz": (gzip.compress(encode(A) * 999)[:-20], "damaged gzip"),
    "parquet.json": (b"PAR1" + b"x" * 20 + b"PAR1", "parquet.json"),
    "cut.parquet": (b"PAR1" + b"x" * 20, "ends too early"),
    "text.parquet": (b"no parquet at all", "begins with 'no parquet"),
    "lfs.parquet": (b"version https://git-lfs.github.com/spec/v1\noid x", "Git LFS pointer"),
    "zip.json": (b"PK\x03\x04....", "zip archive"),
    "models.arrow": (b"ARROW1\0\0\xff", "is an Arrow file"),
    "stream.arrow": (b"\xff\xff\xff\xff\x78\x01", "is an Arrow stream"),
    "models.avro": (b"Obj\x01\x04\x16avro.schema", "is an Avro file"),
    "models.pkl": (b"\x80\x02}q\0", "is a Python pickle"),
    "columns.csv": (b"foo,bar\n1,2\n", "no column of repo ids.*foo, bar"),
    "doubled.csv": (b"id,tags,tags\na,b,c\n", "two columns 'tags'"),
    "cut.csv": (b"id,tags,likes\na/b,x,5\nc/d,y", "ends within a row"),
    "quote.csv": (b'id,tags\na/b,"x, ', "line 2 is not valid CSV"),
    "latin.csv": (b"id,tags\na/b,\xe9\n", "not UTF-8"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_content_is_refused(store, tmp_path, name):
    data, message = REFUSED[name]
    with pytest.raises(ImportFileError, match=message) as excinfo:
        ingest_data(store, tmp_path, name, data)
    assert name in str(excinfo.value)
    assert list_snapshots(store) == []


@pytest.mark.parametrize("page", ["<html>", '{"error": "Too many requests"}'])
def test_error_page_in_folder_is_named(store, tmp_path, page):
    folder = tmp_path / "pages"
    folder.mkdir()
    for number, text in enumerate((encode([A]).decode(), page, encode([B]).decode())):
        (folder / f"page-{number}.json").write_text(text)
    with pytest.raises(ImportFileError, match=r"page-1\.json"):
        ingest(store, folder)
    assert list_snapshots(store) == []


def test_bad_rows_are_left_out_and_counted(store, tmp_path):
    data = encode([A, None, 5, "x", {"error": "gone"}, B, C])
    result = ingest_data(store, tmp_path, "rows.json", data)
    assert (result.models, result.missing_id) == (3, 4)
    assert [row[0] for row in read_rows(store)] == ["ann/a", "bob/b", "c"]


def test_table_row_of_other_length_is_left_out(store, tmp_path):
    data = encode(make_split(["id", "likes"], [["ann/a", 1], ["bob/b"], ["c", 3], ["d", 4, 5]]))
    result = ingest_data(store, tmp_path, "split.json", data)
    assert read_rows(store, "id, likes") == [("ann/a", 1), ("c", 3)]
    assert result.damaged == 2


@pytest.mark.parametrize(
    "value",
    [
        {"columns": ["_id", "likes"], "index": ["ann/a"], "data": [["6" * 24, 5]]},
        {"_id": {"ann/a": "6" * 24}, "likes": {"ann/a": 5}},
    ],
)
def test_index_of_repo_ids_is_used_beside_object_ids(store, tmp_path, value):
    ingest_data(store, tmp_path, "pandas.json", encode(value))
    assert read_rows(store, "_id, id, likes") == [("6" * 24, "ann/a", 5)]


@pytest.mark.parametrize(
    ("facts", "partial"),
    [
        ({"hits": {"total": {"value": 3, "relation": "eq"}}}, False),
        ({"hits": {"total": {"value": 4, "relation": "gte"}}}, True),
        ({"hits": {"total": 4}}, True),  # before Elasticsearch 7
        ({"truncated": True, "hits": {}}, True),  # as Datasette says it
        ({"timed_out": True, "hits": {"total": 3}}, True),
    ],
)
def test_hits_tell_whether_there_are_more(store, tmp_path, facts, partial):
    hits = {"hits": [{"_id": "x", "_source": row} for row in (A, B, C)]}
    data = encode(facts | {"hits": facts["hits"] | hits})
    assert ingest_data(store, tmp_path, "hits.json", data).partial is partial


@pytest.mark.parametrize(
    "data",
    [
        encode([A, B, C])[:-1] + b', {"id": "d", "sha": "\\ud83d"}]',
        encode([A, B, C])[:-1] + b', {"id": "d", "sha": "\xff"}]',
        b"\n".join([*map(encode, (A, B, C)), b'{"id": "d", "sha": "\xff"}']),
    ],
)
def test_damaged_text_costs_one_row(store, tmp_path, data):
    result = ingest_data(store, tmp_path, "rows.json", data)
    assert (result.models, result.damaged) == (3, 1)


@pytest.mark.parametrize("damaged", [b"\\ud800", b"\xff"])
def test_damaged_text_in_wrapper_costs_one_row(store, tmp_path, damaged):
    row = b'{"id": "d", "sha": "' + damaged + b'"}'
    data = b'{"models": [' + b", ".join((encode(A), row, encode(B))) + b"]}"
    result = ingest_data(store, tmp_path, "rows.json", data)
    assert (result.models, result.missing_id + result.damaged) == (2, 1)


def test_nan_is_unknown(store, tmp_path):
    data = b'{"id": "a", "downloads": NaN}\n{"model_id": "b", "likes": -Infinity}\n'
    assert ingest_data(store, tmp_path, "nan.jsonl", data).models == 2
    assert read_rows(store, "id, downloads, likes") == [("a", None, None), ("b", None, None)]


def test_contradicting_names_are_reported(store, tmp_path):
    consistent = {"id": "a", "lastModified": "2023-01-02T03:04:05.000Z"}
    consistent["last_modified"] = consistent["lastModified"]
    contradicting = {**consistent, "id": "b", "last_modified": "2020-01-01T00:00:00.000Z"}
    completed = {"id": "c", "lastModified": None, "last_modified": consistent["lastModified"]}
    result = ingest_data(
        store, tmp_path, "both.json", encode([consistent, contradicting, completed])
    )
    assert {row[1] for row in read_rows(store, "id, last_modified")} == {
        datetime(2023, 1, 2, 3, 4, 5)
    }
    assert result.unknown_keys == {"last_modified": 1}
