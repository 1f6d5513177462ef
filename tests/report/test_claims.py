"""Published claims: the verdict follows from the most plausible reading; every format shows it."""

import json
import re
from datetime import UTC, datetime

import pytest
from claim_texts import HEAD, MODELS, PRIMARY, SUM, TENSORFLOW, accepts
from click.testing import CliRunner
from dumps import ingest_models

from hfscan.cli import cli
from hfscan.errors import InvalidRequestError
from hfscan.paths import data_dir
from hfscan.report import FORMATS
from hfscan.report.claims import evaluate_claims
from hfscan.report.claims.spec import load_claims
from hfscan.store import Store

VERDICTS = {
    "pytorch-exclusive-2022": "not_reproduced",
    "pytorch-added-2022": "depends",
    "pytorch-exclusive-2021": "not_reproduced",
    "tensorflow-exclusive-2022": "overstated",
    "tensorflow-added-2022": "overstated",
    "tensorflow-available-2022": "overstated",
    "tensorflow-available-2021": "overstated",
    "consistency-2022": "inconsistent",
    "consistency-2021": "consistent",
    "research-pytorch": "not_measurable",
    "family-bert": "supported",
    "family-gpt2": "supported",
    "family-xlnet": "supported",
    "mobile-tensorflow": "supported",
    "onnx-grows": "supported",
    "serving-tensorflow": "not_measurable",
    "tensorboard": "not_measurable",
    "training-float32": "not_measured",
    "inference-float32": "not_measured",
    "memory-tensorflow": "not_measured",
    "industry-tensorflow": "not_measurable",
    "top-10-downloads": "understated",
    "models-2024": "understated",
    "pytorch-models-2024": "understated",
    "tensorflow-models-2024": "understated",
    "china-17": "not_measurable",
    "top-200-downloads": "not_measured",
}


@pytest.fixture(scope="module")
def claims(recorded_db):
    with Store.open(recorded_db) as store:
        return {claim.name: claim for claim in evaluate_claims(store)}


def test_verdicts_on_the_recorded_models(claims):
    assert len(claims) >= 46
    assert {name: claims[name].verdict for name in VERDICTS} == VERDICTS
    added = claims["pytorch-added-2022"].primary
    assert (added.low, added.high) == (38_580, 38_999)
    assert (added.deleted_most, added.high_if_deleted) == (0.3, 55_713)
    counted = "38,580 to 38,999 (estimate: up to 55,713 if 30 % were deleted since)"
    assert claims["pytorch-added-2022"].measured == counted
    assert (
        f"Measured: {counted}; it depends on how" in claims["pytorch-added-2022"].judgement.detail
    )


def test_zero_on_one_side_of_a_ratio_is_a_finding(claims):
    litert, core_ml = claims["mobile-tensorflow"].readings
    assert (litert.counts, litert.high, litert.outcome) == ((34, 0), None, "supports")
    assert litert.low == pytest.approx(8.85, abs=0.01)
    detail = claims["mobile-tensorflow"].judgement.detail
    assert "34 against 0 (8.85 times or more, 95 % interval)" in detail
    assert re.fullmatch(r"[0-9.]+ to [0-9.]+ times", claims["onnx-grows"].measured)
    assert core_ml.counts == (34, 40)
    assert (core_ml.low, core_ml.high) == pytest.approx((0.54, 1.34), abs=0.005)
    assert core_ml.outcome == "open"


def test_sum_of_stated_shares_does_not_support_them(claims):
    claim = claims["consistency-2021"]
    assert claim.measured == "sum: 101 %"
    assert claim.judgement.detail.endswith("; whether they are right was not checked.")


def test_share_has_its_counts(claims):
    share = claims["pytorch-exclusive-2022"].primary.as_row()
    assert (share["numerator"], share["denominator"]) == (52_786, 58_120)
    counted = [claims[name].primary.as_row() for name in ("pytorch-added-2022", "models-2024")]
    assert not [row for row in counted if "denominator" in row]


def test_claim_without_a_snapshot_of_its_time_shows_the_newest(claims):
    license = claims["no-license-2025"]
    assert license.verdict == "not_measured"
    newest = license.readings[-2]
    assert (newest.role, newest.snapshot, round(newest.low, 3)) == ("apart", 2, 0.622)
    assert newest.apart


