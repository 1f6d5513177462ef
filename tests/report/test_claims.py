"""Published claims: the verdict follows its rule, and every format shows it."""

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from hfscan.cli import cli
from hfscan.report import FORMATS
from hfscan.report.claims import evaluate_claims
from hfscan.scope import Scope
from hfscan.store import NewSnapshot, Store, ingest_files


@pytest.fixture(scope="module")
def claims(censuses):
    with Store.open(censuses) as store:
        return {claim.name: claim for claim in evaluate_claims(store)}


def test_verdicts_on_the_recorded_censuses(claims):
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
def verdict(tmp_path):
    """Return a function: the text of a claim -> the claim, claims over ten models."""
    dump, db = tmp_path / "dump.json", tmp_path / "h.duckdb"
    dump.write_text(json.dumps(MODELS))
    day = datetime(2024, 1, 1, tzinfo=UTC)
    with Store.open(db, write=True) as store:
        ingest_files(store, [dump], NewSnapshot("import", "x", Scope(), day, day, None))

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
        return list(evaluate_claims(store, where=where))


@pytest.mark.parametrize(
    ("accepts", "expected"),
    [
        ("least = 0.9", "supported"),
        ("least = 0.85, most = 0.95", "supported"),
        ("least = 0.91", "contradicted"),
        ("most = 0.5", "contradicted"),
    ],
)
def test_verdict_follows_the_accepted_values(verdict, accepts, expected):
    claim = verdict(f"definitions=['tag']\naccepts={{{{ {accepts} }}}}\n{SHARE}")
    assert claim.name == "own"
    assert claim.verdict == expected
    assert {one.low for one in claim.measurements} == {0.9}


def test_differing_outcomes_name_their_dimension(verdict):
    claim = verdict(f"accepts={{{{ least = 0.5 }}}}\n{SHARE}")
    assert claim.verdict == "supported"  # the definition weights needs file names
    assert {one.definition for one in claim.measurements if one.outcome == "unknown"} == {"weights"}
    both = SHARE + SHARE.replace('"share"\nat', '"k"\nat').replace('"pytorch"', '"tensorflow"')
    claim = verdict(f"definitions=['tag']\naccepts={{{{ least = 0.5 }}}}\n{both}")
    assert (claim.verdict, claim.depends_on) == ("depends_on", ("measure",))
    assert claim.detail == "3 of 6 support it, 3 of 6 contradict it"


def test_claim_uses_a_near_or_later_snapshot(verdict):
    text = f"definitions=['tag']\naccepts={{{{ least = 0.9 }}}}\n{SHARE}"
    near = verdict(text, at="2024-03-01").measurements[0]
    assert near.parameters.get("until") is None
    back = verdict(text, at="2023-06-01").measurements[0]
    assert back.parameters["until"] == datetime(2023, 6, 1)
    late = verdict(text, at="2025-06-01")
    assert late.verdict == "not_measured"
    assert "No snapshot of the full Hub after 2025-06-01" in late.detail
    early = verdict(text, at="2021-06-01")
    assert early.detail == "No snapshot near 2021-06-01, and the Hub's dates begin later."


@pytest.mark.parametrize("asked", [["claims"], ["report", "--name", "claims"]])
def test_every_format_shows_the_verdict(verdict, tmp_path, asked):
    verdict(f"accepts={{{{ least = 0.9 }}}}\n{SHARE}")
    arguments = [*asked, "--db", str(tmp_path / "h.duckdb"), "--reports", str(tmp_path / "own")]
    formats = [word for name in (*FORMATS, "csv") for word in ("--format", name)]
    done = CliRunner().invoke(cli, [*arguments, *formats, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
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
    measured = report["tables"][1]["rows"]
    assert {row["share_min"] for row in measured} == {0.9}
    assert (
        {row["snapshot"] for row in measured} == {1} == {one["id"] for one in report["snapshots"]}
    )


def test_database_report_rejects_filters(verdict, tmp_path):
    verdict(f"accepts={{{{ least = 0.9 }}}}\n{SHARE}")
    arguments = ["report", "--db", str(tmp_path / "h.duckdb"), "--name", "claims"]
    done = CliRunner().invoke(cli, [*arguments, "--year", "2022"])
    assert done.exit_code == 2
    assert "covers the whole database" in done.output
