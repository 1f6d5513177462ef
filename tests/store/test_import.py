"""Dumps of every file format become snapshots; unreadable rows are counted."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from dumps import encode, encode_lines, ingest

from hfscan.errors import ImportFileError
from hfscan.scope import Scope
from hfscan.store import Store, list_snapshots

ROWS = [
    {
        "_id": "621ffdc036468d709f174338",
        "id": "gpt2",
        "tags": ["transformers", "pytorch", "tf"],
        "createdAt": "2022-03-02T23:29:04.000Z",
        "downloads": 10,
        "gated": False,
        "private": False,
        "siblings": [{"rfilename": "pytorch_model.bin"}, {"rfilename": "tf_model.h5"}],
        "baseModels": {"relation": "finetune", "models": [{"_id": "x", "id": "some/base"}]},
        "safetensors": {"parameters": {"F32": 7}, "total": 7},
        "config": {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]},
    },
    {
        "_id": "63000000aaaaaaaaaaaaaaaa",
        "id": "ann/bert",
        "tags": ["tf"],
        "createdAt": "2022-08-19T20:19:12.000Z",
        "downloads": 5_000_000_000,
        "gated": "manual",
        "private": False,
        "siblings": [],
    },
]


def read_models(store: Store, snapshot: int) -> list[tuple]:
    return store.execute(
        "SELECT * EXCLUDE (snapshot) FROM models_in(?) ORDER BY key", [snapshot]
    ).fetchall()


def write_parquet(path: Path, rows) -> None:
    """Write rows as hub-stats does: objects as JSON text, file names as a list, timestamps."""
    flat_rows = [
        row
        | {
            "siblings": [file["rfilename"] for file in row["siblings"]],
            "config": json.dumps(row["config"]) if "config" in row else None,
            "gated": json.dumps(row["gated"]).strip('"'),
        }
        for row in rows
    ]
    lines_file = path.with_suffix(".jsonl")
    lines_file.write_bytes(encode_lines(flat_rows))
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(
        "COPY (SELECT * REPLACE (createdAt::TIMESTAMP AS createdAt, gated::VARCHAR AS gated) "
        f"FROM read_json('{lines_file}')) TO '{path}'"
    )


def test_file_formats_give_the_same_models(store, tmp_path):
    data_by_name = {
        "a.json": encode(ROWS),
        "b.jsonl": encode_lines(ROWS),
        "c.jsonl.gz": gzip.compress(encode_lines(ROWS)),
        "d.json.gz": gzip.compress(encode(ROWS, indent=1)),
    }
    for name, data in data_by_name.items():
        (tmp_path / name).write_bytes(data)
    pages = tmp_path / "pages"
    pages.mkdir()
    for number, row in enumerate(ROWS):
        (pages / f"{number}.json").write_text(json.dumps([row]))
    write_parquet(tmp_path / "e.parquet", ROWS)
    zstd_file = tmp_path / "f.jsonl.zst"
    duckdb.connect().execute(
        f"COPY (SELECT content FROM read_text('{tmp_path / 'b.jsonl'}')) TO '{zstd_file}' "
        "(FORMAT csv, HEADER false, QUOTE '', DELIMITER '\x07', ESCAPE '', COMPRESSION zstd)"
    )
    dumps = [*(tmp_path / name for name in data_by_name), pages, tmp_path / "e.parquet", zstd_file]
    snapshots = [ingest(store, dump).snapshot for dump in dumps]
    expected, *results = (read_models(store, snapshot) for snapshot in snapshots)
    assert len(expected) == 2
    for dump, models in zip(dumps[1:], results, strict=True):
        assert models == expected, dump.name


def test_dump_without_ids_and_dates_is_imported(store, tmp_path):
    dump = tmp_path / "old.jsonl"
    dump.write_bytes(encode_lines([{"modelId": "ann/bert", "tags": ["pytorch"], "private": False}]))
    result = ingest(store, dump)
    (row,) = store.execute("SELECT key, _id, id, author FROM models_in(1)").fetchall()
    assert row == ("ann/bert", None, "ann/bert", "ann")
    (snapshot,) = list_snapshots(store)
    assert snapshot.id == result.snapshot
    assert {"_id", "created_at", "files"} <= set(snapshot.missing_columns)
    assert "tags" not in snapshot.missing_columns


def test_import_counts_unreadable_values(store, tmp_path):
    dump = tmp_path / "odd.jsonl"
    dump.write_bytes(
        encode_lines(
            [
                {"id": "a/1", "tags": "not a list", "downloads": {"x": 1}, "surprise": 1},
                {"id": "a/2", "tags": None, "likes": 1.5, "createdAt": 7, "siblings": [3, None]},
                {"id": "a/3", "tags": ["x", 1, None], "safetensors": [1], "config": "text"},
                {"tags": []},
            ]
        )
    )
    result = ingest(store, dump)
    assert result.models == 3
    assert result.missing_id == 1
    assert result.unknown_keys == {"surprise": 1}
    assert {entry.field: (entry.models, entry.example) for entry in result.unreadable} == {
        "architectures": (1, "text"),
        "created_at": (1, "7"),
        "downloads": (1, '{"x": 1}'),
        "files": (1, "[3, null]"),
        "likes": (1, "1.5"),
        "model_type": (1, "text"),
        "parameters": (1, "[1]"),
        "tags": (1, "not a list"),
    }


def test_private_and_repeated_rows_are_counted(store, tmp_path):
    dump = tmp_path / "d.jsonl"
    dump.write_bytes(
        encode_lines(
            [ROWS[0], ROWS[1], {"_id": "f" * 24, "id": "a/secret", "private": True}, ROWS[1]]
        )
    )
    result = ingest(store, dump)
    assert (result.models, result.private, result.duplicates) == (2, 1, 1)
    assert store.execute("SELECT count(*) FROM models_in(1)").fetchone() == (2,)
    assert list_snapshots(store)[0].models == 2


def test_empty_dump_is_a_snapshot(store, tmp_path):
    dump = tmp_path / "empty.json"
    dump.write_text("[]")
    assert ingest(store, dump).models == 0
    assert [(snapshot.models, snapshot.missing_columns) for snapshot in list_snapshots(store)] == [
        (0, [])
    ]


def test_scope_limits_the_imported_period(store, tmp_path):
    dump = tmp_path / "d.json"
    dump.write_text(json.dumps(ROWS))
    scope = Scope(since=datetime(2022, 3, 3, tzinfo=UTC), until=datetime(2022, 9, 1, tzinfo=UTC))
    result = ingest(store, dump, scope=scope)
    assert (result.models, result.out_of_scope) == (1, 1)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        (
            "broken.jsonl",
            encode_lines(ROWS) + b'{"id": "a/b", "tags": [}\n',
            r"broken\.jsonl.*line 3",
        ),
        ("cut.json.gz", gzip.compress(encode(ROWS))[:-30], r"cut\.json\.gz|gzip"),
        ("no.parquet", b"no parquet at all", r"no\.parquet"),
        ("list.xls", b"", r"list\.xls is empty"),
    ],
)
def test_unreadable_dump_is_named_and_changes_nothing(store, tmp_path, name, data, message):
    good_dump, bad_dump = tmp_path / "good.jsonl", tmp_path / name
    good_dump.write_bytes(encode_lines(ROWS))
    bad_dump.write_bytes(data)
    ingest(store, good_dump)
    with pytest.raises(ImportFileError, match=message):
        ingest(store, bad_dump)
    assert len(list_snapshots(store)) == 1
    assert store.execute("SELECT count(*) FROM models_in(1)").fetchone() == (2,)


def test_recorded_censuses_are_imported_completely(recorded_db):
    old_result, new_result, _ = json.loads(recorded_db.with_suffix(".json").read_text())
    assert (old_result["models"], new_result["models"]) == (29_432, 760_000)
    assert old_result["unreadable"] == new_result["unreadable"] == []
    assert (old_result["unknown_keys"], new_result["unknown_keys"]) == ({}, {"page": 760_000})


def test_import_raises_its_memory_limit_if_needed(store, tmp_path, monkeypatch) -> None:
    dump = tmp_path / "dump.jsonl"
    dump.write_bytes(
        encode_lines(ROWS[0] | {"_id": f"{n:024x}", "id": f"a/{n}"} for n in range(5_000))
    )
    monkeypatch.setattr("hfscan.store.ingest.INGEST_MEMORY_LIMIT", "1 MB")
    limit = store.execute("SELECT current_setting('memory_limit')").fetchone()
    assert ingest(store, dump).models == 5_000
    assert len(read_models(store, 1)) == 5_000
    # the limit is restored and no files are left
    assert store.execute("SELECT current_setting('memory_limit')").fetchone() == limit
    assert [path.name for path in tmp_path.iterdir() if "staged" in path.name] == []
