"""The labelled repositories are classified as labelled, in Python and in SQL."""

import json
from collections import Counter
from datetime import UTC, datetime

import pytest
from labels import COMPARED, read_labels, score

from hfscan.frameworks import taxonomy
from hfscan.scope import Scope
from hfscan.store import NewSnapshot, Store, ingest_files

DAY = datetime(2026, 8, 20, tzinfo=UTC)


def test_labels_are_complete_and_unique():
    labels = read_labels()
    assert len(labels) >= 150
    assert all(labelled.reason and labelled.frameworks <= COMPARED for labelled in labels)
    layouts = Counter(repr(labelled.model) for labelled in labels)
    repos = Counter(labelled.repo for labelled in labels)
    assert max(layouts.values()) == max(repos.values()) == 1


@pytest.mark.parametrize("framework", score())
def test_precision_and_recall_of_framework(framework):
    result = score()[framework]
    assert result.precision >= 0.97
    assert result.recall >= 0.97


def test_sql_finds_the_labelled_frameworks(tmp_path):
    dump = tmp_path / "labels.jsonl"
    with dump.open("w") as out:
        for labelled in read_labels():
            files = [{"rfilename": name} for name in labelled.model["siblings"]]
            out.write(json.dumps(labelled.model | {"siblings": files}) + "\n")
    with Store.open(tmp_path / "h.duckdb", write=True) as store:
        ingest_files(store, [dump], NewSnapshot("import", dump.name, Scope(), DAY, DAY, None))
        masks = dict(store.execute("SELECT id, weights_mask FROM models_in(1)").fetchall())
    errors = {
        labelled.repo
        for labelled in read_labels()
        if masks[labelled.repo] & taxonomy().bits(COMPARED) != taxonomy().bits(labelled.frameworks)
    }
    assert not errors
