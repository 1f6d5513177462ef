"""The recorded censuses, in a database and as plain models."""

import gc
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import recount

from hfscan.scope import Scope
from hfscan.store import Observation, Store


class Models(dict):
    """The models of a source, read when they are first asked for."""

    def __init__(self, files):
        self._files = files

    def __missing__(self, source):
        gc.disable()  # it would look through millions of objects again and again
        try:
            self[source] = recount.models(self._files[source])
        finally:
            gc.enable()
        return self[source]


@pytest.fixture(scope="session")
def censuses(shared_data, tmp_path_factory):
    """The database with the censuses, and their models by source."""
    path = tmp_path_factory.mktemp("censuses") / "h.duckdb"
    files = {
        1: (shared_data / "hub-2022-02.jsonl.gz", datetime(2022, 2, 15, tzinfo=UTC)),
        2: (shared_data / "hub-2024-07.parquet", datetime(2024, 7, 11, tzinfo=UTC)),
        3: (shared_data / "hub-2024-07-detail.jsonl.gz", datetime(2024, 7, 10, tzinfo=UTC)),
    }
    with Store.open(path, write=True) as store:
        for file, day in files.values():
            # the third holds the ids of some letters: no whole census
            scope = Scope(limit=8_650) if "detail" in file.name else Scope()
            store.ingest([file], Observation("import", file.name, scope, day, day, None))
        store.import_dates(shared_data / "hub-2022-10-created.parquet")
    return path, Models({source: file for source, (file, _) in files.items()})
