"""Queries on models counted by hand."""

import contextlib
import json

import pytest
from dumps import ingest_models

from hfscan.figures import SnapshotView
from hfscan.store import Store


class ModelView(SnapshotView):
    """A view of one model of the latest snapshot, as if it held no other."""

    def __init__(self, store: Store, name: str) -> None:
        super().__init__(store, SnapshotView.latest(store).snapshot)
        self._name = name

    def bind_census(self, *, with_counts: bool = True) -> Store:
        store = super().bind_census(with_counts=with_counts)
        store.execute("DROP VIEW IF EXISTS all_models; ALTER VIEW census RENAME TO all_models")
        store.execute("CREATE TEMP VIEW census AS FROM all_models WHERE id = getvariable('model')")
        store.execute("SET VARIABLE model = ?", [self._name])
        return store


@pytest.fixture(scope="module")
def open_models(tmp_path_factory):
    """Return a function that opens a database of models, made once."""
    folder = tmp_path_factory.mktemp("models")
    with contextlib.ExitStack() as stores:
        opened: dict[str, Store] = {}

        def open_models(models: list[dict]) -> Store:
            text = json.dumps(models)
            if text not in opened:
                db = folder / str(len(opened)) / "h.duckdb"
                db.parent.mkdir()
                ingest_models(db, models)
                opened[text] = stores.enter_context(Store.open(db))
            return opened[text]

        yield open_models


@pytest.fixture(scope="module")
def run_query(open_models):
    """Return a function that runs a query on models: the rows by their first column.

    `alone`: on the one of this name, as if there were no other.
    """

    def run(models, query, *, alone=None, **parameters):
        store = open_models(models)
        view = ModelView(store, alone) if alone else SnapshotView.latest(store)
        return {row[next(iter(row))]: row for row in view.run(query, parameters)}

    return run
