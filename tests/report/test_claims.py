"""Published claims: the verdict follows its rule, and every format shows it."""

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from dumps import ingest_models

from hfscan.cli import cli
from hfscan.report import FORMATS
from hfscan.report.claims import evaluate_claims
from hfscan.store import Store


@pytest.fixture(scope="module")
def claims(recorded_db):
    with Store.open(recorded_db) as store:
        return {claim.name: claim for claim in evaluate_claims(store)}


def test_verdicts_on_the_recorded_models(claims):
    verdicts = {name: claim.verdict for name, claim in claims.items()}
    assert verdicts["pytorch-exclusive-2022"] == verdicts["pytorch-added-2022"] == "depends_on"
    depends_on = claims["pytorch-exclusive-2022"].depends_on
    assert depends_on[:2] == ("measure", "definition")
    assert claims["pytorch-added-2022"].depends_on == ("measure",)
    assert verdicts["pytorch-exclusive-2021"] == "contradicted"
    assert verdicts["consistency-2022"] == "internally_inconsistent"
    assert verdicts["consistency-2021"] == "internally_consistent"
    assert verdicts["training-float32"] == "not_measured"
    assert verdicts["industry-tensorflow"] == "not_measurable"
    added = claims["pytorch-added-2022"].measurements[0]
    assert (added.definition, added.frameworks) == ("tag", ("pytorch", "tensorflow"))
    assert (added.low, added.high, added.outcome) == (38_580, 38_999, "contradicts")


MODELS = [
    {"id": f"ann/{n}", "tags": ["pytorch"], "createdAt": "2023-05-01T00:00:00.000Z"}
    for n in range(9)
] + [{"id": "ann/k", "tags": ["tf"], "createdAt": "2023-05-01T00:00:00.000Z"}]

SHARE = """
[[measure]]
what = "share"
at = {at}
query = "exclusivity"
value = {{ name = "exclusive", framework = "pytorch", column = "share" }}
"""


@pytest.fixture
def evaluate_claim(tmp_path):
    """Return a function that evaluates the text of a claim over ten models."""
    db = tmp_path / "h.duckdb"
    ingest_models(db, MODELS, day=datetime(2024, 1, 1, tzinfo=UTC))

    def evaluate(text, at="2024-01-01"):
        folder = tmp_path / "own" / "claims"
        folder.mkdir(parents=True, exist_ok=True)
        head = "claim='C'\ndocument='D'\nmade='M'\nabout='A'\nclaimed='S'\n"
        (folder / "10-own.toml").write_text(head + text.format(at=at))
        with Store.open(db) as store:
            (claim,) = evaluate_claims(store, where=folder.parent)
        return claim

    return evaluate


@pytest.mark.parametrize(
    ("accepts", "expected"),
    [
        ("least = 0.9", "supported"),
        ("least = 0.85, most = 0.95", "supported"),
        ("least = 0.91", "contradicted"),
        ("most = 0.5", "contradicted"),
    ],
)
def test_verdict_follows_the_accepted_values(evaluate_claim, accepts, expected):
    claim = evaluate_claim(f"definitions=['tag']\naccepts={{{{ {accepts} }}}}\n{SHARE}")
    assert claim.name == "own"
    assert claim.verdict == expected
    assert {measurement.low for measurement in claim.measurements} == {0.9}


def test_ratio_of_few_models_is_uncertain(evaluate_claim):
    claim = evaluate_claim(
        """unit = "ratio"
accepts = {{ least = 0.5 }}
definitions = ["tag"]
framework_sets = [["pytorch", "tensorflow"]]
[[measure]]
what = "shared by tags, to TensorFlow"
at = {at}
query = "exclusivity"
value = {{ name = "shared", column = "numerator" }}
divided_by = {{ name = "exclusive", framework = "tensorflow", column = "numerator" }}
"""
    )
    (measurement,) = claim.measurements
    assert measurement.low == 0
    assert measurement.high == pytest.approx(3.84, abs=0.01)  # 0 of 1, not exactly 0
    assert (claim.verdict, measurement.outcome) == ("inconclusive", "inconclusive")


def test_differing_outcomes_name_their_dimension(evaluate_claim):
    claim = evaluate_claim(f"accepts={{{{ least = 0.5 }}}}\n{SHARE}")
    assert claim.verdict == "supported"  # the definition weights needs file names
    assert {
        measurement.definition
        for measurement in claim.measurements
        if measurement.outcome == "unknown"
    } == {"weights"}
    two_measures = SHARE + SHARE.replace('"share"\nat', '"k"\nat').replace(
        '"pytorch"', '"tensorflow"'
    )
    claim = evaluate_claim(f"definitions=['tag']\naccepts={{{{ least = 0.5 }}}}\n{two_measures}")
    assert (claim.verdict, claim.depends_on) == ("depends_on", ("measure",))
    assert claim.detail == "3 of 6 support it, 3 of 6 contradict it"


def test_claim_uses_a_near_or_later_snapshot(evaluate_claim):
    text = f"definitions=['tag']\naccepts={{{{ least = 0.9 }}}}\n{SHARE}"
    near_measurement = evaluate_claim(text, at="2024-03-01").measurements[0]
    assert near_measurement.parameters.get("until") is None
    earlier_measurement = evaluate_claim(text, at="2023-06-01").measurements[0]
    assert earlier_measurement.parameters["until"] == datetime(2023, 6, 1)
    late_claim = evaluate_claim(text, at="2025-06-01")
    assert late_claim.verdict == "not_measured"
    assert "No snapshot of the full Hub after 2025-06-01" in late_claim.detail
    early_claim = evaluate_claim(text, at="2021-06-01")
    assert early_claim.detail == "No snapshot near 2021-06-01, and the Hub's dates begin later."


@pytest.mark.parametrize("command", [["claims"], ["report", "--name", "claims"]])
def test_every_format_shows_the_verdict(evaluate_claim, tmp_path, command):
    evaluate_claim(f"accepts={{{{ least = 0.9 }}}}\n{SHARE}")
    arguments = [*command, "--db", str(tmp_path / "h.duckdb"), "--reports", str(tmp_path / "own")]
    formats = [word for name in (*FORMATS, "csv") for word in ("--format", name)]
    result = CliRunner().invoke(cli, [*arguments, *formats, "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    files = {
        path.name: path.read_text("utf-8")
        for path in (tmp_path / "out").rglob("*")
        if path.is_file() and path.suffix != ".svg"
    }
    assert {"claims.html", "claims.md", "claims.json", "claims.txt", "verdicts.csv"} < set(files)
    for name in set(files) - {"snapshots.csv", "own.csv"}:
        assert "supported" in files[name], name
    report = json.loads(files["claims.json"])
    assert report["summary"]["claims"] == report["summary"]["supported"] == 1
    measurement_rows = report["tables"][1]["rows"]
    assert {row["share_min"] for row in measurement_rows} == {0.9}
    assert (
        {row["snapshot"] for row in measurement_rows}
        == {1}
        == {snapshot["id"] for snapshot in report["snapshots"]}
    )


def test_database_report_rejects_filters(evaluate_claim, tmp_path):
    evaluate_claim(f"accepts={{{{ least = 0.9 }}}}\n{SHARE}")
    arguments = ["report", "--db", str(tmp_path / "h.duckdb"), "--name", "claims"]
    result = CliRunner().invoke(cli, [*arguments, "--year", "2022"])
    assert result.exit_code == 2
    assert "covers the whole database" in result.output
