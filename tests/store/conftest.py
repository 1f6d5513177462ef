"""Import rows as snapshots of one database."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hfscan.scope import Scope
from hfscan.store import Ingested, NewSnapshot, Store, ingest_files

DAY = datetime(2024, 7, 11, tzinfo=UTC)


class Imports:
    """Import rows as snapshots of one database; `result` is that of the last one."""

    result: Ingested

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self._dump = store, folder / "d.jsonl"

    def __call__(self, *rows: dict) -> tuple[list[dict], dict]:
        """Return the models as observed, and column -> (models, example) that are unreadable."""
        self._dump.write_text("".join(json.dumps(row) + "\n" for row in rows))
        snapshot = NewSnapshot("import", "d", Scope(), DAY, DAY, None)
        self.result = ingest_files(self.store, [self._dump], snapshot)
        cursor = self.store.execute("FROM models_in(?) ORDER BY id", [self.result.snapshot])
        names = [column[0] for column in cursor.description]
        models = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        return models, {
            entry.field: (entry.models, entry.example) for entry in self.result.unreadable
        }


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "h.duckdb", write=True) as opened:
        yield opened


@pytest.fixture
def imported(store, tmp_path):
    return Imports(store, tmp_path)
