"""`hfscan crawl` in a separate process against the fake Hub."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest
from processes import run_hfscan, start_hfscan
from testhub import FakeHub, Faults, Population

from hfscan.pipeline import crawl
from hfscan.scope import Scope
from hfscan.store import Store, list_snapshots

POPULATION = Population.synthetic(1_000, seed=11)
COLUMNS = "* EXCLUDE (snapshot)"


def start_crawl(folder: Path, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
    return start_hfscan(folder, "crawl", *arguments, **variables)


def run_crawl(folder: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    return run_hfscan(folder, "crawl", *arguments, **variables)


def start_hub(population: Population = POPULATION, **options: Any) -> FakeHub:
    return FakeHub(population, **{"quota": None, "page_size": 50} | options)


def read_models(
    db: Path, condition: str = "true", columns: str = COLUMNS, snapshot: int = 1
) -> list[tuple[Any, ...]]:
    with duckdb.connect(db, read_only=True) as connection:
        return connection.execute(
            f"SELECT {columns} FROM models_in({snapshot}) WHERE {condition} ORDER BY key"
        ).fetchall()


def test_full_crawl_stores_every_model(tmp_path: Path) -> None:
    with start_hub() as hub:
        code, out, err = run_crawl(tmp_path, "--endpoint", hub.url)
    assert (code, err) == (0, "")
    assert out.startswith(f"Snapshot 1: 1,000 models from {hub.url} in 21 requests and ")
    assert out.splitlines()[0].endswith("in hfscan.duckdb")
    assert "synthetic" in out
    db = tmp_path / "hfscan.duckdb"
    assert [row[0] for row in read_models(db, columns="key")] == list(POPULATION.ids)
    assert sorted(file.name for file in tmp_path.iterdir() if file.name != "hf") == [db.name]


def test_database_folder_may_hold_special_characters(tmp_path: Path) -> None:
    db = tmp_path / "Ann's [2022] {a}" / "h.duckdb"
    db.parent.mkdir()
    with start_hub() as hub:
        code, _, err = run_crawl(tmp_path, "--endpoint", hub.url, "--db", str(db))
    assert (code, err) == (0, "")
    assert len(read_models(db)) == 1_000


def test_year_equals_that_part_of_a_full_crawl(tmp_path: Path) -> None:
    with start_hub(page_size=10) as hub:
        variables = {"HF_ENDPOINT": hub.url}
        assert run_crawl(tmp_path, HFSCAN_DB="full.duckdb", **variables)[0] == 0
        request_count = len(hub.requests)
        code, out, _ = run_crawl(tmp_path, "--year", "2023", HFSCAN_DB="year.duckdb", **variables)
        assert code == 0
        assert "models created from 2023-01-01 until before 2024-01-01" in out
        models_2023 = read_models(tmp_path / "year.duckdb")
        assert models_2023 == read_models(tmp_path / "full.duckdb", "year(created_at) = 2023")
        older_models = read_models(tmp_path / "full.duckdb", "created_at < '2024-01-01'")
        assert len(hub.requests) - request_count == len(older_models) // 10 + 1


@pytest.mark.skipif(os.name != "posix", reason="needs kill -9")
@pytest.mark.parametrize("seed", range(3))
def test_killed_crawl_resumes_when_repeated(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    with start_hub(latency=0.01) as hub:
        kills = 0
        while True:
            process = start_crawl(tmp_path, "--endpoint", hub.url)
            request_count, pages = len(hub.requests), rng.randrange(1, 8)
            while len(hub.requests) < request_count + pages and process.poll() is None:
                time.sleep(0.001)
            if process.poll() is None and kills < 3:
                process.kill()
                kills += 1
            _, err = process.communicate(timeout=300)
            if process.returncode == 0:
                break
            assert process.returncode == -signal.SIGKILL, err
        targets = Counter(request.target for request in hub.requests)
        assert sum(targets.values()) - len(targets) <= kills
        assert len(targets) == 20 + 1  # an empty page proves the end
    db = tmp_path / "hfscan.duckdb"
    assert [row[0] for row in read_models(db, columns="key")] == list(POPULATION.ids)


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_interrupted_crawl_prints_how_to_continue(tmp_path: Path) -> None:
    with start_hub(latency=0.05) as hub:
        process = start_crawl(tmp_path, "--endpoint", hub.url)
        while len(hub.requests) < 3:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
        assert (process.returncode, out) == (130, "")
        assert "Stored data is kept" in err
        assert run_crawl(tmp_path, "--endpoint", hub.url)[0] == 0
        assert len(hub.requests) <= 22


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_interrupt_does_not_wait_for_a_stalled_hub(tmp_path: Path) -> None:
    with start_hub(faults=Faults({"stall": 1.0}, stall=30)) as hub:
        process = start_crawl(tmp_path, "--endpoint", hub.url)
        while not hub.requests:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        start_time = time.monotonic()
        _, err = process.communicate(timeout=300)
        assert time.monotonic() - start_time < 5
    assert process.returncode == 130
    assert "Stored data is kept" in err


def test_crawl_killed_after_ingest_is_stored_once(tmp_path: Path) -> None:
    with start_hub() as hub:
        assert run_crawl(tmp_path, "--endpoint", hub.url, "--limit", "1")[0] == 0
        # as after a kill between ingest and clean-up: the database and a finished journal
        patch = "import hfscan.hub.journal as j; j.Journal.discard = j.Journal.close; "
        script = f"{patch}import sys; sys.argv = ['hfscan', 'crawl', '--endpoint', {hub.url!r}]; "
        subprocess.run(
            [sys.executable, "-c", f"{script}from hfscan.cli import main; main()"],
            cwd=tmp_path,
            check=True,
        )
        request_count = len(hub.requests)
        code, out, _ = run_crawl(tmp_path, "--endpoint", hub.url)
        assert (code, len(hub.requests)) == (0, request_count)
        assert out.startswith("Snapshot 2: 1,000 models")
        assert not (tmp_path / "hfscan.duckdb.journal").exists()
        assert len(read_models(tmp_path / "hfscan.duckdb", snapshot=2)) == 1_000


def test_crawls_within_one_second_are_two_snapshots(tmp_path: Path) -> None:
    db = tmp_path / "h.duckdb"
    with start_hub() as hub:
        for _ in range(4):
            crawl(Scope(limit=3), endpoint=hub.url, token=None, db=db)
    with Store.open(db) as store:
        assert [snapshot.models for snapshot in list_snapshots(store)] == [3] * 4


def test_crawl_counts_unreadable_values(tmp_path: Path) -> None:
    rows = [{"_id": f"63{n:022x}", "id": f"a/{n}", "tags": ["pytorch"]} for n in range(40)]
    invalid_values: dict[str, Any] = {
        "downloads": "many",
        "tags": {"a": 1},
        "gated": 3,
        "siblings": "none",
    }
    rows[7] |= invalid_values
    with start_hub(Population.from_rows(rows)) as hub:
        code, out, _ = run_crawl(tmp_path, "--endpoint", hub.url)
    assert code == 0
    assert out.startswith("Snapshot 1: 40 models")
    for column in ("downloads", "tags", "gated", "files"):
        assert f"Cannot be read, stored as unknown: {column} of 1 model, e.g. " in out


def test_crawl_counts_shared_repo_ids(tmp_path: Path) -> None:
    names = ["a/0", "a/same\x1b[2J", "a/2", *["a/same\x1b[2J"] * 3]
    rows = [{"_id": f"63{n:022x}", "id": name} for n, name in enumerate(names)]
    with start_hub(Population.from_rows(rows)) as hub:
        code, out, _ = run_crawl(tmp_path, "--endpoint", hub.url)
    assert code == 0
    assert out.startswith("Snapshot 1: 3 models")
    assert "Skipped 3: another model has the same repo id, e.g. 'a/same" in out
    assert "\x1b" not in out
    assert read_models(tmp_path / "hfscan.duckdb", "starts_with(id, 'a/same')", "_id") == [
        (rows[5]["_id"],)
    ]


def test_private_models_are_left_out(tmp_path: Path) -> None:
    rows = [{"_id": f"63{n:022x}", "id": f"me/{n}", "private": n == 3} for n in range(9)]
    with start_hub(Population.from_rows(rows), tokens={"hf_me": "me"}) as hub:
        code, out, _ = run_crawl(tmp_path, "--endpoint", hub.url, HF_TOKEN="hf_me")
    assert code == 0
    assert "Snapshot 1: 8 models" in out
    assert "Skipped 1: private." in out
    assert len(read_models(tmp_path / "hfscan.duckdb")) == 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--year", "2021"], "2022<=x<="),
        (["--year", "soon"], "soon"),
        (["--year", "2022", "--since", "2022-01-01"], "--year cannot be combined with"),
        (
            ["--since", "2023-01-01", "--until", "2022-01-01"],
            "--since must be earlier than --until",
        ),
        (["--since", "2999-01-01"], "is in the future"),
        (["--since", "1.2.2023"], "'1.2.2023' is not a time"),
        (["--limit", "0"], "1<=x"),
    ],
)
def test_invalid_value_is_a_usage_error(tmp_path: Path, arguments: list[str], message: str) -> None:
    code, out, err = run_crawl(tmp_path, *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_errors_have_exit_codes_and_advice(tmp_path: Path) -> None:
    code, out, err = run_crawl(tmp_path, "--endpoint", "http://127.0.0.1:9")
    assert (code, out) == (3, "")
    assert "http://127.0.0.1:9" in err
    assert "hfscan demo" in err

    code, _, err = run_crawl(tmp_path, HF_HUB_OFFLINE="1")
    assert code == 3
    assert "HF_HUB_OFFLINE" in err

    with start_hub() as hub:
        code, _, err = run_crawl(tmp_path, "--endpoint", hub.url, HF_TOKEN="hf_wrong")
        assert code == 4
        assert "hf auth login" in err
        assert "hf_wrong" not in err

        hub.faults = Faults({"foreign-link": 1.0})
        code, _, err = run_crawl(tmp_path, "--endpoint", hub.url)
        assert code == 5
        assert "does not follow" in err
        hub.faults = Faults()

        request_count = len(hub.requests)
        with duckdb.connect(tmp_path / "locked.duckdb"):
            code, _, err = run_crawl(tmp_path, "--endpoint", hub.url, "--db", "locked.duckdb")
        assert code == 6
        assert "in use" in err
        (tmp_path / "file").write_text("")
        code, _, err = run_crawl(tmp_path, "--endpoint", hub.url, "--db", "file/x.duckdb")
        assert code == 9
        assert len(hub.requests) == request_count  # refused before the first request


def test_locked_database_keeps_the_fetched_pages(tmp_path: Path) -> None:
    db = tmp_path / "hfscan.duckdb"
    with start_hub(latency=0.02) as hub:
        assert run_crawl(tmp_path, "--endpoint", hub.url, "--limit", "1")[0] == 0
        process = start_crawl(tmp_path, "--endpoint", hub.url)
        while len(hub.requests) < 4:
            time.sleep(0.001)
        with duckdb.connect(db):
            _, err = process.communicate(timeout=300)
        assert process.returncode == 6
        assert "in use" in err
        request_count = len(hub.requests)
        code, out, _ = run_crawl(tmp_path, "--endpoint", hub.url)
        assert (code, len(hub.requests)) == (0, request_count)
        assert out.startswith("Snapshot 2: 1,000 models")
