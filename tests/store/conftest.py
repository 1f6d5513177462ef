"""A database, and a function that imports rows into it."""

from pathlib import Path

import pytest
from dumps import encode_lines, ingest

from hfscan.store import Ingested, Store


class RowImporter:
    """Imports rows as snapshots of one database; `result` is that of the last import."""

    result: Ingested

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self._dump = store, folder / "d.jsonl"

    def __call__(self, *rows: dict) -> tuple[list[dict], dict]:
        """Return the models of the snapshot, and unreadable column -> (models, example)."""
        self._dump.write_bytes(encode_lines(rows))
        self.result = ingest(self.store, self._dump)
        cursor = self.store.execute("FROM models_in(?) ORDER BY id", [self.result.snapshot])
        names = [column[0] for column in cursor.description]
        models = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        return models, {
            entry.field: (entry.models, entry.example) for entry in self.result.unreadable
        }


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "h.duckdb", write=True) as store:
        yield store


@pytest.fixture
def import_rows(store, tmp_path):
    return RowImporter(store, tmp_path)
