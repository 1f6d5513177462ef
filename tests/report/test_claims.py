"""Published claims: every measured value equals a plain recount, and the verdict its rule."""

import json
from collections import Counter
from datetime import UTC, datetime

import pytest
import recount
from click.testing import CliRunner

from hfscan.cli import cli
from hfscan.report import FORMATS
from hfscan.report.claims import weigh
from hfscan.scope import Scope
from hfscan.store import Observation, Store


@pytest.fixture(scope="module")
def weighed(censuses):
    path, _ = censuses
    with Store.open(path) as store:
        return {claim.name: claim for claim in weigh(store)}


def test_every_measurement_equals_a_plain_recount(weighed, censuses, shared_data):
    _, models = censuses
    dates = recount.dates(shared_data / "hub-2022-10-created.parquet")
    checked = Counter()
    for claim in weighed.values():
        for one in claim.measurements:
            if one.low is None:
                continue
            count = {"exclusivity": by_shares, "floor": by_floor, "formats": by_formats}[one.query]
            low, high = count(claim, one, models[one.source], dates)
            assert (one.low, one.high) == pytest.approx((low, high), abs=2e-9), (claim.name, one)
            checked[one.query] += 1
    assert checked["exclusivity"] > 80
    assert checked["floor"] > 20
    assert checked["formats"] > 5


def by_shares(claim, one, models, _):
    asked = one.parameters
    if tag := asked.get("tag"):
        mark = tag[:6] if tag == "arxiv:" else tag
        models = [model for model in models if mark in model.marks]
    created, until = "since" in asked, asked.get("until")
    figures = recount.count(
        models,
        definition=one.definition,
        universe=one.universe,
        population="created" if created else "existing",
        period=until and (f"{asked.get('since')}", f"{until}"),
        floor=asked.get("floor"),
        weight=asked.get("weight", "models"),
        without_top=0,
        by=None,
        top=None,
    )
    framework = "tensorflow" if "TensorFlow" in one.what else "pytorch"
    name = "available" if "available" in one.what else "exclusive"
    numerator, denominator = figures[name, framework, None]
    if claim.unit == "share" and claim.least and claim.least > 1:
        value = numerator
    elif one.what == "available in PyTorch, of the models that cite arXiv":
        value = numerator / figures["none", None, None][1]
    else:
        value = numerator / denominator
    return value, value


def by_floor(claim, one, models, dates):
    found = recount.dated(
        models, dates, definition=one.definition, universe=one.universe, year=2022
    )
    framework = "tensorflow" if "TensorFlow" in one.what else "pytorch"
    certain, dated, undated, _ = found["exclusive", framework]
    if claim.least > 1:
        return certain + dated, certain + dated + undated
    sums = [sum(column) for column in zip(*found.values(), strict=True)]
    return (
        (certain + dated) / (sum(sums[:3]) - undated),
        (certain + dated + undated) / (sum(sums[:2]) + undated),
    )


def by_formats(claim, one, models, _):
    def having(framework, year=None):
        return sum(
            framework in getattr(model, one.definition)
            for model in models
            if (model.created < "2023-01-01" if year is None else model.created[:4] == year)
            and not (year and model.at_floor)
        )

    def created(year):
        return sum(model.created[:4] == year and not model.at_floor for model in models)

    if claim.name == "onnx-grows":
        value = having("onnx", "2023") / having("onnx", "2022")
        if "share" in one.what:
            value /= created("2023") / created("2022")
    else:
        rival = "coreml" if "Core ML" in one.what else "onnx"
        value = having("tflite") / having(rival)
    return value, value


def test_the_verdicts_on_the_recorded_censuses(weighed):
    verdicts = {name: claim.verdict for name, claim in weighed.items()}
    assert verdicts["pytorch-exclusive-2022"].startswith("depends on what is counted, the defin")
    assert verdicts["pytorch-added-2022"] == "depends on what is counted"
    assert verdicts["pytorch-exclusive-2021"] == "contradicted"
    assert verdicts["shares-of-one-whole-2022"] == "its own figures cannot share one denominator"
    assert verdicts["shares-of-one-whole-2021"] == "its figures fit"
    assert verdicts["training-float32"] == "not measured"
    assert verdicts["industry-tensorflow"] == "not measurable from the Hub"
    added = weighed["pytorch-added-2022"].measurements[0]
    assert (added.definition, added.universe) == ("tag", ("pytorch", "tensorflow"))
    assert (added.low, added.high, added.says) == (38_580, 38_999, "contradicts")


MODELS = [
    {"id": f"ann/{n}", "tags": ["pytorch"], "createdAt": "2023-05-01T00:00:00.000Z"}
    for n in range(9)
] + [{"id": "ann/k", "tags": ["tf"], "createdAt": "2023-05-01T00:00:00.000Z"}]

