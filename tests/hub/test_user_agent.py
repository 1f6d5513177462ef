"""The user agent names the version and a contact address."""

import platform
from email.message import Message
from importlib import metadata

import httpx
import pytest
from testhub import FakeHub, Population

from hfscan import __version__
from hfscan.hub.client import HubClient


class RecordingHub(FakeHub):
    user_agent = ""

    def answer(self, method, target, headers, address, body=b""):
        self.user_agent = headers["user-agent"]
        return super().answer(method, target, headers, address, body)


def read_user_agent() -> str:
    hub = RecordingHub(Population.synthetic(3, seed=1))
    with hub, HubClient(hub.url) as client:
        client.get(f"{hub.url}/api/models", lambda response: response)
        return hub.user_agent


def test_name_version_and_address(monkeypatch: pytest.MonkeyPatch) -> None:
    package_metadata = Message()
    package_metadata["Project-URL"] = "Snapshot, https://project.example/hfscan"
    package_metadata["Project-URL"] = "Changes, https://project.example/changes"
    monkeypatch.setattr(metadata, "metadata", lambda name: package_metadata)
    assert read_user_agent() == (
        f"hfscan/{__version__}; python/{platform.python_version()}; +https://project.example/hfscan"
    )


def test_placeholder_address_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    package_metadata = Message()
    package_metadata["Project-URL"] = "Snapshot, https://github.com/OWNER/hfscan"
    monkeypatch.setattr(metadata, "metadata", lambda name: package_metadata)
    assert read_user_agent() == f"hfscan/{__version__}; python/{platform.python_version()}"


def test_user_agent_names_the_calling_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_USER_AGENT_ORIGIN", "census of M\u00fcnster\r\nX: y")
    assert read_user_agent().endswith("; origin/census of M?nster??X: y")
    assert httpx.Headers({"user-agent": read_user_agent()})
