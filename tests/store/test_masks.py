"""Masks follow the taxonomy of this release, or the database says that they do not."""

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from hfscan.cli import cli
from hfscan.scope import Scope
from hfscan.store import NewSnapshot, Store, ingest_files

DAY = datetime(2024, 7, 11, tzinfo=UTC)
MODELS = [
    {"id": "a/1", "tags": ["pytorch"], "siblings": ["pytorch_model.bin"]},
    {"id": "a/2", "tags": ["tf"], "siblings": ["tf_model.h5"], "library_name": "keras"},
    {"id": "a/3", "tags": ["x"]},
]


def state(store):
    return [
        store.execute(sql).fetchall()
        for sql in (
            "SELECT key, tag_mask, weights_mask, loadable_mask FROM models_in(1) ORDER BY key",
            "FROM frameworks ORDER BY bit",
            "FROM metadata",
        )
    ]


@pytest.fixture
def old(tmp_path):
    """A database as a release with another taxonomy left it, and what it should become."""
    dump, path = tmp_path / "d.json", tmp_path / "h.duckdb"
    dump.write_text(json.dumps(MODELS))
    with Store.open(path, write=True) as store:
        ingest_files(store, [dump], NewSnapshot("import", "d", Scope(), DAY, DAY, None))
        wanted = state(store)
        store.execute("UPDATE versions SET tag_mask = 0, weights_mask = 7")
        store.execute("DELETE FROM frameworks WHERE name = 'jax'")
        store.execute("UPDATE metadata SET taxonomy = 'older'")
    return path, wanted


def test_other_taxonomy_is_reclassified_on_write(old):
    path, wanted = old
    with Store.open(path, write=True) as store:
        assert state(store) == wanted
        assert store.has_current_taxonomy


def test_other_taxonomy_is_used_read_only_with_a_note(old):
    path, wanted = old
    run = CliRunner().invoke
    found = run(cli, ["query", "SELECT sum(tag_mask) AS n FROM census", "--db", str(path)])
    assert found.exit_code == 0
    assert "hfscan snapshots --reclassify" in found.stderr
    with Store.open(path) as store:
        assert not store.has_current_taxonomy
    assert run(cli, ["snapshots", "--reclassify", "--db", str(path)]).exit_code == 0
    with Store.open(path) as store:
        assert state(store) == wanted
    found = run(cli, ["report", "--db", str(path)])
    assert (found.exit_code, found.stderr) == (0, "")
