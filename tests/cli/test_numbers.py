"""Numeric options are finite and bounded; no value overflows or is reported as damage."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
import duckdb
import pytest
from click.testing import CliRunner

from hfscan.cli import COMMANDS, cli
from hfscan.cli._types import Count, Number
from hfscan.errors import DatabaseError, InvalidRequestError
from hfscan.store.duckdb_errors import explain

HUGE = "1" + "0" * 30
FAKE_HUB = ("fake-hub", "--models", "3")


def list_commands() -> Iterator[click.Command]:
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        yield command


def test_every_numeric_option_is_bounded() -> None:
    option_count = 0
    for command in list_commands():
        for param in command.params:
            types = getattr(param.type, "types", [param.type])
            for kind in types:
                is_numeric = isinstance(
                    kind, click.IntRange | click.FloatRange | type(click.INT) | type(click.FLOAT)
                )
                if is_numeric and not getattr(param, "count", False):
                    assert isinstance(kind, Count | Number), (command.name, param.name)
                    assert kind.min is not None
                    assert kind.max is not None
                    option_count += 1
    assert option_count > 20


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("numbers")
    models = [{"id": f"a{n % 3}/m{n}", "tags": ["pytorch"]} for n in range(9)]
    (folder / "dump.json").write_text(json.dumps(models))
    path = folder / "h.duckdb"
    command = ["import", str(folder / "dump.json"), "--observed-at", "2024-07-11"]
    assert CliRunner().invoke(cli, [*command, "--db", str(path)]).exit_code == 0
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        *(("crawl", "--sample", value) for value in ("nan", "inf", "-nan")),
        *(("query", "SELECT 1", "--max-memory", value) for value in ("nan", "inf", "1e30")),
        *(("query", "SELECT 1", "--max-disk", value) for value in ("nan", "inf", "1e30")),
        ("query", "SELECT 1", "--limit", "18446744073709551616"),
        ("query", "SELECT 1", "--snapshot", HUGE),
        ("snapshot", "--target", "state", "--retention-days", HUGE),
        ("snapshot", "--target", "state", "--max-age", HUGE),
        ("report", "--exclude-top-authors", "9223372036854775807"),
        ("report", "--by", "author", "--top", HUGE),
        ("report", "--compare-snapshot", HUGE),
        ("crawl", "--limit", HUGE),
        ("crawl", "--sample", "0.5", "--seed", HUGE),
        ("backfill-dates", "--limit", HUGE),
        ("delete", HUGE),
        *(("parity", "--demo", "--timeout", value) for value in ("nan", "inf", "1e30")),
        *(("parity", "--demo", "--memory", value) for value in ("nan", "inf", "1e30")),
        ("parity", "--demo", "--rounds", HUGE),
        ("parity", "--demo", "--threads", HUGE),
        *((*FAKE_HUB, "--latency", value) for value in ("nan", "inf", "1e30")),
        (*FAKE_HUB, "--quota", HUGE),
        (*FAKE_HUB, "--port", HUGE),
        (*FAKE_HUB, "--fault", "500=nan"),
        ("fake-hub", "--models", HUGE),
    ],
)
def test_numbers_out_of_bounds_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, arguments)
    assert isinstance(result.exception, SystemExit), result.exception
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Invalid value for" in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("query", "SELECT 1", "--max-memory", "1e6", "--max-disk", "1e6"), 0),
        (("query", "SELECT 1", "--limit", "2147483647"), 0),
        (("report", "--by", "author", "--top", "2147483647"), 0),
        (("report", "--snapshot", "2147483647"), 7),
        (("report", "--exclude-top-authors", "2147483647"), 7),
        (("delete", "2147483647"), 7),
    ],
)
def test_the_largest_numbers_are_accepted(db: Path, arguments: tuple[str, ...], code: int) -> None:
    result = CliRunner().invoke(cli, [*arguments, "--db", str(db)])
    assert getattr(result.exception, "exit_code", result.exit_code) == code, result.exception


@pytest.mark.parametrize(
    "sql", ["SELECT 'x'::INT", "SELECT 9223372036854775807 + 1", "SELECT chr(-1)"]
)
def test_an_invalid_value_is_not_called_damage(sql: str) -> None:
    with pytest.raises(duckdb.Error) as excinfo:
        duckdb.execute(sql).fetchall()
    error = explain(excinfo.value, Path("h.duckdb"))
    assert isinstance(error, InvalidRequestError)
    assert not isinstance(error, DatabaseError)
    assert "damaged" not in str(error)
    assert "hfscan doctor" in str(error)
