"""`hfscan doctor` reports each check with a hint, and changes nothing."""

import json
import sys
import time

import duckdb
import pytest
from processes import TOKEN, run_hfscan
from testhub import FakeHub, Faults, Population

from hfscan import __version__


@pytest.fixture
def hub():
    population = Population.synthetic(300, seed=1)
    with FakeHub(population, tokens={TOKEN: "me"}, page_size=20) as hub:
        yield hub


@pytest.fixture
def run_doctor(tmp_path, hub):
    def run(*arguments, code, **variables):
        exit_code, out, err = run_hfscan(
            tmp_path, "doctor", "--format", "json", *arguments, HF_ENDPOINT=hub.url, **variables
        )
        assert (exit_code, err) == (code, "")
        return {row["area"]: row for row in json.loads(out)}

    return run


def get_statuses(checks) -> dict[str, str]:
    return {area: check["status"] for area, check in checks.items()}


def test_doctor_before_first_crawl(run_doctor, hub, tmp_path) -> None:
    checks = run_doctor("--no-backends", code=0)
    assert __version__ in checks["hfscan"]["message"]
    assert f"duckdb {duckdb.__version__}" in checks["packages"]["message"]
    assert "hfscan crawl" in checks["database"]["hint"]
    assert checks["hub"]["message"] == f"{hub.url} responds"
    assert checks["rate limit"]["message"].startswith("499 of 500 requests left, reset in ")
    assert get_statuses(checks)["token"] == "note"
    assert len(hub.requests) == 1
    assert not list(tmp_path.iterdir())


def test_doctor_after_crawl_with_token(run_doctor, crawl, hub, tmp_path) -> None:
    crawl.endpoint = hub.url
    assert crawl("--limit", "5")[0] == 0
    checks = run_doctor("--no-backends", code=0, HF_TOKEN=TOKEN)
    assert "hfscan.duckdb: 1 snapshot, the latest of 20" in checks["database"]["message"]
    assert checks["token"]["message"] == "found"
    assert "of 1,000 requests left" in checks["rate limit"]["message"]
    assert "journal" not in checks


def test_doctor_reports_unfinished_crawl(run_doctor, crawl, hub) -> None:
    crawl.endpoint, hub.latency = hub.url, 0.02
    process = crawl.start()
    while len(hub.requests) < 5:
        time.sleep(0.001)
    process.kill()
    process.communicate()
    hub.latency = 0.0
    checks = run_doctor("--no-backends", code=0)
    assert f"an unfinished crawl of {hub.url}, begun " in checks["journal"]["message"]
    assert "kept" in checks["journal"]["message"]
    assert "--no-resume" in checks["journal"]["hint"]


def test_doctor_reports_hub_errors(run_doctor, hub) -> None:
    checks = run_doctor("--no-backends", "--endpoint", "http://127.0.0.1:9", code=1)
    assert checks["hub"]["status"] == "problem"
    assert "--endpoint" in checks["hub"]["message"]
    assert "rate limit" not in checks
    checks = run_doctor("--no-backends", code=1, HF_TOKEN="hf_wrong")
    assert "hf auth login" in checks["hub"]["message"]
    assert "hf_wrong" not in json.dumps(checks)
    assert (
        run_doctor("--no-backends", code=0, HF_HUB_OFFLINE="1")["hub"]["hint"]
        == "Unset it to crawl."
    )
    hub.faults = Faults({"error-object": 1.0}, most=99)
    assert "rate limited" in run_doctor("--no-backends", code=1)["hub"]["message"]


def test_doctor_reports_database_errors(run_doctor, tmp_path) -> None:
    (tmp_path / "hfscan.duckdb").write_text("dear diary " * 5_000)
    checks = run_doctor("--no-backends", code=1)
    assert "not a DuckDB database" in checks["database"]["message"]
    (tmp_path / "hfscan.duckdb").unlink()
    with duckdb.connect(tmp_path / "hfscan.duckdb") as connection:
        connection.execute("CREATE TABLE mine (x INTEGER)")
    assert "not hfscan's" in run_doctor("--no-backends", code=1)["database"]["message"]


def test_doctor_starts_backends(run_doctor, tmp_path) -> None:
    backend = tmp_path / "python"
    reply = {"id": 1, "ok": True, "versions": {"torch": "9.9"}, "device": "Abacus 3", "threads": 1}
    script = f"input()\nprint('''{json.dumps(reply)}''', flush=True)\ninput()\n"
    backend.write_text(f"#!{sys.executable}\n{script}")
    backend.chmod(0o755)
    checks = run_doctor(
        "--backend-python", f"pytorch={backend}", "--backend-python", "flax=/nowhere/python", code=0
    )
    assert checks["backend pytorch"]["message"] == "torch 9.9; GPU: Abacus 3"
    assert "/nowhere/python" in checks["backend flax"]["message"]
    assert "not installed" in checks["backend flax"]["message"]
    assert "hfscan parity setup tensorflow" in checks["backend flax"]["message"]
    assert checks["environment pytorch"]["message"].startswith("for pytorch, torch-export, onnx")
    assert checks["environment pytorch"]["message"].endswith(": missing")
    assert "network" in checks["confinement"]["message"]


def test_doctor_refuses_wrong_backends(run_cli) -> None:
    for backends in ("pytorch", "tinygrad=python"):
        code, _, err = run_cli("doctor", "--backend-python", backends)
        assert code == 2
        assert "pytorch" in err
