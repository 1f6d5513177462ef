"""First commits are found while histories grow; one failure does not affect other models."""

import json
from pathlib import Path

import pytest
from servers import Handler, serve_handler
from testhub import FakeHub, Faults, Population

from hfscan import hub
from hfscan.errors import HubRefusedError, HubUnreachableError, InvalidResponseError
from hfscan.hub.retry import RetryPolicy
from hfscan.scope import CreationDate

RETRY = RetryPolicy(attempts=3, wait_initial=0.01, wait_max=0.05, read_timeout=2)
POPULATION = Population.synthetic(400, seed=1)
NAMES = [model["id"] for model in POPULATION if ".first_commit" in model]


def fetch_dates(
    root: Path, url: str, names: list[str], token: str | None = None
) -> hub.FirstCommitResults:
    with hub.FirstCommitLog(root, url) as log:
        return hub.fetch_first_commits(
            names, endpoint=url, token=token, log=log, retry_policy=RETRY
        )


def test_failed_model_is_named_and_others_are_dated(tmp_path: Path) -> None:
    class FailingCommits(Faults):
        def pick(self, target: str) -> str | None:
            return "500" if NAMES[1] in target else None

    with FakeHub(POPULATION, quota=None, faults=FailingCommits()) as server:
        result = fetch_dates(tmp_path, server.url, NAMES[:5])
    assert [model.id for model in result.found] == [NAMES[0], *NAMES[2:5]]
    assert list(result.failed) == [NAMES[1]]
    assert "500" in result.failed[NAMES[1]]


def test_failing_hub_is_reported(tmp_path: Path) -> None:
    with FakeHub(POPULATION, quota=None, faults=Faults({"500": 1.0}, most=1_000)) as server:
        with pytest.raises(HubUnreachableError, match="500"):
            fetch_dates(tmp_path, server.url, NAMES)
        assert len(server.requests) == 9
    with pytest.raises(HubUnreachableError, match="cannot be reached"):
        fetch_dates(tmp_path, "http://127.0.0.1:9", NAMES)


def test_invalid_token_is_not_read_as_missing_models(tmp_path: Path) -> None:
    with FakeHub(POPULATION, quota=None) as server:
        with pytest.raises(HubRefusedError, match="token was refused"):
            fetch_dates(tmp_path, server.url, NAMES, token="hf_wrong")
        result = fetch_dates(tmp_path, server.url, ["no/model"])
        assert result.found == [CreationDate("no/model", None)]


class ScriptedHandler(Handler):
    """A history that grows from two commits to three while it is read, and three bad redirects."""

    pushed = False

    def answer(self) -> None:
        commits = [{"date": f"2020-01-0{day}T00:00:00Z"} for day in (3, 2, 1)]
        if "growing" in self.path:
            history = commits if ScriptedHandler.pushed else commits[1:]
            start = 1 if "p=1&" in self.path else 2 if "p=2&" in self.path else 0
            ScriptedHandler.pushed = True
            self.respond(
                200, json.dumps(history[start : start + 1]).encode(), x_total_count=len(history)
            )
        elif "far" in self.path:
            self.respond(307, b"", location="http://127.0.0.2:9/api/models/a/b/commits/main")
        elif "odd" in self.path:
            self.respond(307, b"", location="/login")
        elif "empty" in self.path:
            self.respond(200, b"[]", x_total_count=0)
        else:
            self.respond(307, b"", location=self.path)


def test_growing_histories_and_bad_redirects(tmp_path: Path) -> None:
    with serve_handler(ScriptedHandler) as url:
        result = fetch_dates(tmp_path, url, ["a/far", "a/growing", "a/odd", "a/empty", "a/round"])
        with pytest.raises(InvalidResponseError, match="does not follow"):
            fetch_dates(tmp_path, url, ["a/far"])
    dates = {model.id: model.created_at and model.created_at.day for model in result.found}
    assert dates == {"a/growing": 1, "a/empty": None}
    assert {name: reason.split(" ")[1] for name, reason in result.failed.items()}.keys() == {
        "a/far", "a/odd", "a/round",
    }  # fmt: skip
