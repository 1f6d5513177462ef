"""`hfscan crawl` as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

ROOT = Path(__file__).parents[2]


class Crawls:
    """Runs `hfscan crawl`, or another command, in a folder of its own, against `endpoint`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.endpoint = folder, "http://127.0.0.1:9"

    def start(
        self, *arguments: str, command: str = "crawl", **variables: str
    ) -> "subprocess.Popen[str]":
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HFSCAN_"))}
        home = {"HF_HOME": str(self.folder / "hf"), "PYTHONUTF8": "1", "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            [sys.executable, "-m", "hfscan", command, "--endpoint", self.endpoint, *arguments],
            cwd=self.folder,
            env=kept | home | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(
        self, *arguments: str, command: str = "crawl", **variables: str
    ) -> tuple[int, str, str]:
        """Return exit code, stdout and stderr."""
        process = self.start(*arguments, command=command, **variables)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the database."""
        with duckdb.connect(self.folder / "hfscan.duckdb", read_only=True) as connection:
            return connection.execute(sql).fetchall()


@pytest.fixture
def crawl(tmp_path: Path) -> Crawls:
    return Crawls(tmp_path)


@pytest.fixture
def crawls_in() -> Callable[[Path], Crawls]:
    return Crawls
