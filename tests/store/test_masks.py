"""Masks follow the taxonomy of this release, or a note says that they do not."""

import pytest
from click.testing import CliRunner
from dumps import ingest_models

from hfscan.cli import cli
from hfscan.frameworks import MASKS
from hfscan.store import Store

MODELS = [
    {"id": "a/1", "tags": ["pytorch"], "siblings": ["pytorch_model.bin"]},
    {"id": "a/2", "tags": ["tf"], "siblings": ["tf_model.h5"], "library_name": "keras"},
    {"id": "a/3", "tags": ["x"]},
]


def read_masks(store):
    return [
        store.execute(sql).fetchall()
        for sql in (
            f"SELECT key, {', '.join(MASKS)} FROM models_in(1) ORDER BY key",
            "FROM frameworks ORDER BY bit",
            "FROM metadata",
        )
    ]


@pytest.fixture
def outdated_database(tmp_path):
    """A database of a release with another taxonomy, and its masks under the current taxonomy."""
    path = tmp_path / "h.duckdb"
    ingest_models(path, MODELS)
    with Store.open(path, write=True) as store:
        expected = read_masks(store)
        store.execute("UPDATE versions SET tag_mask = 0, weights_mask = 7")
        store.execute("DELETE FROM frameworks WHERE name = 'jax'")
        store.execute("UPDATE metadata SET taxonomy = 'older'")
    return path, expected


def test_other_taxonomy_is_reclassified_on_write(outdated_database):
    path, expected = outdated_database
    with Store.open(path, write=True) as store:
        assert read_masks(store) == expected
        assert store.has_current_taxonomy


def test_other_taxonomy_is_used_read_only_with_a_note(outdated_database):
    path, expected = outdated_database
    invoke = CliRunner().invoke
    result = invoke(cli, ["query", "SELECT sum(tag_mask) AS n FROM census", "--db", str(path)])
    assert result.exit_code == 0
    assert "hfscan snapshots --reclassify" in result.stderr
    with Store.open(path) as store:
        assert not store.has_current_taxonomy
    assert invoke(cli, ["snapshots", "--reclassify", "--db", str(path)]).exit_code == 0
    with Store.open(path) as store:
        assert read_masks(store) == expected
    result = invoke(cli, ["report", "--db", str(path)])
    assert (result.exit_code, result.stderr) == (0, "")