SHARE = """
[[measure]]
what = "share"
at = {at}
query = "exclusivity"
of = {{ name = "exclusive", framework = "pytorch", column = "share" }}
"""


@pytest.fixture
def verdict(tmp_path):
    """Return a function: the text of a claim -> the claim, weighed over ten models."""
    dump, db = tmp_path / "dump.json", tmp_path / "h.duckdb"
    dump.write_text(json.dumps(MODELS))
    day = datetime(2024, 1, 1, tzinfo=UTC)
    with Store.open(db, write=True) as store:
        store.ingest([dump], Observation("import", "x", Scope(), day, day, None))

    def write(text, at="2024-01-01"):
        folder = tmp_path / "own" / "claims"
        folder.mkdir(parents=True, exist_ok=True)
        head = "claim='C'\ndocument='D'\nmade='M'\nabout='A'\nclaimed='S'\n"
        (folder / "10-own.toml").write_text(head + text.format(at=at))
        (claim,) = weigh_own(db, folder.parent)
        return claim

    return write


def weigh_own(db, where):
    with Store.open(db) as store:
        return list(weigh(store, where=where))


@pytest.mark.parametrize(
    ("accepts", "said"),
    [
        ("least = 0.9", "supported"),
        ("least = 0.85, most = 0.95", "supported"),
        ("least = 0.91", "contradicted"),
        ("most = 0.5", "contradicted"),
    ],
)
def test_what_lies_in_the_words_of_a_claim_supports_it(verdict, accepts, said):
    claim = verdict(f"definitions=['tag']\naccepts={{{{ {accepts} }}}}\n{SHARE}")
    assert claim.name == "own"
    assert claim.verdict == said
    assert {one.low for one in claim.measurements} == {0.9}


def test_answers_that_differ_name_what_they_differ_in(verdict):
    claim = verdict(f"accepts={{{{ least = 0.5 }}}}\n{SHARE}")
    assert claim.verdict == "supported"  # by weights nothing can be told, for want of file names
    assert {one.definition for one in claim.measurements if one.says == "cannot tell"} == {
        "weights"
    }
    both = SHARE + SHARE.replace('"share"\nat', '"k"\nat').replace('"pytorch"', '"tensorflow"')
    claim = verdict(f"definitions=['tag']\naccepts={{{{ least = 0.5 }}}}\n{both}")
    assert claim.verdict == "depends on what is counted"
    assert claim.why == "3 of 6 support it, 3 of 6 contradict it"


def test_an_observation_is_near_or_looks_back(verdict):
    text = f"definitions=['tag']\naccepts={{{{ least = 0.9 }}}}\n{SHARE}"
    near = verdict(text, at="2024-03-01").measurements[0]
    assert near.parameters.get("until") is None
    back = verdict(text, at="2023-06-01").measurements[0]
    assert back.parameters["until"] == datetime(2023, 6, 1)
    late = verdict(text, at="2025-06-01")
    assert late.verdict == "not measured"
    assert "No observation of the whole Hub after 2025-06-01" in late.why
    early = verdict(text, at="2021-06-01")
    assert early.why == "No observation near 2021-06-01, and the Hub's dates begin later."


@pytest.mark.parametrize("asked", [["claims"], ["report", "--name", "claims"]])
def test_every_format_tells_the_verdict(verdict, tmp_path, asked):
    verdict(f"accepts={{{{ least = 0.9 }}}}\n{SHARE}")
    arguments = [*asked, "--db", str(tmp_path / "h.duckdb"), "--reports", str(tmp_path / "own")]
    formats = [word for name in (*FORMATS, "csv") for word in ("--format", name)]
    done = CliRunner().invoke(cli, [*arguments, *formats, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    told = {
        path.name: path.read_text("utf-8")
        for path in (tmp_path / "out").rglob("*")
        if path.is_file() and path.suffix != ".svg"
    }
    assert {"claims.html", "claims.md", "claims.json", "claims.txt", "verdicts.csv"} < set(told)
    for name in set(told) - {"sources.csv", "own.csv"}:
        assert "supported" in told[name], name
    report = json.loads(told["claims.json"])
    assert report["summary"]["claims"] == report["summary"]["supported"] == 1
    measured = report["tables"][1]["rows"]
    assert {row["share_low"] for row in measured} == {0.9}
    assert {row["source"] for row in measured} == {1} == {one["id"] for one in report["sources"]}


def test_what_narrows_a_report_has_no_place_in_one_of_the_whole_database(verdict, tmp_path):
    verdict(f"accepts={{{{ least = 0.9 }}}}\n{SHARE}")
    arguments = ["report", "--db", str(tmp_path / "h.duckdb"), "--name", "claims"]
    done = CliRunner().invoke(cli, [*arguments, "--year", "2022"])
    assert done.exit_code == 2
    assert "is of the whole database" in done.output
