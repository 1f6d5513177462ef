"""Write dumps and import them."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hfscan.scope import Scope
from hfscan.store import Ingested, NewSnapshot, Store, ingest_files

DAY = datetime(2024, 7, 11, tzinfo=UTC)
"""The day of a snapshot, unless a test needs another."""

A: dict[str, Any] = {
    "id": "ann/a",
    "tags": ["pytorch"],
    "downloads": 7,
    "createdAt": "2023-01-02T03:04:05.000Z",
}
B: dict[str, Any] = {"id": "bob/b", "tags": ["tf", "keras"], "downloads": 0}
C: dict[str, Any] = {"id": "c", "tags": []}


def encode(value: object, **options: Any) -> bytes:
    """Return a value as JSON."""
    return json.dumps(value, **options).encode()


def encode_lines(rows: Iterable[object]) -> bytes:
    """Return one line of JSON per row."""
    return b"".join(encode(row) + b"\n" for row in rows)


def ingest(
    store: Store,
    *paths: Path,
    day: datetime = DAY,
    before_commit: Callable[[int], None] | None = None,
    **fields: Any,
) -> Ingested:
    """Import files as one snapshot; `fields` are those of NewSnapshot."""
    defaults: dict[str, Any] = {
        "kind": "import",
        "origin": "dump",
        "scope": Scope(),
        "complete": None,
    }
    snapshot = NewSnapshot(observed_from=day, observed_to=day, **defaults | fields)
    return ingest_files(store, paths, snapshot, before_commit)


def ingest_data(store: Store, tmp_path: Path, name: str, data: bytes) -> Ingested:
    """Import `data` from a new file `name`."""
    (tmp_path / name).write_bytes(data)
    return ingest(store, tmp_path / name)


def ingest_models(db: Path, models: Iterable[object], **fields: Any) -> Ingested:
    """Import models as one snapshot of a database, created if missing, through `dump.json`."""
    dump = db.with_name("dump.json")
    dump.write_bytes(encode([*models]))
    with Store.open(db, write=True) as store:
        return ingest(store, dump, **fields)


def read_rows(store: Store, columns: str = "id, tags, downloads, created_at") -> list[tuple]:
    """Return columns of the models of snapshot 1, by id."""
    return store.execute(f"SELECT {columns} FROM models_in(1) ORDER BY id").fetchall()
