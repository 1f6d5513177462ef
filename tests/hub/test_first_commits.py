"""First commits are found while histories grow; one failure does not affect other models."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from testhub import FakeHub, Faults, Population

from hfscan import hub
from hfscan.errors import HubRefusedError, HubUnreachableError, InvalidResponseError
from hfscan.hub.retry import RetryPolicy
from hfscan.scope import CreationDate

RETRY = RetryPolicy(attempts=3, wait_initial=0.01, wait_max=0.05, read_timeout=2)
POPULATION = Population.synthetic(400, seed=1)
NAMES = [model["id"] for model in POPULATION if ".first_commit" in model]


def dated(
    root: Path, url: str, names: list[str], token: str | None = None
) -> hub.FirstCommitResults:
    with hub.FirstCommitLog(root, url) as log:
        return hub.fetch_first_commits(
            names, endpoint=url, token=token, log=log, retry_policy=RETRY
        )


def test_failed_model_is_named_and_others_are_dated(tmp_path: Path) -> None:
    class Broken(Faults):
        def pick(self, target: str) -> str | None:
            return "500" if NAMES[1] in target else None

    with FakeHub(POPULATION, quota=None, faults=Broken()) as server:
        result = dated(tmp_path, server.url, NAMES[:5])
    assert [model.id for model in result.found] == [NAMES[0], *NAMES[2:5]]
    assert list(result.failed) == [NAMES[1]]
    assert "500" in result.failed[NAMES[1]]


def test_failing_hub_is_reported(tmp_path: Path) -> None:
    with FakeHub(POPULATION, quota=None, faults=Faults({"500": 1.0}, most=1_000)) as server:
        with pytest.raises(HubUnreachableError, match="500"):
            dated(tmp_path, server.url, NAMES)
        assert len(server.requests) == 9
    with pytest.raises(HubUnreachableError, match="cannot be reached"):
        dated(tmp_path, "http://127.0.0.1:9", NAMES)


def test_invalid_token_is_not_read_as_missing_models(tmp_path: Path) -> None:
    with FakeHub(POPULATION, quota=None) as server:
        with pytest.raises(HubRefusedError, match="token was refused"):
            dated(tmp_path, server.url, NAMES, token="hf_wrong")
        assert dated(tmp_path, server.url, ["no/model"]).found == [CreationDate("no/model", None)]


class Scripted(BaseHTTPRequestHandler):
    """A history that grows from two commits to three while it is read; and three bad redirects."""

    pushed = False

    def do_GET(self) -> None:
        old = [{"date": f"2020-01-0{day}T00:00:00Z"} for day in (3, 2, 1)]
        if "growing" in self.path:
            history = old if Scripted.pushed else old[1:]
            place = 1 if "p=1&" in self.path else 2 if "p=2&" in self.path else 0
            Scripted.pushed = True
            self.answer(200, json.dumps(history[place : place + 1]), x_total_count=len(history))
        elif "far" in self.path:
            self.answer(307, "", location="http://127.0.0.2:9/api/models/a/b/commits/main")
        elif "odd" in self.path:
            self.answer(307, "", location="/login")
        elif "empty" in self.path:
            self.answer(200, "[]", x_total_count=0)
        else:
            self.answer(307, "", location=self.path)

    def answer(self, status: int, body: str, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_growing_histories_and_bad_redirects(tmp_path: Path) -> None:
    server = HTTPServer(("127.0.0.1", 0), Scripted)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        result = dated(tmp_path, url, ["a/far", "a/growing", "a/odd", "a/empty", "a/round"])
        with pytest.raises(InvalidResponseError, match="does not follow"):
            dated(tmp_path, url, ["a/far"])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    dates = {model.id: model.created_at and model.created_at.day for model in result.found}
    assert dates == {"a/growing": 1, "a/empty": None}
    assert {name: why.split(" ")[1] for name, why in result.failed.items()}.keys() == {
        "a/far", "a/odd", "a/round",
    }  # fmt: skip
