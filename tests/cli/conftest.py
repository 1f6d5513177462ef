"""Run `hfscan crawl` in a separate process, and other commands on small snapshots."""

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner
from dumps import ingest_models
from processes import run_hfscan, start_hfscan

from hfscan.cli import cli


class CrawlRunner:
    """Runs `hfscan crawl`, or another command, in a folder and against `endpoint`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.endpoint = folder, "http://127.0.0.1:9"

    def start(
        self, *arguments: str, command: str = "crawl", **variables: str
    ) -> "subprocess.Popen[str]":
        return start_hfscan(
            self.folder, command, "--endpoint", self.endpoint, *arguments, **variables
        )

    def __call__(
        self, *arguments: str, command: str = "crawl", **variables: str
    ) -> tuple[int, str, str]:
        """Return exit code, stdout and stderr."""
        return run_hfscan(
            self.folder, command, "--endpoint", self.endpoint, *arguments, **variables
        )

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on the database."""
        with duckdb.connect(self.folder / "hfscan.duckdb", read_only=True) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def crawl(tmp_path: Path) -> CrawlRunner:
    return CrawlRunner(tmp_path)


@pytest.fixture
def create_crawl() -> Callable[[Path], CrawlRunner]:
    return CrawlRunner


@pytest.fixture
def run_command(tmp_path: Path) -> Callable[..., str]:
    """Return a function that runs a command; its `import_day` imports models of a day."""
    db = tmp_path / "h.duckdb"

    def import_day(day, *models, **fields):
        ingest_models(db, models, day=datetime.fromisoformat(day).replace(tzinfo=UTC), **fields)

    def invoke(*arguments):
        command = [*map(str, arguments), "--db", str(db)]
        return CliRunner().invoke(cli, command, catch_exceptions=False)

    def run(*arguments):
        return invoke(*arguments).stdout

    run.import_day, run.invoke = import_day, invoke  # type: ignore[attr-defined]
    return run
