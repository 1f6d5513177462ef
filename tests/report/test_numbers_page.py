"""The worked case in docs/numbers.md is what the recorded censuses say."""

import re
from datetime import datetime
from pathlib import Path

import pytest

from hfscan.figures import ALL, Census
from hfscan.report.words import percent
from hfscan.store import Store

PAGE = (Path(__file__).parents[2] / "docs" / "numbers.md").read_text("utf-8")
PAIR = ("pytorch", "tensorflow")
YEAR = (datetime(2022, 1, 1), datetime(2023, 1, 1))


@pytest.fixture(scope="module")
def store(censuses):
    with Store.open(censuses[0]) as store:
        yield store


@pytest.mark.parametrize(
    ("row", "asked"),
    [
        ("by the Hub's tags", {}),
        ("by what can be loaded", {"definition": "usable"}),
        ("by the Hub's tags, weighted by downloads", {"weight": "downloads"}),
    ],
)
def test_the_shares(store, row, asked):
    census = Census.choose(store, YEAR, source=2)
    shares = [
        next(iter(census.exclusivity(universe=universe, period=YEAR, **asked))).share
        for universe in (PAIR, (*PAIR, "jax"), (ALL,))
    ]
    assert f"| {row} | {' | '.join(map(percent, shares))} |" in PAGE


def test_the_counts(store):
    census = Census.choose(store, YEAR, source=2)
    asked = {"universe": list(PAIR), "since": YEAR[0], "until": YEAR[1]}
    row = next(one for one in census.ask("floor", asked) if one["framework"] == "pytorch")
    told = [f"{row[key]:,}" for key in ("certain", "dated", "undated")]
    assert told == re.findall(r"^\| (?:dated|older).*\| ([\d,]+) \|$", PAGE, re.MULTILINE)
    assert f"| {row['low']:,} and {row['high']:,} |" in PAGE
    only, included = (
        next(
            iter(census.exclusivity(universe=PAIR, period=YEAR, population="created", floor=floor))
        ).numerator
        for floor in ("only", "included")
    )
    assert f"| {included:,} |" in PAGE
    assert f"because {only:,} older models" in PAGE


def test_who_went_away_and_who_changed(store):
    rows = Census.choose(store, None, source=2).ask("transitions", {"earlier": 1, "later": 2})
    moved = {(row["before"], row["after"]): row["models"] for row in rows}
    gone = moved["pytorch", "(not there)"]
    all_ = sum(n for (before, _), n in moved.items() if before == "pytorch")
    assert f"{percent(gone / all_)}\n({gone:,} of {all_:,}) were gone" in PAGE
    assert f"{moved['pytorch', 'pytorch + tensorflow']:,} models that were exclusive" in PAGE
