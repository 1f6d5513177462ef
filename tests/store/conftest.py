"""A database, and a function that imports rows into it."""

from collections import Counter
from collections.abc import Callable
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


@pytest.fixture(scope="module")
def shared_import(tmp_path_factory):
    """An importer for many tests; test -> the models of its cases, by number."""
    folder = tmp_path_factory.mktemp("cases")
    with Store.open(folder / "h.duckdb", write=True) as store:
        yield RowImporter(store, folder), {}


@pytest.fixture
def import_case(shared_import, request):
    """Return a function that imports a row for each case of a test at once, and returns a model.

    To import each alone takes a quarter of a second. The function takes one that makes a row of a
    case's parameters, and returns the model of this case; None where it was left out.
    """
    import_rows, models_by_test = shared_import
    (parametrized,) = request.node.iter_markers("parametrize")
    names, cases = parametrized.args

    def import_all(make_row: Callable[..., dict]) -> dict[str, dict]:
        rows = [
            {"id": f"a/{number}", "baseModels": {"models": [{"id": f"case/{number}"}]}}
            | (make_row(case) if isinstance(names, str) else make_row(*case))
            for number, case in enumerate(cases)
        ]
        models, unreadable = import_rows(*rows)
        assert len(models) + import_rows.result.skipped == len(rows)
        counts = Counter(column for model in models for column in model["unreadable"] or ())
        unreadable.pop("private", None)  # of models left out
        assert counts == {column: count for column, (count, _) in unreadable.items()}
        return {model["base_models"][0]: model for model in models}

    def read(make_row: Callable[..., dict]) -> dict | None:
        test = request.node.originalname
        if test not in models_by_test:
            models_by_test[test] = import_all(make_row)
        (number,) = set(request.node.callspec.indices.values())
        return models_by_test[test].get(f"case/{number}")

    return read
