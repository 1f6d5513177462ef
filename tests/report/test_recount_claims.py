"""Every reading of a claim, and the queries of the ecosystem report, equal a recount."""

from collections import Counter
from datetime import datetime
from math import inf

import pytest
import recount
import recount_claims
from recount import NEW, OLD, WITH_FILES

from hfscan.figures import AccountGroups, SnapshotView
from hfscan.report.claims import evaluate_claims
from hfscan.store import Store

pytestmark = pytest.mark.slow

MILESTONES = """
claim = "C"
source = "S"
source_note = "A test."
made = "2024"
about = "A"
claimed = "F"
unit = "days"
accepts = { least = 1, why = "W" }

[primary]
reading = "the first"
why = "W"
at = 2024-07-11
query = "milestones"
parameters = { every = 250_000 }
value = { models = 250_000, column = "days" }

[[alternative]]
reading = "the third"
choice = "C"
value = { models = 750_000, column = "days" }
"""
LEAST_READINGS = {
    "exclusivity": 35, "creation_cutoff": 4, "formats": 6, "top_shares": 7, "composition": 13,
    "pickle": 2, "milestones": 2,
}  # fmt: skip
COUNTRIES = AccountGroups("country", {"Qwen": "China", "BAAI": "China", "google": "United States"})


def test_claim_readings_equal_a_recount(recorded_db, models, shared_data, tmp_path):
    (tmp_path / "10-milestones.toml").write_text(MILESTONES)
    with Store.open(recorded_db) as store:
        claims = [
            *evaluate_claims(store, account_groups=COUNTRIES),
            *evaluate_claims(store, tmp_path),
        ]
    dates = recount.read_dates(shared_data / "hub-2022-10-created.parquet")
    rows_of, checked = {}, Counter()
    for claim in claims:
        specs = {spec.reading: spec for _, spec in claim.spec.readings}
        for reading in claim.readings:
            if reading.low is None:
                continue
            # a reading may name the first day of the Hub's dates after its own text
            spec = specs[max(filter(reading.reading.startswith, specs), key=len)]
            assert spec.parameters.items() <= reading.parameters.items()
            asked = (reading.query, reading.snapshot, repr(sorted(reading.parameters.items())))
            if asked not in rows_of:
                rows_of[asked] = recount_claims.COUNTS[reading.query](
                    models[reading.snapshot], reading.parameters, dates
                )
            expected = recount_claims.find_value(rows_of[asked], spec, claim.spec.unit)
            if claim.spec.unit == "count" and reading.high is None:
                expected = expected[0], inf  # a snapshot from before the claim's day
            is_exact = reading.low == reading.high or isinstance(spec.value["column"], list)
            measured = (reading.low, inf if reading.high is None else reading.high)
            assert measured == (expected if is_exact else pytest.approx(expected, rel=1e-9)), (
                claim.name,
                reading,
            )
            checked[reading.query] += 1
    for query, least in LEAST_READINGS.items():
        assert checked[query] >= least, query


@pytest.mark.parametrize(
    ("query", "snapshot", "parameters"),
    [
        ("pickle", WITH_FILES, {}),
        ("pickle", WITH_FILES, {"definition": "extensions", "min_downloads": 100}),
        ("pickle", OLD, {"definition": "extensions"}),
        ("composition", WITH_FILES, {"by": "model_card", "weight": "downloads"}),
        ("composition", NEW, {"by": "base_author", "until": datetime(2024, 1, 1)}),
        ("composition", NEW, {"by": "license", "cutoff": "only", "min_downloads": 1}),
        ("top_shares", NEW, {"per": "author", "under": 10, "percent": 0.05}),
        ("top_shares", OLD, {}),
        ("top_shares", NEW, {"per": "library", "weight": "likes", "since": datetime(2023, 1, 1)}),
        ("lorenz", NEW, {}),
        ("lorenz", NEW, {"per": "author", "weight": "likes", "points": 7, "cutoff": "excluded"}),
        ("lorenz", OLD, {"per": "library", "points": 3}),
        ("composition", NEW, {"by": "license", "per": "year", "weight": "downloads"}),
        ("composition", NEW, {"by": "task", "per": "month", "weight": "likes"}),
        ("composition", NEW, {"by": "gated"}),
        ("composition", WITH_FILES, {"by": "gated", "per": "year"}),
        ("tag_values", NEW, {"of": "language", "weight": "downloads"}),
        ("tag_values", NEW, {"of": "paper", "min_downloads": 1_000}),
        ("tag_values", NEW, {"of": "license", "until": datetime(2024, 1, 1)}),
        ("tag_values", OLD, {"of": "paper", "weight": "likes"}),
        ("pickle", WITH_FILES, {"weight": "downloads", "min_downloads": 1_000}),
        ("orphans", OLD, {}),
        ("orphans", NEW, {"weight": "downloads"}),
        ("orphans", NEW, {"by": "author", "top": 50, "min_downloads": 1}),
        ("orphans", WITH_FILES, {}),
        ("orphans", WITH_FILES, {"by": "model", "weight": "downloads", "top": 9}),
        ("milestones", NEW, {"every": 100_000}),
    ],
    ids=str,
)
def test_ecosystem_queries_equal_a_recount(recorded_db, models, query, snapshot, parameters):
    with Store.open(recorded_db) as store:
        rows = SnapshotView.latest(store, snapshot=snapshot).run(query, parameters)
    expected = recount_claims.COUNTS[query](models[snapshot], parameters, None)
    columns = expected[0].keys()
    counted = [{key: row[key] for key in columns} for row in rows if row.get("name") != "gini"]
    assert sorted(counted, key=repr) == sorted(expected, key=repr)


def test_known_concentration_of_july_2024(recorded_db, models):
    with Store.open(recorded_db) as store:
        view = SnapshotView.latest(store, snapshot=NEW)
        shares = {row["name"]: row["share"] for row in view.run("top_shares", {})}
        licenses = {row["group"]: row["share"] for row in view.run("composition", {})}
    downloads = sorted((model.downloads for model in models[NEW]), reverse=True)
    expected = {
        "top 10": (sum(downloads[:10]) / sum(downloads), 0.564),
        "top 200": (sum(downloads[:200]) / sum(downloads), 0.847),
        "top 1 %": (sum(downloads[:7_600]) / sum(downloads), 0.989),
        "none": (downloads.count(0) / 760_000, 0.495),
    }
    assert len(downloads) == 760_000
    for name, (share, published) in expected.items():
        assert shares[name] == pytest.approx(share, abs=1e-9), name
        assert round(share, 3) == published, name
    without = sum(model.groups["license"] == "(none)" for model in models[NEW])
    assert licenses["(none)"] == pytest.approx(without / 760_000, abs=1e-9)
    assert round(without / 760_000, 3) == 0.622
