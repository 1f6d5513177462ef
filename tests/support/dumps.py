"""Write dumps and import them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hfscan.scope import Scope
from hfscan.store import Ingested, NewSnapshot, Store, ingest_files

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


def ingest(store: Store, *paths: Path) -> Ingested:
    """Import files as one snapshot."""
    day = datetime(2024, 7, 11, tzinfo=UTC)
    return ingest_files(store, paths, NewSnapshot("import", "dump", Scope(), day, day, None))


def ingest_data(store: Store, tmp_path: Path, name: str, data: bytes) -> Ingested:
    """Import `data` from a new file `name`."""
    (tmp_path / name).write_bytes(data)
    return ingest(store, tmp_path / name)


def read_rows(store: Store, columns: str = "id, tags, downloads, created_at") -> list[tuple]:
    """Return columns of the models of snapshot 1, by id."""
    return store.execute(f"SELECT {columns} FROM models_in(1) ORDER BY id").fetchall()
