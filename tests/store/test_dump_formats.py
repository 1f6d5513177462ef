"""Parquet, CSV and zstd files, very large dumps and folders of dumps are imported or refused."""

import gzip
import hashlib
from datetime import datetime
from pathlib import Path

import duckdb
import pytest
from dumps import A, B, C, encode, ingest, ingest_data, read_rows

from hfscan.errors import ImportFileError
from hfscan.store import Store, list_snapshots


@pytest.mark.parametrize("name", ["huge.json", "huge.jsonl", "huge.json.gz", "huge.csv"])
def test_huge_object_is_left_out_and_counted(store, tmp_path, name):
    huge_text = "x" * 34_000_000
    if name.endswith("csv"):
        data = f"id,tags\nann/a,pytorch\nbig/one,{huge_text}\nbob/b,tf\n".encode()
    else:
        models = [A, {"id": "big/one", "siblings": [{"rfilename": huge_text}]}, B]
        data = b"\n".join(map(encode, models)) if "jsonl" in name else encode(models)
        data = gzip.compress(data, 1) if name.endswith("gz") else data
    result = ingest_data(store, tmp_path, name, data)
    assert (result.models, result.oversized) == (2, 1)
    assert [row[0] for row in read_rows(store)] == ["ann/a", "bob/b"]


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
    assert read_rows(
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


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_is_read_by_its_header(store, tmp_path, delimiter, compress):
    lines = (("", "modelId", "Downloads", "created_at"), ("0", "a/b", "7", A["createdAt"]))
    text = "".join(delimiter.join(line) + "\r\n" for line in (*lines, ("1", "c/d", "", "")))
    result = ingest_data(store, tmp_path, "models.csv", compress(text.encode()))
    assert read_rows(store, "id, downloads, created_at") == [
        ("a/b", 7, datetime(2023, 1, 2, 3, 4, 5)),
        ("c/d", None, None),
    ]
    assert result.unknown_keys == {}


def test_ragged_csv_row_is_left_out(store, tmp_path):
    result = ingest_data(store, tmp_path, "m.csv", b"id,sha,likes\na,x,1\nb,y\nc,z,2\n\n")
    assert (result.models, result.damaged) == (2, 1)


def write_zstd(tmp_path: Path, name: str, data: bytes) -> Path:
    (tmp_path / "plain").write_bytes(data)
    duckdb.connect().execute(
        f"COPY (SELECT content FROM read_text('{tmp_path / 'plain'}')) TO '{tmp_path / name}' "
        "(FORMAT csv, HEADER false, QUOTE '', DELIMITER '\x07', ESCAPE '', COMPRESSION zstd)"
    )
    return tmp_path / name


@pytest.mark.parametrize("name", ["dump.json", "dump.jsonl.zst"])
def test_zstd_is_found_by_its_content(store, tmp_path, name):
    data = b"\n".join(map(encode, ({"models": [A]}, [B], C)))
    assert ingest(store, write_zstd(tmp_path, name, data)).models == 3


@pytest.mark.parametrize("size", [5, 7, 1000, -1])
def test_cut_zstd_is_refused(store, tmp_path, size):
    lines = b"\n".join(
        encode(A | {"sha": hashlib.sha1(b"%d" % n).hexdigest()}) for n in range(9999)
    )
    file = write_zstd(tmp_path, "dump.jsonl.zst", lines)
    assert ingest(store, file).models == 1
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(ImportFileError, match="damaged zstd"):
        ingest(store, file)


@pytest.mark.parametrize("models", [1_000, 100_000])
def test_long_wrapper_is_read(store, tmp_path, models):
    rows = [{"id": f"a/{n}", "sha": "x" * 200} for n in range(models)]
    assert ingest_data(store, tmp_path, "w.json", encode({"models": rows})).models == models


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
    (folder / "1.json").write_bytes(encode([A]))
    (folder / "2.json").write_bytes(encode({"models": [B]}))
    (folder / "3.csv").write_text("id,downloads\nc,\n")
    (folder / "README.md").write_text("not a dump")
    (folder / "._1.json").write_bytes(b"\x00\x05\x16\x07")
    assert ingest(store, folder).models == 3
    assert [row[0] for row in read_rows(store)] == ["ann/a", "bob/b", "c"]


@pytest.mark.parametrize("name", ["m[1].json", "m*.json", "m?.json", "m[1].parquet"])
def test_name_is_no_pattern(tmp_path, name):
    folder = tmp_path / "a[b]"
    folder.mkdir()
    with Store.open(folder / "h.duckdb", write=True) as store:
        for other_name in ("m1.json", "mm.json", name.replace("parquet", "json")):
            (folder / other_name).write_bytes(encode([{"id": f"in/{other_name}"}]))
        if name.endswith("parquet"):
            duckdb.connect().execute(f"COPY (SELECT 'in/m' AS id) TO '{folder / 'm1.parquet'}'")
            (folder / "m1.parquet").rename(folder / name)
            duckdb.connect().execute(f"COPY (SELECT 'x' AS id) TO '{folder / 'm1.parquet'}'")
        assert ingest(store, folder / name).models == 1
        assert read_rows(store, "id")[0][0].startswith("in/m")
        assert read_rows(store, "id") != [("in/m1.json",)]
