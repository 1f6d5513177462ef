"""`hfscan import` reads the same values in every time zone, and reports unreadable ones."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner
from dumps import encode_lines
from processes import run_hfscan

from hfscan.cli import cli
from hfscan.timestamps import parse_timestamp

EAST_AND_WEST = ["Asia/Kolkata", "America/Los_Angeles"]


@pytest.mark.parametrize("zone", EAST_AND_WEST)
def test_time_zone_does_not_shift_dates(tmp_path, zone):
    """Parquet with TIMESTAMP WITH TIME ZONE, as of pandas and polars; JSON with offsets."""
    dump, db = tmp_path / "d.parquet", tmp_path / "h.duckdb"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            "COPY (SELECT 'a/' || n AS id, ['pytorch'] AS tags, "
            "TIMESTAMPTZ '2022-03-02 23:29:04+00' AS \"createdAt\", "
            "TIMESTAMP_NS '2022-03-02 23:29:04' AS \"lastModified\", "
            f"DATE '2022-03-02' AS day FROM range(3) AS t(n)) TO '{dump}'"
        )
    run_command = partial(run_hfscan, tmp_path, TZ=zone)
    assert run_command("import", dump, "--observed-at", "2024-07-11", "--db", db)[0] == 0
    lines = tmp_path / "d.jsonl"
    lines.write_text('{"id": "a/b", "tags": [], "createdAt": "2023-01-01T04:00:00+05:30"}\n')
    observed_at = "2024-07-12T01:00:00+05:30"
    assert run_command("import", lines, "--observed-at", observed_at, "--db", db)[0] == 0
    sql = (
        "SELECT DISTINCT created_at::VARCHAR AS c, last_modified::VARCHAR AS m, at_cutoff "
        "FROM models_in({})"
    )
    _, first_rows, _ = run_command("query", sql.format(1), "--db", db, "--format", "json")
    assert json.loads(first_rows) == [
        {"c": "2022-03-02 23:29:04", "m": "2022-03-02 23:29:04", "at_cutoff": True}
    ]
    _, second_rows, _ = run_command("query", sql.format(2), "--db", db, "--format", "json")
    assert json.loads(second_rows)[0]["c"] == "2022-12-31 22:30:00"
    snapshots = json.loads(run_command("snapshots", "--db", db, "--format", "json")[1])
    assert [snapshot["observed_to"] for snapshot in snapshots] == [
        "2024-07-11 00:00:00",
        "2024-07-11 19:30:00",
    ]
    _, zone_rows, _ = run_command(
        "query", "SELECT now()::VARCHAR AS now", "--db", db, "--format", "json"
    )
    assert json.loads(zone_rows)[0]["now"].endswith("+00")


@pytest.mark.parametrize("zone", EAST_AND_WEST)
@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_imported_creation_dates_are_utc(tmp_path, zone, kind):
    dump, dates, db = tmp_path / "d.jsonl", tmp_path / f"dates.{kind}", tmp_path / "h.duckdb"
    dump.write_text('{"id": "a/b", "tags": [], "createdAt": "2022-03-02T23:29:04.000Z"}\n')
    rows = [
        ("a/b", "2021-01-01T04:00:00+05:30"),
        ("a/b", "2021-06-01T00:00:00Z"),
        ("a/c", "Wed, 02 Mar 2022 23:29:04 GMT"),
        ("a/d", "06/01/2022"),
        (None, "2021-01-01"),
    ]
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE dates (id VARCHAR, created_at VARCHAR)")
        connection.executemany("INSERT INTO dates VALUES (?, ?)", rows)
        connection.execute(f"COPY dates TO '{dates}'")
    run_command = partial(run_hfscan, tmp_path, TZ=zone)
    assert run_command("import", dump, "--observed-at", "2024-07-11", "--db", db)[0] == 0
    _, out, _ = run_command("import", "--creation-dates", dates, "--db", db)
    assert out.splitlines() == [
        f"Stored 2 creation dates in {db}",
        "Skipped 1: no valid model id.",
        "Skipped 1: date cannot be read, e.g. '06/01/2022'.",
        "Skipped 1: later dates of the same model.",
        "1 of the ids are in no snapshot.",
    ]
    sql = "SELECT id, created_at::VARCHAR AS at FROM creation_dates ORDER BY id"
    _, dates_json, _ = run_command("query", sql, "--db", db, "--format", "json")
    assert json.loads(dates_json) == [
        {"id": "a/b", "at": "2020-12-31 22:30:00"},
        {"id": "a/c", "at": "2022-03-02 23:29:04"},
    ]


def test_unreadable_values_are_reported(tmp_path):
    dump, db = tmp_path / "d.jsonl", tmp_path / "h.duckdb"
    rows = [{"id": "a/b", "tags": ["pytorch"], "createdAt": "2023-01-01T00:00:00Z"}]
    rows.append({"id": "a/c", "tags": "\x1b[31mred text", "createdAt": "06/01/2023"})
    dump.write_bytes(encode_lines(rows))
    invoke = CliRunner().invoke
    result = invoke(cli, ["import", str(dump), "--observed-at", "2024-07-11", "--db", str(db)])
    assert (
        "Cannot be read, stored as unknown: created_at of 1 model, e.g. '06/01/2023'."
        in result.output
    )
    assert "tags of 1 model, e.g. '\N{REPLACEMENT CHARACTER}[31mred text'" in result.output
    snapshots = json.loads(invoke(cli, ["snapshots", "--db", str(db), "--format", "json"]).stdout)
    assert snapshots[0]["unreadable"][0] == "created_at of 1 model, e.g. '06/01/2023'"
    report = invoke(cli, ["report", "--year", "2023", "--full", "--db", str(db)])
    assert report.exit_code == 0
    assert "the field created_at could not be read for 1 of 2 models" in report.stdout.replace(
        "\n", " "
    )


def test_huge_downloads_do_not_break_reports(run_cli, tmp_path):
    dump, db = tmp_path / "d.jsonl", tmp_path / "h.duckdb"
    rows = [
        {"id": f"a/{n}", "tags": ["pytorch"], "downloads": 2**63 - 1, "likes": 2**63 - 1,
         "createdAt": "2023-01-01T00:00:00Z", "safetensors": {"total": 2**63 - 1}}
        for n in range(3)
    ]  # fmt: skip
    rows.append({**rows[0], "id": "a/x", "downloads": 2**64 - 1})
    dump.write_bytes(encode_lines(rows))
    for day in ("2024-07-11", "2024-07-12"):
        assert run_cli("import", dump, "--observed-at", day, "--db", db)[0] == 0
    for arguments in (
        ("report",),
        ("report", "--year", "2023", "--weight", "downloads", "--format", "json"),
        ("report", "--by", "size", "--format", "html", "--out", tmp_path / "r.html"),
        ("trend", "--weight", "downloads"),
        ("query", "sudden_drops"),
        ("export", tmp_path / "e"),
    ):
        code, _, err = run_cli(*arguments, "--db", db)
        assert code == 0, err


@pytest.mark.parametrize("locale", ["C", "de_DE.UTF-8"])
def test_parse_timestamp_ignores_locale(locale):
    code = (
        "import contextlib, locale\n"
        "with contextlib.suppress(locale.Error): locale.setlocale(locale.LC_ALL, '')\n"
        "from hfscan.timestamps import parse_timestamp\n"
        "print(parse_timestamp('Wed, 02 Mar 2022 23:29:04 GMT'))"
    )
    process = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"LC_ALL": locale}, capture_output=True,
        text=True, check=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdout == f"{parse_timestamp('2022-03-02T23:29:04Z')}\n"


def test_impossible_creation_dates_are_left_out(run_cli, tmp_path):
    dates = tmp_path / "dates.csv"
    rows = ["a/b,2021-01-01,2020-01-01", "a/c,1970-01-01,", "a/d,9999-01-01,", "a/e,,2019-05-05",
            "https://hf.co/,2020-01-01,", "a/f,2020-01-01,2020-01-01T00:00:00Z"]  # fmt: skip
    dates.write_text("\n".join(["id,created_at,createdAt", *rows]))
    code, out, err = run_cli("import", "--creation-dates", dates, "--db", tmp_path / "h.duckdb")
    assert code == 0
    for line in (
        "Stored 3 creation dates",
        "Skipped 1: no valid model id.",
        "Skipped 2: date cannot be read, e.g. '1970-01-01'.",
        "1 row with another date in a second column",
    ):
        assert line in out + err


@pytest.mark.parametrize(
    ("text", "expected", "message"),
    [("", 8, "is empty"), ("id,created_at\n", 0, "has no creation dates to store")],
)
def test_file_without_creation_dates_is_reported(run_cli, tmp_path, text, expected, message):
    dates = tmp_path / "dates.csv"
    dates.write_text(text)
    code, out, err = run_cli("import", "--creation-dates", dates, "--db", tmp_path / "h.duckdb")
    assert code == expected
    assert message in out + err


def test_unreadable_privacy_is_named_in_refusal(run_cli, tmp_path):
    dump = tmp_path / "d.csv"
    dump.write_text("id,private\na/b,maybe\na/c,maybe\n")
    code, _, err = run_cli(
        "import", dump, "--observed-at", "2024-07-11", "--db", tmp_path / "h.duckdb"
    )
    assert code == 12
    assert "2 were left out, as it could not be read whether they are private" in err
    assert "'maybe'" in err


def test_damaged_parquet_page_names_its_file(run_cli, tmp_path):
    good_file, bad_file = tmp_path / "good.parquet", tmp_path / "bad.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT 'a/' || n AS id, md5(n::VARCHAR) AS sha FROM range(20_000) AS t(n)) "
            f"TO '{good_file}'"
        )
    data = bytearray(good_file.read_bytes())
    damaged_part = slice(len(data) // 3, len(data) // 3 + 4_000)
    data[damaged_part] = bytes(byte ^ 0x5A for byte in data[damaged_part])
    bad_file.write_bytes(data)
    code, _, err = run_cli(
        "import", good_file, bad_file, "--observed-at", "2024-07-11", "--db", tmp_path / "h.duckdb"
    )
    assert code == 8
    assert "bad.parquet" in err
