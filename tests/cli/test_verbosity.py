"""`hfscan -v`, `-vv` and `-q`: the lines logged on stderr."""

import pytest
from processes import TOKEN, run_hfscan
from testhub import FakeHub, Faults, Population


@pytest.fixture
def crawl(tmp_path):
    """Return a function that crawls 300 models with these options: stdout and stderr."""

    def run_crawl(*options, faults=None, command=("crawl",)):
        population = Population.synthetic(300, seed=1)
        with FakeHub(population, tokens={TOKEN: "ann"}, page_size=100, faults=faults) as hub:
            code, out, err = run_hfscan(
                tmp_path, *options, *command, HF_ENDPOINT=hub.url, HF_TOKEN=TOKEN
            )
        assert code == 0
        return out, err

    return run_crawl


def test_default_logs_nothing(crawl):
    out, err = crawl()
    assert out.startswith("Snapshot 1: 300 models")
    assert err == ""


def test_v_logs_steps_and_retries(crawl):
    _, err = crawl("-v", faults=Faults({"503": 0.5}, seed=1))
    assert "INFO fetched 300 models in 3 pages" in err
    assert "INFO snapshot 1 holds 300 models" in err
    assert "answered 503" in err
    assert "GET http" not in err


def test_vv_logs_requests_with_their_ids(crawl):
    _, err = crawl("-vv")
    requests = [line for line in err.splitlines() if "DEBUG request" in line]
    assert any("GET http://127.0.0.1" in line and "/api/models?" in line for line in requests)
    # an empty page proves the end
    assert sum("200, x-request-id Root=1-" in line for line in requests) == 4


def test_q_omits_notes(crawl, tmp_path):
    crawl("--quiet")
    assert crawl(command=("report", "--out", "r.md"))[1] == "Wrote r.md\n"
    assert crawl("-q", command=("report", "--out", "r.md"))[1] == ""
    assert (tmp_path / "r.md").is_file()


def test_v_and_q_are_refused_together(run_cli):
    code, out, err = run_cli("-v", "-q", "snapshots")
    assert (code, out) == (2, "")
    assert "-v cannot be combined with -q." in err
