"""Queries on models counted by hand."""

import json

import pytest
from dumps import ingest_models

from hfscan.figures import SnapshotView
from hfscan.store import Store


@pytest.fixture
def run_query(tmp_path):
    """Return a function that runs a query on models: the rows by their first column."""
    databases = {}

    def run(models, query, **parameters):
        text = json.dumps(models)
        if text not in databases:
            databases[text] = tmp_path / str(len(databases)) / "h.duckdb"
            databases[text].parent.mkdir()
            ingest_models(databases[text], models)
        with Store.open(databases[text]) as store:
            rows = SnapshotView.latest(store).run(query, parameters)
        return {row[next(iter(row))]: row for row in rows}

    return run
