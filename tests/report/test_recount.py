"""Every figure of the reports on the recorded censuses equals a plain recount."""

import json
import sys
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import recount

from hfscan.figures import Census
from hfscan.report import FORMATS, build
from hfscan.scope import Scope
from hfscan.store import Observation, Store

PAIR = ("pytorch", "tensorflow")
TRIO = (*PAIR, "jax")
TOP = {"task": 15, "library": 15}


@pytest.fixture(scope="module")
def censuses(shared_data, tmp_path_factory):
    """The database with both censuses, and their raw objects by source."""
    path = tmp_path_factory.mktemp("censuses") / "h.duckdb"
    files = {
        1: (shared_data / "hub-2022-02.jsonl.gz", datetime(2022, 2, 15, tzinfo=UTC)),
        2: (shared_data / "hub-2024-07.parquet", datetime(2024, 7, 11, tzinfo=UTC)),
    }
    with Store.open(path, write=True) as store:
        for file, day in files.values():
            store.ingest([file], Observation("import", file.name, Scope(), day, day, None))
    return path, {source: list(recount.rows(file)) for source, (file, _) in files.items()}


def report_json(path: Path, tmp_path: Path, *, source: int, year: int | None, universe) -> dict:
    period = year and (datetime(year, 1, 1), datetime(year + 1, 1, 1))
    with Store.open(path) as store:
        census = Census.choose(store, period, source=source)
        report = build(census, year=year, universe=universe)
    out = tmp_path / "report.json"
    with out.open("w") as file:
        FORMATS["json"](report, file)
    return json.loads(out.read_text())


@pytest.mark.parametrize(
    ("source", "year", "universe"),
    [
        (1, None, PAIR),
        (1, None, TRIO),
        (2, None, TRIO),
        (2, 2022, PAIR),
        (2, 2022, TRIO),
        (2, 2023, PAIR),
    ],
)
def test_reports_equal_a_plain_recount(censuses, tmp_path, source, year, universe):
    path, objects = censuses
    report = report_json(path, tmp_path, source=source, year=year, universe=universe)
    assert report["figures"]

    def question(figure):
        return tuple(figure[key] for key in ("population", "floor", "weight", "by"))

    for (population, floor, weight, by), asked in groupby(report["figures"], question):
        figures = list(asked)
        period = year and (f"{year}-01-01", f"{year + 1}-01-01")
        expected = recount.count(
            objects[source],
            universe=universe,
            population=population,
            period=period,
            floor=floor,
            weight=weight,
            by=by,
            top=TOP.get(by),
        )
        counted = {
            (one["name"], one["framework"], one["group"]): (one["numerator"], one["denominator"])
            for one in figures
        }
        assert counted == expected, (population, floor, weight, by)
        for one in figures:
            share = one["numerator"] / one["denominator"] if one["denominator"] else None
            assert one["share"] == (share if share is None else round(share, 6))


def exclusive(report, population="created", floor=None):
    return {
        one["framework"] or one["name"]: (one["numerator"], one["denominator"])
        for one in report["figures"]
        if one["name"] in ("exclusive", "shared")
        and (one["population"], one["floor"], one["weight"], one["by"])
        == (population, floor, "models", None)
    }


def test_the_published_counts_of_both_censuses(censuses, tmp_path):
    path, _ = censuses

    def ask(**question):
        return report_json(path, tmp_path, **question)

    all_2022 = exclusive(ask(source=1, year=None, universe=PAIR), "existing")
    assert all_2022["pytorch"] == (19_012, 20_999)
    with_jax = exclusive(ask(source=1, year=None, universe=TRIO), "existing")
    assert with_jax["pytorch"] == (14_737, 21_237)
    year = ask(source=2, year=2022, universe=PAIR)
    assert exclusive(year, floor="excluded") == {
        "pytorch": (34_662, 36_416),
        "tensorflow": (1_154, 36_416),
        "shared": (600, 36_416),
    }
    assert exclusive(year, floor="included") == {
        "pytorch": (52_786, 58_120),
        "tensorflow": (1_452, 58_120),
        "shared": (3_882, 58_120),
    }
    later = exclusive(ask(source=2, year=2023, universe=PAIR))
    assert {key: n for key, (n, _) in later.items()} == {
        "pytorch": 101_036,
        "tensorflow": 4_870,
        "shared": 713,
    }
