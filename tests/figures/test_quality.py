"""Flags on the data of snapshots: in queries, commands and reports."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from testhub import FakeHub, Population

from hfscan.figures import find_flags
from hfscan.scope import Scope
from hfscan.store import NewSnapshot, Store, ingest_files, list_snapshots

DAY = datetime(2024, 7, 1, tzinfo=UTC)


def models(number: int, **columns) -> list[dict]:
    """Return models with downloads; `columns`: values, or functions of the model's number."""
    rows = [
        {
            "_id": f"{0x63000000 + n:08x}{n:016x}",
            "id": f"owner{n}/model{n}",
            "sha": f"{n:040x}",
            "tags": ["pytorch", f"tag{n}"],
            "siblings": [{"rfilename": "pytorch_model.bin"}],
            "downloads": 1_000 + n,
            "downloadsAllTime": 10_000 + n,
        }
        for n in range(number)
    ]
    return [
        row | {key: value(n) if callable(value) else value for key, value in columns.items()}
        for n, row in enumerate(rows)
    ]


@pytest.fixture
def flagged(tmp_path):
    """Return a function: day -> models; it returns the flags of the last snapshot, by name."""

    def check(
        days: dict[int, list[dict]],
        snapshot: int = -1,
        scope: Scope | None = None,
        complete: bool | None = None,
        **how,
    ) -> dict:
        path, dump = tmp_path / "hfscan.duckdb", tmp_path / "dump.json"
        path.unlink(missing_ok=True)
        with Store.open(path, write=True) as store:
            for day, rows in days.items():
                at = DAY + timedelta(days=day)
                created = {"createdAt": f"{at - timedelta(hours=1):%FT%TZ}"}
                dump.write_text(json.dumps([created | row for row in rows]))
                new = NewSnapshot("import", "d", scope or Scope(), at, at, complete, **how)
                ingest_files(store, [dump], new)
            checked = list_snapshots(store)[snapshot]
            found = find_flags(store, [checked])
        return {flag.name: flag for flag in found if flag.snapshot == checked.id}

    return check


def test_plausible_snapshots_have_no_flag(flagged):
    moved = models(210, downloads=lambda n: 1_002 + n, downloadsAllTime=lambda n: 10_070 + n)
    assert flagged({0: models(200), 1: moved}) == {}
    assert flagged({0: models(200)}) == {}


def test_snapshot_without_a_part_of_its_models_is_flagged(flagged):
    days = {0: models(300), 1: models(80), 2: models(305)}
    flag = flagged(days, snapshot=1)["partial"]
    assert flag.message == "80 models, 26.7 % of the 300 of snapshot 1. A part is missing."
    assert "partial" not in flagged(days)
    first = flagged({0: models(80), 1: models(300)}, snapshot=0)["partial"]
    assert (first.numerator, first.denominator, first.compared_with) == (80, 300, 2)
    assert "partial" not in flagged({0: models(80), 30: models(300)}, snapshot=0)  # it grew
    ended = Scope(until=datetime(2023, 1, 1))  # its models can only become fewer
    assert flagged({0: models(300), 400: models(280)}, scope=ended).keys().isdisjoint({"partial"})


def test_snapshot_with_a_time_later_than_its_models_is_flagged(flagged):
    old = {"createdAt": "2024-05-31T23:00:00Z"}
    flag = flagged({0: models(200, **old)})["no_new_models"]
    assert flag.label == "no new models (30 days)"
    assert (flag.numerator, flag.denominator, flag.days) == (0, 200, 30)
    assert flag.message.startswith("No model was created in the 30 days before the snapshot.")
    one_new = models(200, createdAt=lambda n: "2024-06-24T00:00:00Z" if n == 7 else "2022-08-19")
    assert flagged({0: one_new}) == {}
    assert "no_new_models" in flagged({1: one_new})


@pytest.mark.parametrize(("number", "days"), [(100, 7), (50, 14), (10, 70), (1, 700)])
def test_few_models_need_more_days_without_a_new_one(flagged, number, days):
    def created(age):
        return {"createdAt": f"{DAY - timedelta(days=age):%FT%TZ}"}

    assert flagged({0: models(number, **created(days))}) == {}
    assert flagged({0: models(number, **created(days + 1))})["no_new_models"].days == days + 1


def test_snapshot_that_need_not_have_new_models_is_not_flagged(flagged):
    """The newest models are unknown, or not of the scope."""
    old = {"createdAt": "2022-08-19T20:19:12.000Z"}
    assert flagged({0: models(200, createdAt=None)}) == {}
    some_unknown = models(200, createdAt=lambda n: None if n < 3 else "2022-08-19T20:19:12Z")
    assert flagged({0: some_unknown}) == {}
    for scope in (
        Scope(until=datetime(2023, 1, 1)),
        Scope(author="owner1"),
        Scope(task="fill-mask"),
        Scope(limit=200),
    ):
        assert flagged({0: models(200, **old)}, scope=scope) == {}
    assert flagged({0: models(200, **old)}, complete=False) == {}
    assert flagged({0: models(200, **old)}, sample=0.1, sample_design="every tenth") == {}
    assert flagged({0: models(200, **old)}, synthetic="a test") == {}


def test_counters_that_stood_still_are_flagged(flagged):
    still = models(200, downloadsAllTime=lambda n: 10_070 + n)
    flag = flagged({0: models(200), 1: still})["frozen_downloads"]
    assert (flag.numerator, flag.denominator, flag.compared_with) == (200, 200, 1)
    few = {"downloads": 3}  # may well stay the same for a day
    assert flagged({0: models(200, **few), 1: models(200, **few)}) == {}
    assert flagged({0: models(50), 1: models(50)}) == {}  # too few to tell


