"""Files of every shape that people have come in right, or are refused with their name."""

import codecs
import gzip
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from hfscan.errors import ImportFileError
from hfscan.scope import Scope
from hfscan.store import Ingested, NewSnapshot, Store, ingest_files, list_snapshots

A: dict[str, Any] = {
    "id": "ann/a",
    "tags": ["pytorch"],
    "downloads": 7,
    "createdAt": "2023-01-02T03:04:05.000Z",
}
B: dict[str, Any] = {"id": "bob/b", "tags": ["tf", "keras"], "downloads": 0}
C: dict[str, Any] = {"id": "c", "tags": []}
WITHOUT_ID = [{key: value for key, value in row.items() if key != "id"} for row in (A, B, C)]


def dumped(value: object, **options: Any) -> bytes:
    return json.dumps(value, **options).encode()


def viewed(row: dict, number: int) -> dict:
    return {"row_idx": number, "row": row, "truncated_cells": []}


CELLS = ["tags", "downloads", "createdAt"]


def cells(row: dict) -> list:
    return [row.get(name) for name in CELLS]


def split(columns: list, data: list) -> dict:
    return {"columns": columns, "index": list(range(len(data))), "data": data}


SHAPES = {
    "lines.jsonl": b"\n".join(map(dumped, (A, B, C))),
    "viewer.json": dumped(
        {
            "features": [{"feature_idx": 0, "name": "id"}],
            "rows": [viewed(row, n) for n, row in enumerate((A, B, C))],
            "num_rows_total": 3,
        }
    ),
    "viewer.jsonl": b"\n".join(dumped(viewed(row, 0)) for row in (A, B, C)),
    "models.json": dumped({"models": [A, B, C], "total": 3}),
    "items.json": dumped({"items": [A, B, C], "features": [{"name": "x"}]}, indent=2),
    "data.json": dumped({"status": "ok", "data": {"results": [A, B, C]}}),
    "any_key.json": dumped({"page": 1, "whatever": [A, B, C]}),
    "keyed.json": dumped(dict(zip((A["id"], B["id"], C["id"]), WITHOUT_ID, strict=True))),
    "array_per_line.jsonl": dumped([A, B]) + b"\n" + dumped([C]) + b"\n",
    "wrapper_per_line.jsonl": dumped({"models": [A, B]}) + b"\n" + dumped({"models": [C]}),
    "object_then_array.jsonl": dumped(A) + b"\n" + dumped([B, C]),
    "nested.json": dumped([[A], [[B], C]]),
    "concatenated.json": dumped([A, B]) + dumped([C]),
    "concatenated_pretty.json": dumped([A, B], indent=1) + b"\n" + dumped([C], indent=1),
    "bom.json": codecs.BOM_UTF8 + dumped([A, B, C]),
    "bom.jsonl": codecs.BOM_UTF8 + b"\n".join(map(dumped, (A, B, C))),
    "utf16.json": json.dumps([A, B, C]).encode("utf-16"),
    "pretty.jsonl": dumped([A, B, C], indent=4),
    "pretty_objects.json": b"\n".join(dumped(row, indent=4) for row in (A, B, C)),
    "pretty.txt": dumped([A, B, C], indent=4),
    "no_extension": b"\n".join(map(dumped, (A, B, C))),
    "gzip_named.json": gzip.compress(dumped([A, B, C])),
    "plain_named.json.gz": dumped([A, B, C]),
    "members.jsonl.gz": gzip.compress(dumped(A) + b"\n") + gzip.compress(dumped([B, C])),
    "columns.json": dumped(
        {
            "id": {"0": "ann/a", "1": "bob/b", "2": "c"},
            "tags": {"0": A["tags"], "1": B["tags"], "2": []},
            "downloads": {"0": 7, "1": 0},
            "createdAt": {"0": A["createdAt"]},
        }
    ),
    "split.json": dumped(split(["id", *CELLS], [[row["id"], *cells(row)] for row in (A, B, C)])),
    "split_index.json.gz": gzip.compress(
        dumped(split(CELLS, list(map(cells, (A, B, C)))) | {"index": ["ann/a", "bob/b", "c"]})
    ),
    "datasette.json": dumped(
        {"ok": True, "columns": ["id", *CELLS], "truncated": False,
         "rows": [[row["id"], *cells(row)] for row in (A, B, C)]}
    ),
    "clickhouse.json": dumped(
        {"meta": [{"name": name, "type": "String"} for name in ("id", *CELLS)], "rows": 3,
         "data": [[row["id"], *cells(row)] for row in (A, B, C)]}
    ),
    "columns_by_id.json": dumped(
        {name: {row["id"]: row.get(name) for row in (A, B, C)} for name in CELLS}
    ),
    "elasticsearch.json": dumped(
        {"took": 3, "timed_out": False, "hits": {"total": {"value": 3, "relation": "eq"},
         "hits": [{"_index": "m", "_id": "x", "_source": row} for row in (A, B, C)]}}
    ),
    "elasticdump.jsonl": b"\n".join(
        dumped({"_index": "m", "_type": "_doc", "_id": key, "_source": source})
        for key, source in (("x", A), (B["id"], WITHOUT_ID[1]), ("y", C))
    ),
    "graphql.json": dumped(
        {"data": {"models": {"edges": [{"cursor": "x", "node": row} for row in (A, B, C)]}}}
    ),
    "model_id.json": dumped(
        [{"model_id": A["id"]} | WITHOUT_ID[0], {"modelId": B["id"]} | WITHOUT_ID[1], C]
    ),
    "model.json": dumped(
        [{"model": row["id"]} | rest for row, rest in zip((A, B, C), WITHOUT_ID, strict=True)]
    ),
    "name.json": dumped(
        [{"name": row["id"]} | rest for row, rest in zip((A, B, C), WITHOUT_ID, strict=True)]
    ),
    "snake.jsonl": dumped({k: v for k, v in A.items() if k != "createdAt"}
        | {"created_at": A["createdAt"]}) + b"\n" + dumped(B) + b"\n" + dumped(C),
    "late_snake.jsonl": dumped(B) + b"\n" + dumped(C) + b"\n" + dumped(
        {"ID": A["id"], "Tags": A["tags"], "downloads": 7, "CREATED_AT": A["createdAt"]}
    ),
}  # fmt: skip


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "h.duckdb", write=True) as opened:
        yield opened


