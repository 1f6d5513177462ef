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
            "createdAt": "2022-08-19T20:19:12.000Z",
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

    def check(days: dict[int, list[dict]], snapshot: int = -1, scope: Scope | None = None) -> dict:
        path, dump = tmp_path / "hfscan.duckdb", tmp_path / "dump.json"
        path.unlink(missing_ok=True)
        with Store.open(path, write=True) as store:
            for day, rows in days.items():
                dump.write_text(json.dumps(rows))
                at = DAY + timedelta(days=day)
                ingest_files(
                    store, [dump], NewSnapshot("import", "d", scope or Scope(), at, at, None)
                )
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
    flagged({0: models(200), 1: models(200)})
    monkeypatch.chdir(tmp_path)
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
    for year in ((), ("--year", "2022")):
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