def test_counters_that_went_back_are_flagged(flagged):
    back = models(200, downloads=lambda n: 999 + n, downloadsAllTime=lambda n: 9_990 + n + n % 20)
    flag = flagged({0: models(200), 1: back})["all_time_went_back"]
    assert (flag.numerator, flag.denominator) == (100, 200)
    assert "The all-time downloads of 50.0 % of 200 models are lower" in flag.message


def test_stale_and_impossible_counts_are_flagged(flagged):
    moved = {"downloads": lambda n: 1_500 + n}
    assert "stale_downloads" not in flagged({0: models(200), 5: models(200, **moved)})
    flag = flagged({0: models(200), 40: models(200, **moved)})["stale_downloads"]
    assert (flag.numerator, flag.compared_with) == (200, 1)
    flag = flagged({0: models(200, downloadsAllTime=5)})["impossible_downloads"]
    assert (flag.numerator, flag.denominator, flag.compared_with) == (200, 200, None)


def test_duplicates_and_mirrors_are_flagged(flagged):
    named = [*models(200), models(201)[-1] | {"id": "Owner0/Model0"}]
    assert flagged({0: named})["duplicate_names"].numerator == 2
    copied = models(200, sha=lambda n: f"{n // 2:040x}" if n < 10 else f"{n:040x}")
    flag = flagged({0: copied})["mirrors"]
    assert flag.message == ("10 of 200 models have the same commit as a model of another account.")
    same_owner = models(200, sha=lambda n: f"{n // 2:040x}", id=lambda n: f"owner/model{n}")
    assert flagged({0: same_owner}) == {}
    alike = models(200, tags=["pytorch"])
    assert flagged({0: alike})["similar_files"].numerator == 200


def test_commands_and_reports_show_flags(flagged, run_cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flagged({0: models(200, createdAt="2024-06-01T12:00:00Z")})
    assert "no new models (29 days)" in run_cli("snapshots")[1]
    message = "No model was created in the 29 days before the snapshot."
    assert message in " ".join(run_cli("report")[1].split())
    assert message in run_cli("report", "--format", "html")[1]
    (flag,) = json.loads(run_cli("report", "--year", "2024", "--format", "json")[1])["flags"]
    assert (flag["name"], flag["days"]) == ("no_new_models", 29)
    flagged({0: models(20, createdAt="2024-04-01T12:00:00Z")})
    message = "No model was created in the 90 days before the snapshot."
    for command in ("report --year 2024", "trend"):
        _, out, err = run_cli(*command.split())
        text = " ".join((out + err).split())
        assert message in text
        assert "2024 (to 1 April)" in text

    flagged({0: models(200), 1: models(200)})
    code, out, _ = run_cli("snapshots", "--format", "json")
    rows = json.loads(out)
    assert (code, rows[0]["flags"]) == (0, [])
    assert {flag["name"] for flag in rows[1]["flags"]} == {"frozen_downloads"}
    flagged({day: models(200) for day in range(4)})  # fewer than are checked
    rows = json.loads(run_cli("snapshots", "--format", "json")[1])
    assert [row["checked"] for row in rows] == [True] * 4
    flagged({0: models(200), 1: models(200)})
    _, out, _ = run_cli("snapshots", "--check", "0", "--format", "json")
    assert [(row["checked"], row["flags"]) for row in json.loads(out)] == [(False, [])] * 2
    assert "frozen downloads (100.0 %)" in run_cli("snapshots", "--format", "csv")[1]
    with FakeHub(Population.synthetic(20, seed=1)) as hub:
        doctor = ("doctor", "--no-backends", "--endpoint", hub.url, "--format", "json")
        checks = {check["area"]: check for check in json.loads(run_cli(*doctor)[1])}
    assert checks["snapshot 2, frozen downloads"]["status"] == "note"
    for year in ((), ("--year", "2024")):
        report = json.loads(run_cli("report", *year, "--format", "json")[1])
        (flag,) = report["flags"]
        assert (flag["name"], flag["numerator"], flag["denominator"]) == (
            "frozen_downloads", 200, 200,
        )  # fmt: skip
        assert f"DATA QUALITY, snapshot 2: {flag['message']}" in report["notes"]


CLAIM = """
claim = "C"
source = "S"
source_note = "A test."
made = "2024"
about = "A"
claimed = "F"
accepts = {{ least = 0, most = 1, why = "w" }}

[primary]
reading = "R"
why = "W."
at = {day:%Y-%m-%d}
query = "{query}"
value = {{ {value}, column = "share" }}
"""


@pytest.mark.parametrize(
    ("query", "value", "names"),
    [
        ("top_shares", 'name = "top 10"', ["frozen_downloads"]),  # its weight is downloads
        ("composition", 'group = "(none)"', []),
    ],
)
def test_claims_by_downloads_show_flags(flagged, run_cli, tmp_path, query, value, names):
    flagged({0: models(200), 1: models(200)})
    (tmp_path / "own").mkdir()
    day = DAY + timedelta(days=1)
    (tmp_path / "own" / "own.toml").write_text(CLAIM.format(day=day, query=query, value=value))
    _, out, _ = run_cli("claims", "--claims", tmp_path / "own", "--format", "json")
    report = json.loads(out)
    assert report["claims"][0]["primary"]["snapshot"] == 2
    assert [flag["name"] for flag in report["flags"]] == names