def test_verdict_texts_have_at_most_two_sentences(claims):
    for claim in claims.values():
        assert len(re.findall(r"[.!?](?=\s|$)", claim.judgement.detail)) in (1, 2), claim.name
        assert claim.judgement.would_change.endswith("."), claim.name


def test_claims_name_their_sources():
    for claim in load_claims(data_dir("reports") / "claims"):
        assert claim.quote or claim.second_hand or claim.source_note or claim.adds, claim.name
        assert re.fullmatch(r"20\d\d(-\d\d){0,2}", claim.made), claim.name
        for reading in (claim.primary, *claim.alternative, *claim.proxy):
            assert reading is None or reading.reading[-1] != ".", claim.name


@pytest.mark.parametrize(
    ("text", "verdict", "detail"),
    [
        (accepts(0.7, 0.8) + PRIMARY, "supported", "The claim would hold for 70 % to 80 %."),
        (accepts(0.8, 0.9) + PRIMARY, "contradicted", "Measured: 75.0 %"),
        (
            accepts(0.8, 0.9) + 'direction = { least = 0.5, text = "most are" }\n' + PRIMARY,
            "overstated",
            "Apart from its figure it holds: most are.",
        ),
        (
            accepts(0.6, 0.7) + 'direction = { least = 0.5, text = "most are" }\n' + PRIMARY,
            "understated",
            "75.0 %, more than claimed; the claim would hold for 60 % to 70 %.",
        ),
        (
            accepts(0.6, 0.7) + 'direction = { least = 0.9, text = "nearly all are" }\n' + PRIMARY,
            "contradicted",
            "Measured: 75.0 %",
        ),
        (
            accepts(0.2, 0.3) + PRIMARY + TENSORFLOW.format(kind="alternative", key="choice"),
            "not_reproduced",
            "A less plausible reading fits: t gives 25.0 %.",
        ),
        (
            accepts(0.4, 0.5) + PRIMARY + TENSORFLOW.format(kind="alternative", key="choice"),
            "not_reproduced",
            "No reading gives that: some are too low, some too high.",
        ),
        (
            accepts(0.7, 0.8) + PRIMARY + TENSORFLOW.format(kind="alternative", key="choice"),
            "depends",
            "It depends on the framework: t gives 25.0 %.",
        ),
        (
            accepts(0.7, 0.8) + PRIMARY + TENSORFLOW.format(kind="alternative", key="apart"),
            "supported",
            "Measured: 75.0 %",
        ),
        (
            accepts(0.7, 0.8) + PRIMARY + TENSORFLOW.format(kind="proxy", key="choice"),
            "supported",
            "Measured: 75.0 %",
        ),
        (
            'not_measurable = "It is about apps."\n'
            + PRIMARY.replace("[primary]", "[[proxy]]"),
            "not_measurable",
            "It is about apps.",
        ),
        (
            accepts(0.7, 0.8) + PRIMARY.replace("2024-01-01", "2025-06-01"),
            "not_measured",
            "no snapshot of the full Hub near or after 2025-06-01 with dates.",
        ),
        (
            accepts(0.7, 0.8) + PRIMARY.replace("2024-01-01", "2021-06-01"),
            "not_measured",
            "no snapshot near 2021-06-01, and the Hub's dates begin later.",
        ),
        (SUM.format(0.2), "inconsistent", "A + b make 110 %."),
        (SUM.format(0.1), "consistent", "A + b make 100 %."),
    ],
)  # fmt: skip
def test_verdict_follows_from_the_primary_reading(evaluate_claim, text, verdict, detail):
    claim = evaluate_claim(text)
    assert (claim.name, claim.verdict) == ("own", verdict)
    assert detail in claim.judgement.detail


TOP_SHARES = PRIMARY.replace('"exclusivity"', '"top_shares"').replace(
    'name = "exclusive", framework = "pytorch"', 'name = "top 1"'
)
POPULAR = PRIMARY.replace('"exclusivity"', '"composition"').replace(
    'name = "exclusive", framework = "pytorch"', 'group = "mit"'
) + "parameters = { min_downloads = 1 }\n"  # fmt: skip


@pytest.mark.parametrize("text", [TOP_SHARES, POPULAR])
def test_reading_of_downloads_needs_a_snapshot_with_them(evaluate_claim, text):
    claim = evaluate_claim(accepts(0.7, 0.8) + text)
    assert claim.judgement.detail.endswith("near 2024-01-01 with downloads.")


