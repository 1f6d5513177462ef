"""Dumps of every file format become snapshots; unreadable rows are counted."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from hfscan.errors import ImportFileError
from hfscan.scope import Scope
from hfscan.store import Ingested, NewSnapshot, Store, ingest_files, list_snapshots

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


def ingest(store: Store, *paths: Path, scope: Scope | None = None) -> Ingested:
    day = datetime(2024, 7, 11, tzinfo=UTC)
    return ingest_files(
        store, paths, NewSnapshot("import", "a dump", scope or Scope(), day, day, None)
    )


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "h.duckdb", write=True) as opened:
        yield opened


def models(store: Store, snapshot: int) -> list[tuple]:
    return store.execute(
        "SELECT * EXCLUDE (snapshot) FROM models_in(?) ORDER BY key", [snapshot]
    ).fetchall()


def as_lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_parquet(path: Path, rows) -> None:
    """Like hub-stats: nested objects as JSON text, file names as a list, times as timestamps."""
    flat = [
        row
        | {
            "siblings": [file["rfilename"] for file in row["siblings"]],
            "config": json.dumps(row["config"]) if "config" in row else None,
            "gated": json.dumps(row["gated"]).strip('"'),
        }
        for row in rows
    ]
    snapshot = path.with_suffix(".jsonl")
    snapshot.write_bytes(as_lines(flat))
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(
        "COPY (SELECT * REPLACE (createdAt::TIMESTAMP AS createdAt, gated::VARCHAR AS gated) "
        f"FROM read_json('{snapshot}')) TO '{path}'"
    )


def test_file_formats_give_the_same_models(store, tmp_path):
    forms = {
        "a.json": json.dumps(ROWS).encode(),
        "b.jsonl": as_lines(ROWS),
        "c.jsonl.gz": gzip.compress(as_lines(ROWS)),
        "d.json.gz": gzip.compress(json.dumps(ROWS, indent=1).encode()),
    }
    for name, data in forms.items():
        (tmp_path / name).write_bytes(data)
    pages = tmp_path / "pages"
    pages.mkdir()
    for number, row in enumerate(ROWS):
        (pages / f"{number}.json").write_text(json.dumps([row]))
    as_parquet(tmp_path / "e.parquet", ROWS)
    zst = tmp_path / "f.jsonl.zst"
    duckdb.connect().execute(
        f"COPY (SELECT content FROM read_text('{tmp_path / 'b.jsonl'}')) TO '{zst}' "
        "(FORMAT csv, HEADER false, QUOTE '', DELIMITER '\x07', ESCAPE '', COMPRESSION zstd)"
    )
    dumps = [*(tmp_path / name for name in forms), pages, tmp_path / "e.parquet", zst]
    snapshots = [ingest(store, dump).snapshot for dump in dumps]
    first, *others = (models(store, snapshot) for snapshot in snapshots)
    assert len(first) == 2
    for dump, other in zip(dumps[1:], others, strict=True):
        assert other == first, dump.name


def test_dump_without_ids_and_dates_is_imported(store, tmp_path):
    old = tmp_path / "old.jsonl"
    old.write_bytes(as_lines([{"modelId": "ann/bert", "tags": ["pytorch"], "private": False}]))
    result = ingest(store, old)
    (row,) = store.execute("SELECT key, _id, id, author FROM models_in(1)").fetchall()
    assert row == ("ann/bert", None, "ann/bert", "ann")
    (snapshot,) = list_snapshots(store)
    assert snapshot.id == result.snapshot
    assert {"_id", "created_at", "files"} <= set(snapshot.missing_columns)
    assert "tags" not in snapshot.missing_columns


def test_import_counts_unreadable_values(store, tmp_path):
    odd = tmp_path / "odd.jsonl"
    odd.write_bytes(
        as_lines(
            [
                {"id": "a/1", "tags": "not a list", "downloads": {"x": 1}, "surprise": 1},
                {"id": "a/2", "tags": None, "likes": 1.5, "createdAt": 7, "siblings": [3, None]},
                {"id": "a/3", "tags": ["x", 1, None], "safetensors": [1], "config": "text"},
                {"tags": []},
            ]
        )
    )
    result = ingest(store, odd)
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
        as_lines([ROWS[0], ROWS[1], {"_id": "f" * 24, "id": "a/secret", "private": True}, ROWS[1]])
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
        ("broken.jsonl", as_lines(ROWS) + b'{"id": "a/b", "tags": [}\n', r"broken\.jsonl.*line 3"),
        ("cut.json.gz", gzip.compress(json.dumps(ROWS).encode())[:-30], r"cut\.json\.gz|gzip"),
        ("no.parquet", b"no parquet at all", r"no\.parquet"),
        ("list.xls", b"", r"list\.xls is empty"),
    ],
)
def test_unreadable_dump_is_named_and_changes_nothing(store, tmp_path, name, data, message):
    good, bad = tmp_path / "good.jsonl", tmp_path / name
    good.write_bytes(as_lines(ROWS))
    bad.write_bytes(data)
    ingest(store, good)
    with pytest.raises(ImportFileError, match=message):
        ingest(store, bad)
    assert len(list_snapshots(store)) == 1
    assert store.execute("SELECT count(*) FROM models_in(1)").fetchone() == (2,)


def test_recorded_censuses_are_imported_completely(censuses):
    old, new, _ = json.loads(censuses.with_suffix(".json").read_text())
    assert (old["models"], new["models"]) == (29_432, 760_000)
    assert old["unreadable"] == new["unreadable"] == []
    assert (old["unknown_keys"], new["unknown_keys"]) == ({}, {"page": 760_000})


def test_import_raises_its_memory_limit_if_needed(store, tmp_path, monkeypatch) -> None:
    dump = tmp_path / "dump.jsonl"
    dump.write_bytes(as_lines(ROWS[0] | {"_id": f"{n:024x}", "id": f"a/{n}"} for n in range(5_000)))
    monkeypatch.setattr("hfscan.store.ingest.INGEST_MEMORY_LIMIT", "1 MB")
    limit = store.execute("SELECT current_setting('memory_limit')").fetchone()
    assert ingest(store, dump).models == 5_000
    assert len(models(store, 1)) == 5_000
    # neither limit nor files stay behind
    assert store.execute("SELECT current_setting('memory_limit')").fetchone() == limit
    assert [path.name for path in tmp_path.iterdir() if "staged" in path.name] == []
