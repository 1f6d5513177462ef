"""Recorded models give the same rows when crawled from the fake Hub and when imported."""

import shutil
from datetime import UTC, datetime

import pytest
from testhub import FakeHub, Population

from hfscan.figures import FigureRequest, SnapshotView
from hfscan.pipeline import crawl
from hfscan.scope import Scope
from hfscan.store import Store

pytestmark = pytest.mark.slow
COLUMNS = "* EXCLUDE (snapshot)"


IMPORT = 2  # the snapshot of `recorded_db` with the crawled models


def test_crawl_equals_import_of_recorded_models(recorded_db, recorded_dumps, tmp_path):
    db, (dump, _) = tmp_path / "h.duckdb", recorded_dumps[IMPORT]
    shutil.copy(recorded_db, db)
    with FakeHub(Population.from_file(dump), quota=None) as hub:
        full_crawl = crawl(Scope(), endpoint=hub.url, token=None, db=db, workers=1)
        list_requests = [
            request for request in hub.requests if request.target.startswith("/api/models?")
        ]
        year_2022 = Scope(
            since=datetime(2022, 1, 1, tzinfo=UTC), until=datetime(2023, 1, 1, tzinfo=UTC)
        )
        year_crawl = crawl(year_2022, endpoint=hub.url, token=None, db=db)
    assert full_crawl.ingested.models == 760_000
    assert year_crawl.ingested.models == 102_190
    assert year_crawl.fetched.requests == 103
    assert (
        len(list_requests) == full_crawl.fetched.requests == 760 + 1
    )  # an empty page proves the end
    with Store.open(db) as store:
        snapshots = (full_crawl.ingested.snapshot, IMPORT)
        crawl_sql, import_sql = (
            f"SELECT {COLUMNS} FROM models_in({snapshot})" for snapshot in snapshots
        )
        for difference in (
            f"{crawl_sql} EXCEPT {import_sql}",
            f"{import_sql} EXCEPT {crawl_sql}",
        ):
            assert not store.execute(f"{difference} LIMIT 5").fetchall()
        year_sql = f"SELECT {COLUMNS} FROM models_in({year_crawl.ingested.snapshot})"
        expected = f"{crawl_sql} WHERE created_at < '2023-01-01'"
        assert not store.execute(f"{year_sql} EXCEPT {expected} LIMIT 5").fetchall()
        year = (datetime(2022, 1, 1), datetime(2023, 1, 1))
        view = SnapshotView.choose(store, year, snapshot=snapshots[0])
        figures = {
            (figure.name, figure.framework): (figure.numerator, figure.denominator)
            for figure in view.compute_exclusivity(
                FigureRequest(
                    definition="tag", period=year, population="created", cutoff="excluded"
                )
            )
        }
    assert figures["exclusive", "pytorch"] == (34_662, 36_416)
    assert figures["exclusive", "tensorflow"] == (1_154, 36_416)
    assert figures["shared", None] == (600, 36_416)