def test_few_downloads_have_no_interval(tmp_path):
    (tmp_path / "10-own.toml").write_text(HEAD + accepts(0.7, 0.8) + TOP_SHARES)
    models = [{"id": f"ann/{n}", "tags": [], "downloads": n} for n in range(1, 5)]
    ingest_models(tmp_path / "h.duckdb", models, day=datetime(2024, 1, 1, tzinfo=UTC))
    with Store.open(tmp_path / "h.duckdb") as store:
        (claim,) = evaluate_claims(store, tmp_path)
    assert (claim.primary.low, claim.primary.high) == (0.4, 0.4)


def test_few_models_have_an_interval(evaluate_claim):
    claim = evaluate_claim(
        accepts(0.1, 0.13)
        + PRIMARY.replace('query = "exclusivity"', 'query = "composition"').replace(
            'name = "exclusive", framework = "pytorch"', 'group = "mit"'
        )
    )
    assert (claim.primary.low, claim.primary.high) == pytest.approx((0.096, 0.161), abs=0.001)
    assert claim.verdict == "depends"
    assert "chance, as the counts are small" in claim.judgement.detail


def test_deleted_models_are_an_estimate_beside_the_count(evaluate_claim):
    text = "unit = 'count'\n" + accepts(400, 500) + PRIMARY.replace('"share"', '"numerator"')
    assert evaluate_claim(text).verdict == "contradicted"  # 300 models
    text += 'deleted_most = 0.3\nuncertain = "deletions"\n'
    claim = evaluate_claim(text)
    assert (claim.primary.low, claim.primary.high, claim.primary.high_if_deleted) == (300, 300, 429)
    assert claim.measured == "300 (estimate: up to 429 if 30 % were deleted since)"
    assert claim.verdict == "depends"
    assert f"Measured: {claim.measured}; it depends on deletions." in claim.judgement.detail


def test_downloads_of_another_time_have_no_part(evaluate_claim):
    reading = PRIMARY.replace("2024-01-01", "2023-06-01")
    claim = evaluate_claim(accepts(0.7, 0.8) + reading)
    assert claim.primary.parameters["until"] == datetime(2023, 6, 1)
    assert claim.verdict == "supported"
    claim = evaluate_claim(accepts(0.7, 0.8) + reading + 'parameters = { weight = "downloads" }\n')
    assert claim.verdict == "not_measured"
    assert "no snapshot of the full Hub near 2023-06-01 with downloads." in claim.judgement.detail


def test_snapshot_soon_after_the_day_is_cut_to_it(evaluate_claim, tmp_path):
    """A count at the end of May is not that of the snapshot of July."""
    text = "unit = 'count'\n" + accepts(250, 350) + PRIMARY.replace('"share"', '"numerator"')
    late = [MODELS[0] | {"id": f"eve/{n}", "createdAt": "2024-06-10T00:00:00Z"} for n in range(99)]
    day = datetime(2024, 7, 1, tzinfo=UTC)
    ingest_models(tmp_path / "h.duckdb", [*MODELS, *late], day=day)
    claim = evaluate_claim(text.replace("at = 2024-01-01", "at = 2024-06-01"))
    assert (claim.primary.snapshot, claim.primary.low, claim.primary.high) == (2, 300, 300)
    claim = evaluate_claim(text.replace("at = 2024-01-01", "at = 2024-07-20"))
    assert (claim.primary.low, claim.primary.high) == (399, None)  # more until the day


def test_period_before_the_hubs_dates_is_unknown(evaluate_claim):
    period = "since = 2021-01-01\nuntil = 2022-01-01"
    claim = evaluate_claim(accepts(0, 1) + PRIMARY.replace("at = 2024-01-01", period))
    assert claim.verdict == "not_measured"
    assert "the Hub's dates begin later" in claim.judgement.detail


def test_ratio_of_shares_of_one_population_uses_its_columns(evaluate_claim):
    text = PRIMARY.replace('"exclusivity"', '"composition"').replace(
        'name = "exclusive", framework = "pytorch"', 'group = ["mit", "(none)"], sum = true'
    )
    text += 'divided_by = { group = "mit", column = "share" }\n'
    claim = evaluate_claim("unit = 'ratio'\n" + accepts(8, 8) + text)
    assert claim.primary.low == claim.primary.high == pytest.approx(8)  # 400 to 50
    assert claim.verdict == "supported"


