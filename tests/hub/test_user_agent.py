"""The Hub can tell who asks, and where to turn about it."""

import platform
from email.message import Message
from importlib import metadata

import httpx
import pytest
from testhub import FakeHub, Population

from hfscan import __version__
from hfscan.hub.client import HubClient


class Listening(FakeHub):
    heard = ""

    def answer(self, method, target, headers, address, body=b""):
        self.heard = headers["user-agent"]
        return super().answer(method, target, headers, address, body)


def heard() -> str:
    hub = Listening(Population.synthetic(3, seed=1))
    with hub, HubClient(hub.url) as client:
        client.get(f"{hub.url}/api/models", lambda answer: answer)
        return hub.heard


def test_name_version_and_address(monkeypatch: pytest.MonkeyPatch) -> None:
    about = Message()
    about["Project-URL"] = "Snapshot, https://project.example/hfscan"
    about["Project-URL"] = "Changes, https://project.example/changes"
    monkeypatch.setattr(metadata, "metadata", lambda name: about)
    assert heard() == (
        f"hfscan/{__version__}; python/{platform.python_version()}; +https://project.example/hfscan"
    )


def test_placeholder_address_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    about = Message()
    about["Project-URL"] = "Snapshot, https://github.com/OWNER/hfscan"
    monkeypatch.setattr(metadata, "metadata", lambda name: about)
    assert heard() == f"hfscan/{__version__}; python/{platform.python_version()}"


def test_who_calls_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_USER_AGENT_ORIGIN", "census of M\u00fcnster\r\nX: y")
    assert heard().endswith("; origin/census of M?nster??X: y")
    assert httpx.Headers({"user-agent": heard()})