def ingest(store: Store, *paths: Path) -> Ingested:
    day = datetime(2024, 7, 11, tzinfo=UTC)
    return ingest_files(store, paths, NewSnapshot("import", "dump", Scope(), day, day, None))


def ingest_data(store: Store, tmp_path: Path, name: str, data: bytes) -> Ingested:
    (tmp_path / name).write_bytes(data)
    return ingest(store, tmp_path / name)


def rows(store: Store, columns: str = "id, tags, downloads, created_at") -> list[tuple]:
    return store.execute(f"SELECT {columns} FROM models_in(1) ORDER BY id").fetchall()


@pytest.mark.parametrize("name", SHAPES)
def test_shape_is_read(store, tmp_path, name):
    result = ingest_data(store, tmp_path, name, SHAPES[name])
    assert rows(store) == [
        ("ann/a", ["pytorch"], 7, datetime(2023, 1, 2, 3, 4, 5)),
        ("bob/b", ["tf", "keras"], 0, None),
        ("c", [], None, None),
    ]
    assert (result.models, result.missing_id, result.unknown_keys) == (3, 0, {})


REFUSED = {
    "error.json": (dumped({"error": "Rate limited"}), r"error message.*Rate limited"),
    "error_object.json": (dumped({"error": {"message": "x"}, "data": []}), "error message"),
    "html.json": (b"<!DOCTYPE html><p>504", "HTML"),
    "html.json.gz": (gzip.compress(b"\n <html>"), "HTML"),
    "empty.json": (b"", "is empty"),
    "spaces.jsonl": (b" \n\n", "is empty"),
    "empty_object.json": (b"{}", "an empty object"),
    "other.json": (dumped({"a": 1, "b": [2]}), "holds no models"),
    "others.json": (dumped([{"sha": "x"}, {"sha": "y"}]), "an object with sha"),
    "ids.json": (dumped(["a/b", "c/d"]), "but text"),
    "number.json": (b"5", "begins with '5'"),
    "values.json": (dumped([["a/b", ["tf"]]]), "holds no models"),
    "split_no_id.json": (dumped(split(["likes"], [[5]])), "holds no models"),
    "split_doubled.json": (dumped(split(["id", "id"], [["a/b", "c/d"]])), "holds no models"),
    "hits_no_id.json": (
        dumped({"hits": {"hits": [{"_index": "m", "_id": "x", "_source": {"likes": 5}}]}}),
        "an object with likes",
    ),
    "id_object.json": (dumped([{"id": {"$oid": "5"}, "tags": 1}]), "an object with id"),
    "named.json": (dumped([{"name": "HTTPError", "message": "x"}]), "an object with name"),
    "deep.json": (b"[" * 100_000, "not valid JSON"),
    "cut.json": (dumped([A, B])[:-1] + b",", "line 1 is not valid JSON"),
    "cut.json.gz": (gzip.compress(dumped([A, B])[:-1] + b",\n"), "line 1 is not valid JSON"),
    "cut_pretty.json": (dumped([A, B], indent=1)[:-2], "line .* is not valid JSON"),
    "page_in_lines.jsonl": (dumped(A) + b"\n<html>\n" + dumped(B), "line 2 is not valid JSON"),
    "cut_gzip.json.gz": (gzip.compress(dumped([A] * 999))[:-20], "damaged gzip"),
    "cut_gzip.jsonl.gz": (gzip.compress(dumped(A) * 999)[:-20], "damaged gzip"),
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
    with pytest.raises(ImportFileError, match=message) as caught:
        ingest_data(store, tmp_path, name, data)
    assert name in str(caught.value)
    assert list_snapshots(store) == []


@pytest.mark.parametrize("page", ["<html>", '{"error": "Too many requests"}'])
def test_error_page_in_folder_is_named(store, tmp_path, page):
    folder = tmp_path / "pages"
    folder.mkdir()
    for number, text in enumerate((dumped([A]).decode(), page, dumped([B]).decode())):
        (folder / f"page-{number}.json").write_text(text)
    with pytest.raises(ImportFileError, match=r"page-1\.json"):
        ingest(store, folder)
    assert list_snapshots(store) == []


def test_bad_rows_are_left_out_and_counted(store, tmp_path):
    data = dumped([A, None, 5, "x", {"error": "gone"}, B, C])
    result = ingest_data(store, tmp_path, "rows.json", data)
    assert (result.models, result.missing_id) == (3, 4)
    assert [row[0] for row in rows(store)] == ["ann/a", "bob/b", "c"]


def test_table_row_of_other_length_is_left_out(store, tmp_path):
    data = dumped(split(["id", "likes"], [["ann/a", 1], ["bob/b"], ["c", 3], ["d", 4, 5]]))
    result = ingest_data(store, tmp_path, "split.json", data)
    assert rows(store, "id, likes") == [("ann/a", 1), ("c", 3)]
    assert result.damaged == 2


@pytest.mark.parametrize(
    "value",
    [
        {"columns": ["_id", "likes"], "index": ["ann/a"], "data": [["6" * 24, 5]]},
        {"_id": {"ann/a": "6" * 24}, "likes": {"ann/a": 5}},
    ],
)
def test_index_of_repo_ids_is_used_beside_object_ids(store, tmp_path, value):
    ingest_data(store, tmp_path, "pandas.json", dumped(value))
    assert rows(store, "_id, id, likes") == [("6" * 24, "ann/a", 5)]


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
    data = dumped(facts | {"hits": facts["hits"] | hits})
    assert ingest_data(store, tmp_path, "hits.json", data).partial is partial


@pytest.mark.parametrize(
    "data",
    [
        dumped([A, B, C])[:-1] + b', {"id": "d", "sha": "\\ud83d"}]',
        dumped([A, B, C])[:-1] + b', {"id": "d", "sha": "\xff"}]',
        b"\n".join([*map(dumped, (A, B, C)), b'{"id": "d", "sha": "\xff"}']),
    ],
)
def test_damaged_text_costs_one_row(store, tmp_path, data):
    result = ingest_data(store, tmp_path, "rows.json", data)
    assert (result.models, result.damaged) == (3, 1)


@pytest.mark.parametrize("damaged", [b"\\ud800", b"\xff"])
def test_damaged_text_in_wrapper_costs_one_row(store, tmp_path, damaged):
    row = b'{"id": "d", "sha": "' + damaged + b'"}'
    data = b'{"models": [' + b", ".join((dumped(A), row, dumped(B))) + b"]}"
    result = ingest_data(store, tmp_path, "rows.json", data)
    assert (result.models, result.missing_id + result.damaged) == (2, 1)


def test_nan_is_unknown(store, tmp_path):
    data = b'{"id": "a", "downloads": NaN}\n{"model_id": "b", "likes": -Infinity}\n'
    assert ingest_data(store, tmp_path, "nan.jsonl", data).models == 2
    assert rows(store, "id, downloads, likes") == [("a", None, None), ("b", None, None)]


@pytest.mark.parametrize("name", ["huge.json", "huge.jsonl", "huge.json.gz", "huge.csv"])
def test_huge_object_is_left_out_and_counted(store, tmp_path, name):
    huge = "x" * 34_000_000
    if name.endswith("csv"):
        data = f"id,tags\nann/a,pytorch\nbig/one,{huge}\nbob/b,tf\n".encode()
    else:
        models = [A, {"id": "big/one", "siblings": [{"rfilename": huge}]}, B]
        data = b"\n".join(map(dumped, models)) if "jsonl" in name else dumped(models)
        data = gzip.compress(data, 1) if name.endswith("gz") else data
    result = ingest_data(store, tmp_path, name, data)
    assert (result.models, result.oversized) == (2, 1)
    assert [row[0] for row in rows(store)] == ["ann/a", "bob/b"]


def test_contradicting_names_are_reported(store, tmp_path):
    same = {"id": "a", "lastModified": "2023-01-02T03:04:05.000Z"}
    same["last_modified"] = same["lastModified"]
    other = {**same, "id": "b", "last_modified": "2020-01-01T00:00:00.000Z"}
    filled = {"id": "c", "lastModified": None, "last_modified": same["lastModified"]}
    result = ingest_data(store, tmp_path, "both.json", dumped([same, other, filled]))
    assert {row[1] for row in rows(store, "id, last_modified")} == {datetime(2023, 1, 2, 3, 4, 5)}
    assert result.unknown_keys == {"last_modified": 1}


def test_parquet_columns_have_other_names(store, tmp_path):
    file = tmp_path / "stats.parquet"
    duckdb.connect().execute(
        f"""COPY (SELECT 'a/b' AS "ID", TIMESTAMP '2023-01-02 03:04:05' AS created_at,
            7 AS "Downloads_All_Time", ['config.json', 'pytorch_model.bin'] AS siblings,
            {{'total': 9}} AS safetensors, 'text' AS "CardData", 1 AS "likes", 2 AS "Likes_",
            {{'relation': 'finetune', 'models': [{{'id': 'c/d'}}]}} AS base_models
        ) TO '{file}'"""
    )
    result = ingest(store, file)
    assert rows(
        store,
        "id, created_at, downloads_all_time, files, parameters, likes, base_models, base_relation",
    ) == [
        (
            "a/b", datetime(2023, 1, 2, 3, 4, 5), 7, ["config.json", "pytorch_model.bin"], 9, 1,
            ["c/d"], "finetune",
        )
    ]  # fmt: skip
    assert result.unknown_keys == {"Likes_": 1}


def test_parquet_without_ids_is_refused(store, tmp_path):
    file = tmp_path / "other.parquet"
    duckdb.connect().execute(f"COPY (SELECT 1 AS x, 2 AS y) TO '{file}'")
    with pytest.raises(ImportFileError, match=r"other\.parquet.*no column of repo ids.*x, y"):
        ingest(store, file)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_is_read_by_its_header(store, tmp_path, delimiter, pack):
    lines = (("", "modelId", "Downloads", "created_at"), ("0", "a/b", "7", A["createdAt"]))
    text = "".join(delimiter.join(line) + "\r\n" for line in (*lines, ("1", "c/d", "", "")))
    result = ingest_data(store, tmp_path, "models.csv", pack(text.encode()))
    assert rows(store, "id, downloads, created_at") == [
        ("a/b", 7, datetime(2023, 1, 2, 3, 4, 5)),
        ("c/d", None, None),
    ]
    assert result.unknown_keys == {}


def test_ragged_csv_row_is_left_out(store, tmp_path):
    result = ingest_data(store, tmp_path, "m.csv", b"id,sha,likes\na,x,1\nb,y\nc,z,2\n\n")
    assert (result.models, result.damaged) == (2, 1)


def as_zstd(tmp_path: Path, name: str, data: bytes) -> Path:
    (tmp_path / "plain").write_bytes(data)
    duckdb.connect().execute(
        f"COPY (SELECT content FROM read_text('{tmp_path / 'plain'}')) TO '{tmp_path / name}' "
        "(FORMAT csv, HEADER false, QUOTE '', DELIMITER '\x07', ESCAPE '', COMPRESSION zstd)"
    )
    return tmp_path / name


@pytest.mark.parametrize("name", ["dump.json", "dump.jsonl.zst"])
def test_zstd_is_found_by_its_content(store, tmp_path, name):
    data = b"\n".join(map(dumped, ({"models": [A]}, [B], C)))
    assert ingest(store, as_zstd(tmp_path, name, data)).models == 3


@pytest.mark.parametrize("kept", [5, 7, 1000, -1])
def test_cut_zstd_is_refused(store, tmp_path, kept):
    lines = b"\n".join(
        dumped(A | {"sha": hashlib.sha1(b"%d" % n).hexdigest()}) for n in range(9999)
    )
    file = as_zstd(tmp_path, "dump.jsonl.zst", lines)
    assert ingest(store, file).models == 1
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(ImportFileError, match="damaged zstd"):
        ingest(store, file)


@pytest.mark.parametrize("models", [1_000, 100_000])
def test_long_wrapper_is_read(store, tmp_path, models):
    rows = [{"id": f"a/{n}", "sha": "x" * 200} for n in range(models)]
    assert ingest_data(store, tmp_path, "w.json", dumped({"models": rows})).models == models


def test_damaged_parquet_is_refused(store, tmp_path):
    file = tmp_path / "damaged.parquet"
    duckdb.connect().execute(
        "COPY (SELECT 'a/' || range AS id, md5(range::VARCHAR) AS sha FROM range(5000)) "
        f"TO '{file}'"
    )
    data = bytearray(file.read_bytes())
    data[50:20_000] = bytes(19_950)
    file.write_bytes(data)
    with pytest.raises(ImportFileError, match="Nothing was imported"):
        ingest(store, file)
    assert list_snapshots(store) == []


def test_folder_may_mix_shapes(store, tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "1.json").write_bytes(dumped([A]))
    (folder / "2.json").write_bytes(dumped({"models": [B]}))
    (folder / "3.csv").write_text("id,downloads\nc,\n")
    (folder / "README.md").write_text("not a dump")
    (folder / "._1.json").write_bytes(b"\x00\x05\x16\x07")
    assert ingest(store, folder).models == 3
    assert [row[0] for row in rows(store)] == ["ann/a", "bob/b", "c"]


@pytest.mark.parametrize("name", ["m[1].json", "m*.json", "m?.json", "m[1].parquet"])
def test_name_is_no_pattern(tmp_path, name):
    folder = tmp_path / "a[b]"
    folder.mkdir()
    with Store.open(folder / "h.duckdb", write=True) as store:
        for other in ("m1.json", "mm.json", name.replace("parquet", "json")):
            (folder / other).write_bytes(dumped([{"id": f"in/{other}"}]))
        if name.endswith("parquet"):
            duckdb.connect().execute(f"COPY (SELECT 'in/m' AS id) TO '{folder / 'm1.parquet'}'")
            (folder / "m1.parquet").rename(folder / name)
            duckdb.connect().execute(f"COPY (SELECT 'x' AS id) TO '{folder / 'm1.parquet'}'")
        assert ingest(store, folder / name).models == 1
        assert rows(store, "id")[0][0].startswith("in/m")
        assert rows(store, "id") != [("in/m1.json",)]
