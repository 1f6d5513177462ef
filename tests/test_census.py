"""Recorded models give the same rows when crawled from the fake Hub and when imported."""

from datetime import UTC, datetime

import pytest
from testhub import FakeHub, Population

from hfscan.figures import FigureRequest, SnapshotView
from hfscan.pipeline import crawl
from hfscan.scope import Scope
from hfscan.store import NewSnapshot, Store, ingest_files

pytestmark = pytest.mark.slow
COLUMNS = "* EXCLUDE (snapshot)"


def test_crawl_equals_import_of_recorded_models(shared_data, tmp_path):
    dump, db = shared_data / "hub-2024-07.parquet", tmp_path / "h.duckdb"
    with FakeHub(Population.from_file(dump), quota=None) as hub:
        crawled = crawl(Scope(), endpoint=hub.url, token=None, db=db, workers=1)
        lists = [request for request in hub.requests if request.target.startswith("/api/models?")]
        year_2022 = Scope(
            since=datetime(2022, 1, 1, tzinfo=UTC), until=datetime(2023, 1, 1, tzinfo=UTC)
        )
        cut = crawl(year_2022, endpoint=hub.url, token=None, db=db)
    assert crawled.ingested.models == 760_000
    assert cut.ingested.models == 102_190
    assert cut.fetched.requests == 103
    assert len(lists) == crawled.fetched.requests == 760 + 1  # an empty page proves the end
    day = datetime(2024, 7, 11, tzinfo=UTC)
    with Store.open(db, write=True) as store:
        imported = ingest_files(
            store, [dump], NewSnapshot("import", dump.name, Scope(), day, day, None)
        )
        snapshots = (crawled.ingested.snapshot, imported.snapshot)
        crawl_sql, import_sql = (
            f"SELECT {COLUMNS} FROM models_in({snapshot})" for snapshot in snapshots
        )
        for difference in (
            f"{crawl_sql} EXCEPT {import_sql}",
            f"{import_sql} EXCEPT {crawl_sql}",
        ):
            assert not store.execute(f"{difference} LIMIT 5").fetchall()
        part = f"SELECT {COLUMNS} FROM models_in({cut.ingested.snapshot})"
        expected = f"{crawl_sql} WHERE created_at < '2023-01-01'"
        assert not store.execute(f"{part} EXCEPT {expected} LIMIT 5").fetchall()
        year = (datetime(2022, 1, 1), datetime(2023, 1, 1))
        view = SnapshotView.choose(store, year, snapshot=snapshots[0])
        figures = {
            (figure.name, figure.framework): (figure.numerator, figure.denominator)
            for figure in view.compute_exclusivity(
                FigureRequest(period=year, population="created", cutoff="excluded")
            )
        }
    assert figures["exclusive", "pytorch"] == (34_662, 36_416)
    assert figures["exclusive", "tensorflow"] == (1_154, 36_416)
    assert figures["shared", None] == (600, 36_416)
