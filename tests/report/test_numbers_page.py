"""The worked case of docs/numbers.md and the example of docs/json.md match recorded censuses."""

import io
import json
import re
from datetime import datetime
from pathlib import Path

import pytest

from hfscan.figures import ALL, FigureRequest, SnapshotView
from hfscan.report import FORMATS, ReportRequest, build, format_percent
from hfscan.store import Store

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "numbers.md").read_text("utf-8")
PAIR = ("pytorch", "tensorflow")
YEAR = (datetime(2022, 1, 1), datetime(2023, 1, 1))


@pytest.fixture(scope="module")
def store(censuses):
    with Store.open(censuses) as store:
        yield store


@pytest.mark.parametrize(
    ("row", "asked"),
    [
        ("tag", {}),
        ("loadable", {"definition": "loadable"}),
        ("tag, download-weighted", {"weight": "downloads"}),
    ],
)
def test_shares_on_the_page(store, row, asked):
    view = SnapshotView.choose(store, YEAR, snapshot=2)
    shares = [
        next(iter(view.compute_exclusivity(FigureRequest(frameworks, period=YEAR, **asked)))).share
        for frameworks in (PAIR, (*PAIR, "jax"), (ALL,))
    ]
    assert f"| {row} | {' | '.join(map(format_percent, shares))} |" in PAGE


def test_counts_on_the_page(store):
    view = SnapshotView.choose(store, YEAR, snapshot=2)
    asked = {"frameworks": list(PAIR), "since": YEAR[0], "until": YEAR[1]}
    row = next(one for one in view.run("creation_cutoff", asked) if one["framework"] == "pytorch")
    expected = [f"{row[key]:,}" for key in ("certain", "dated", "undated")]
    assert expected == re.findall(r"^\| (?:dated|older).*\| ([\d,]+) \|$", PAGE, re.MULTILINE)
    assert f"| {row['models_min']:,} to {row['models_max']:,} |" in PAGE
    only, included = (
        next(
            iter(
                view.compute_exclusivity(
                    FigureRequest(PAIR, period=YEAR, population="created", cutoff=cutoff)
                )
            )
        ).numerator
        for cutoff in ("only", "included")
    )
    assert f"| {included:,} |" in PAGE
    assert f"because {only:,} older models" in PAGE


def test_removed_and_changed_models_on_the_page(store):
    rows = SnapshotView.choose(store, None, snapshot=2).run(
        "transitions", {"earlier": 1, "later": 2}
    )
    moved = {(row["before"], row["after"]): row["models"] for row in rows}
    gone = moved["pytorch", "(not there)"]
    all_ = sum(n for (before, _), n in moved.items() if before == "pytorch")
    assert f"{format_percent(gone / all_)} ({gone:,} of {all_:,}) were no longer there" in PAGE
    assert f"{moved['pytorch', 'pytorch + tensorflow']:,} models that were exclusive" in PAGE


def test_json_example_matches_the_report(store):
    expected = json.loads(
        re.search(r"```json\n(.*?)```", (DOCS / "json.md").read_text("utf-8"), re.S)[1]
    )
    out = io.StringIO()
    FORMATS["json"](build(SnapshotView.choose(store, YEAR, snapshot=2), ReportRequest(2022)), out)
    found = json.loads(out.getvalue())
    assert found.keys() == expected.keys()
    assert found["snapshot"].keys() == expected["snapshot"].keys()
    assert found["snapshot"]["models"] == expected["snapshot"]["models"]
    for part in ("figures", "breakdowns"):
        assert expected[part][0] in found[part]
    assert found["tables"][0] == {
        **expected["tables"][0],
        "rows": [*expected["tables"][0]["rows"], *found["tables"][0]["rows"][1:]],
    }
