"""`hfscan crawl --sample` and `--workers` on the command line."""

import json
import re

import pytest
from processes import run_hfscan
from testhub import FakeHub, Population


@pytest.fixture(scope="module")
def population() -> Population:
    """Models that are made once: a sample asks for hundreds of pages."""
    return Population.from_rows([*Population.synthetic(3_000, seed=1)])


def test_sample_design_is_printed_and_stored(crawl, population) -> None:
    with FakeHub(population, quota=None) as hub:
        crawl.endpoint = hub.url
        code, out, err = crawl("--sample", "0.05", "--seed", "7")
        assert (code, err) == (0, "")
        assert re.search(
            r"Snapshot 1: \d+ models from http.* in \d+ requests and [\d.]+ s, in", out
        )
        assert re.search(r"Sample: each model with probability 0.05", out)
        assert "seed 7" in out
        # of a Hub as small as this one
        match = re.search(r"Without --sample, about (\d) requests would have fetched all", out)
        assert match
        assert 3 <= int(match[1]) <= 5
        assert crawl("--sample", "0.05", "--seed", "8")[0] == 0
    rows = crawl.query("SELECT complete, sample, sample_design, models FROM snapshots ORDER BY id")
    assert [row[:2] for row in rows] == [(False, 0.05)] * 2
    assert "seed 7: one range of creation time in each of 500 strata" in rows[0][2]
    assert all(90 < row[3] < 210 for row in rows)
    common_count = crawl.query(
        "SELECT count(*) FROM (SELECT key FROM models_in(1) INTERSECT SELECT key FROM models_in(2))"
    )
    assert common_count[0][0] < 40


def test_report_of_a_sample_has_intervals_of_its_ranges(crawl, population) -> None:
    with FakeHub(population, quota=None) as hub:
        crawl.endpoint = hub.url
        assert crawl("--sample", "0.2", "--seed", "7")[0] == 0
    ((strata, first, last),) = crawl.query(
        "SELECT len(sample_strata), sample_strata[1], sample_strata[-1] FROM snapshots"
    )
    assert strata > 500
    ((before,),) = crawl.query(
        f"SELECT count(*) FROM models_in(1) WHERE NOT at_cutoff AND created_at < '{first}'"
    )
    assert before == 0
    assert first < last
    code, out, _ = run_hfscan(crawl.folder, "report", "--format", "json", "--year", "2022")
    assert code == 0
    report = json.loads(out)
    assert any(note.startswith("DESIGN EFFECT: ") for note in report["notes"])
    counted = [one for one in report["figures"] if one["weight"] == "models" and one["denominator"]]
    assert len(counted) > 20
    for figure in counted:
        low, high = figure["interval"]
        assert 0 <= low <= figure["share"] <= high <= 1
        assert high - low > 0.01
    assert report["figures"][0]["design_effect"] >= 1


def test_workers_start_at_cursors_of_an_earlier_crawl(crawl) -> None:
    with FakeHub(Population.synthetic(1_000, seed=1), quota=None, page_size=10) as hub:
        crawl.endpoint = hub.url
        out = crawl("--workers", "4")[1]
        assert re.search("Snapshot 1: 1,000 models .* by [23] workers, in", out)
        out = crawl("--workers", "4")[1]
        assert re.search("Snapshot 2: 1,000 models .* by [45] workers, in", out)
    counts = crawl.query(
        "SELECT count(*), count(DISTINCT key) FROM (FROM models_in(1) UNION ALL FROM models_in(2))"
    )
    assert counts == [(2_000, 1_000)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sample", "0"], "0<x<=1"),
        (["--sample", "1.5"], "0<x<=1"),
        (["--seed", "3"], "--seed requires --sample"),
        (["--sample", "0.1", "--limit", "5"], "--sample cannot be combined"),
        (["--sample", "0.1", "--author", "a"], "--sample cannot be combined"),
        (["--workers", "4", "--year", "2022"], "--workers requires a full crawl"),
        (["--workers", "0"], "1<=x<=32"),
    ],
)
def test_wrong_usage_is_reported(crawl, arguments, message) -> None:
    code, out, err = crawl(*arguments)
    assert (code, out) == (2, "")
    assert message in err