@pytest.fixture
def run_claims(evaluate_claim, tmp_path):
    """Return a function that runs `hfscan claims` on the folder `own`, with one claim."""
    evaluate_claim('topic = "pickle"\nquote = "Q"\n' + accepts(0.7, 0.8) + PRIMARY)

    def run(*arguments):
        options = ["--db", str(tmp_path / "h.duckdb"), "--claims", str(tmp_path / "own")]
        return CliRunner().invoke(cli, ["claims", *options, *arguments])

    return run


def test_every_format_shows_the_verdict(run_claims, tmp_path):
    formats = [word for name in (*FORMATS, "csv") for word in ("--format", name)]
    result = run_claims(*formats, "--out", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    files = {
        path.name: path.read_text("utf-8")
        for path in (tmp_path / "out").rglob("*")
        if path.is_file() and path.suffix != ".svg"
    }
    assert {"claims.html", "claims.md", "claims.json", "claims.txt"} < set(files)
    for name in set(files) - {"snapshots.csv", "own.csv"}:
        assert "upported" in files[name], name
    report = json.loads(files["claims.json"])
    assert report["summary"]["claims"] == report["summary"]["supported"] == 1
    (claim,) = report["claims"]
    assert claim["accepts"] == {"least": 0.7, "most": 0.8, "why": "w"}
    assert claim["primary"] == {
        "reading": "R", "why": "W.", "role": "primary", "low": 0.75, "high": 0.75, "snapshot": 1,
        "query": "exclusivity", "parameters": {"transformers": 4}, "outcome": "supports",
        "coverage": 1.0, "numerator": 300, "denominator": 400,
    }  # fmt: skip
    assert "300 of 400" in files["claims.md"]
    keys = "name claim quote source source_note made claimed alternatives verdict detail".split()
    assert [claim[key] for key in keys] == [
        "own", "C", "Q", "S", "A test.", "2024", "F", [], "supported", claim["detail"],
    ]  # fmt: skip
    assert '<div class="card supported">' in files["claims.html"]


def test_terminal_shows_the_verdicts_first(recorded_db):
    def run(*arguments):
        return CliRunner().invoke(cli, ["claims", "--db", str(recorded_db), *arguments]).stdout

    overview = run()
    assert "overstated" in overview
    assert "56.4 %" in overview
    assert re.search(r"\(62.2 %\) +2024-07-11", overview)  # another time than the claim's
    assert "Understood as" not in overview
    page = run("top-10-downloads")
    assert (
        "Understated. Measured: 56.4 %, more than claimed; the claim would hold for 46.65 % to"
        in " ".join(page.split())
    )
    assert "Understood as" in page
    assert "can be used with PyTorch only" not in page
    pickle = " ".join(run("pickle").split())
    assert "How many models use pickle?" in pickle
    assert not re.search(r"\b0 \w", pickle.split("Verdicts")[0])  # no verdict without a claim
    assert run("--full").count("Understood as") > 40


def test_unknown_claim_is_refused(run_claims):
    assert "Did you mean 'own'?" in str(run_claims("owm").exception)


def test_countries_come_from_a_table(run_claims, tmp_path):
    text = HEAD + accepts(0.7, 0.8) + PRIMARY.replace('"exclusivity"', '"composition"').replace(
        'name = "exclusive", framework = "pytorch"', 'group = "Utopia"'
    ) + 'parameters = { by = "account_group" }\n'  # fmt: skip
    (tmp_path / "own" / "10-own.toml").write_text(text)
    assert "not measurable" in run_claims().output
    table = tmp_path / "countries.csv"
    table.write_text("account,country\nann,Utopia\nbob,Elsewhere\n")
    assert "75.0 %" in run_claims("--account-groups", str(table)).output
    for content, message in {
        "name,country\nann,Utopia\n": "two columns: account, and",
        "account,country\nann,Utopia\nann,Elsewhere\n": "line 3: ann is in two groups (country",
        "account,country\nann,\n": "line 2: account or country is empty",
    }.items():
        table.write_text(content)
        assert message in str(run_claims("--account-groups", str(table)).exception)


def test_database_report_rejects_filters(run_claims, tmp_path):
    arguments = ["report", "--db", str(tmp_path / "h.duckdb"), "--name", "claims"]
    assert CliRunner().invoke(cli, arguments).exit_code == 0
    result = CliRunner().invoke(cli, [*arguments, "--year", "2022"])
    assert isinstance(result.exception, InvalidRequestError)
    assert "covers the whole database" in str(result.exception)
