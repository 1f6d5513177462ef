"""Servers that never complete a response: every wait has a limit and is reported."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fetching import run_fetch
from servers import RawServer, Send, make_models, make_response, serve_script

from hfscan import hub
from hfscan.errors import HfscanError, HubUnreachableError, InvalidResponseError
from hfscan.hub.client import HubClient
from hfscan.hub.first_commits import fetch_first_commit
from hfscan.hub.retry import RetryPolicy
from hfscan.scope import Scope

RETRY = RetryPolicy(
    attempts=2,
    connect_attempts=2,
    wait_initial=0.01,
    wait_max=0.02,
    read_timeout=0.4,
    response_timeout=0.4,
    timeout=5,
)
PAGE = json.dumps(make_models(3)).encode()


def drip(server: RawServer, send: Send, data: bytes) -> None:
    for byte in data:
        send(bytes([byte]))
        if server.closing.wait(0.02):
            return


def send_nothing(server: RawServer, send: Send, target: str) -> None:
    server.closing.wait(30)


def drip_headers(server: RawServer, send: Send, target: str) -> None:
    drip(server, send, b"HTTP/1.1 200 OK\r\n" + b"x-a: b\r\n" * 1_000)


def drip_body(server: RawServer, send: Send, target: str) -> None:
    send(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    drip(server, send, b" " * 10_000)


def send_endless_chunks(server: RawServer, send: Send, target: str) -> None:
    send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    while not server.closing.wait(0.02):
        send(b"1\r\n \r\n")


def flood_interim(server: RawServer, send: Send, target: str) -> None:
    while not server.closing.is_set():
        send(b"HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n" * 100)


def drip_interim(server: RawServer, send: Send, target: str) -> None:
    while not server.closing.wait(0.02):
        send(b"HTTP/1.1 100 Continue\r\n\r\n")


def drip_error(server: RawServer, send: Send, target: str) -> None:
    send(b"HTTP/1.1 500 Oops\r\ncontent-length: 100000\r\n\r\n")
    drip(server, send, b" " * 10_000)


SLOW = pytest.mark.parametrize(
    "script",
    [
        send_nothing, drip_headers, drip_body, send_endless_chunks, flood_interim, drip_interim,
        drip_error,
    ],
)  # fmt: skip


@SLOW
def test_fetch_gives_up_on_endless_responses(tmp_path: Path, script) -> None:
    states: list[hub.Progress] = []
    with (
        serve_script(script) as server,
        pytest.raises(HubUnreachableError, match=r"stopped|too long"),
    ):
        hub.fetch(
            Scope(), endpoint=server.url, token=None, journal=tmp_path, retry_policy=RETRY,
            progress=states.append,
        )  # fmt: skip
    assert any(state.waiting and "trying again" in state.notice for state in states)


@SLOW
def test_fetch_changed_gives_up_on_endless_responses(tmp_path: Path, script) -> None:
    since = datetime(2024, 1, 1, tzinfo=UTC)
    with (
        serve_script(script) as server,
        pytest.raises(HubUnreachableError, match=r"stopped|too long"),
    ):
        hub.fetch_changed_models(
            since, endpoint=server.url, token=None, folder=tmp_path, retry_policy=RETRY
        )


@SLOW
def test_first_commit_gives_up_on_endless_responses(script) -> None:
    with (
        serve_script(script) as server,
        HubClient(server.url, retry_policy=RETRY) as client,
        pytest.raises(HubUnreachableError, match=r"stopped|too long"),
    ):
        fetch_first_commit(client, "a/b")


def test_fetch_survives_interim_responses(tmp_path: Path) -> None:
    def script(server: RawServer, send: Send, target: str) -> None:
        body = PAGE if "cursor" not in target else b"[]"
        send(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50 + make_response(body))

    with serve_script(script) as server:
        result = run_fetch(server, tmp_path, retry_policy=RETRY, workers=1)
        assert result.models == 3


@pytest.mark.parametrize(
    ("status", "header"),
    [
        ("200 OK", 'ratelimit: "api";r=0;t=999999999'),
        ("429 Slow Down", 'ratelimit: "api";r=0;t=999999999'),
        ("429 Slow Down", "retry-after: 999999999"),
        ("429 Slow Down", "retry-after: 99999999999"),
        ("429 Slow Down", f"retry-after: {'9' * 5_000}"),
        ("503 Away", "retry-after: 99999999999"),
        ("503 Away", "retry-after: 86400"),
        ("503 Away", "retry-after: Fri, 31 Dec 2038 23:59:59 GMT"),
    ],
)
def test_fetch_refuses_to_wait_too_long(tmp_path: Path, status: str, header: str) -> None:
    def script(server: RawServer, send: Send, target: str) -> None:
        send(make_response(PAGE, header, status=status))

    options: dict[str, Any] = {"token": None, "journal": tmp_path, "retry_policy": RETRY}
    with serve_script(script) as server, pytest.raises(HubUnreachableError, match=r"to wait \d+ s"):
        hub.fetch(Scope(), endpoint=server.url, **options)


@pytest.mark.parametrize(
    "headers",
    [
        ['ratelimit: "api";r=-1;t=-5', 'ratelimit-policy: "x";q=-1;w=0'],
        ['ratelimit: "api";r=nan;t=inf'],
        ['ratelimit: "api";r=0;t=99999999999999999999'],
        ['ratelimit: "api";r=9;t=9', 'ratelimit-policy: "x";q=0;w=0'],
        ["retry-after: -1"],
        ["ratelimit: ;;;r=;t="],
    ],
)
def test_fetch_ignores_invalid_quotas(tmp_path: Path, headers: list[str]) -> None:
    def script(server: RawServer, send: Send, target: str) -> None:
        send(make_response(PAGE if "cursor" not in target else b"[]", *headers))

    with serve_script(script) as server:
        result = run_fetch(server, tmp_path, retry_policy=RETRY, workers=1)
        assert result.models == 3


@pytest.mark.parametrize("retry_after", ["-1", "NaN", "1e3", "soon", "Wed, 99 Foo 2022"])
def test_fetch_retries_soon_after_an_unreadable_wait(tmp_path: Path, retry_after: str) -> None:
    count: Iterator[int] = iter(range(10))

    def script(server: RawServer, send: Send, target: str) -> None:
        if next(count) == 0:
            send(make_response(b"", f"retry-after: {retry_after}", status="503 Away"))
        else:
            send(make_response(PAGE if "cursor" not in target else b"[]"))

    with serve_script(script) as server:
        result = run_fetch(server, tmp_path, retry_policy=RETRY, workers=1)
        assert result.models == 3


@pytest.mark.parametrize("location", ["/api/models", "?again=1", ""])
def test_fetch_ends_in_a_redirect_loop(tmp_path: Path, location: str) -> None:
    def script(server: RawServer, send: Send, target: str) -> None:
        send(make_response(b"", f"location: {location}", status="302 Found"))

    options: dict[str, Any] = {"token": None, "journal": tmp_path, "retry_policy": RETRY}
    with serve_script(script) as server, pytest.raises(InvalidResponseError, match="redirect"):
        hub.fetch(Scope(), endpoint=server.url, **options)


@pytest.mark.parametrize(
    "location",
    ["http://[", "http://hub:99999999/", "https://\x01/", "http://a\xad\xff..b/", "x" * 70_000],
)
def test_fetch_refuses_a_redirect_to_an_invalid_url(tmp_path: Path, location: str) -> None:
    def script(server: RawServer, send: Send, target: str) -> None:
        send(make_response(b"", f"location: {location}", status="302 Found"))

    options: dict[str, Any] = {"token": None, "journal": tmp_path, "retry_policy": RETRY}
    with serve_script(script) as server, pytest.raises(InvalidResponseError):
        hub.fetch(Scope(), endpoint=server.url, **options)


@pytest.mark.parametrize("status", ["600 Odd", "999 Odd", "204 No Content"])
def test_fetch_refuses_an_invalid_status(tmp_path: Path, status: str) -> None:
    def script(server: RawServer, send: Send, target: str) -> None:
        send(make_response(b"", status=status))

    options: dict[str, Any] = {"token": None, "journal": tmp_path, "retry_policy": RETRY}
    with serve_script(script) as server, pytest.raises(InvalidResponseError, match=status[:3]):
        hub.fetch(Scope(), endpoint=server.url, **options)


@pytest.mark.parametrize("text", ["HTTP/1.1 200 OK\r\n" + "x" * 200_000, "nonsense\r\n\r\n", ""])
def test_fetch_refuses_a_response_that_is_not_http(tmp_path: Path, text: str) -> None:
    def script(server: RawServer, send: Send, target: str) -> None:
        send(text.encode())
        time.sleep(0.01)
        raise OSError  # ends the connection

    options: dict[str, Any] = {"token": None, "journal": tmp_path, "retry_policy": RETRY}
    with serve_script(script) as server, pytest.raises(HfscanError, match=r"broke off|stopped"):
        hub.fetch(Scope(), endpoint=server.url, **options)


def make_mirror(original: str):
    """Return a script of a mirror that passes on links to the original Hub."""

    def script(server: RawServer, send: Send, target: str) -> None:
        body = PAGE if "cursor" not in target else b"[]"
        link = f'Link: <{original}{target.removeprefix("/hf")}&cursor=x>; rel="next"'
        send(make_response(body, link) if body == PAGE else make_response(body))

    return script


@pytest.mark.parametrize("original", ["https://huggingface.co", "http://localhost:9", "//other"])
def test_fetch_follows_a_mirror_only_on_request(tmp_path: Path, original: str) -> None:
    options: dict[str, Any] = {
        "journal": tmp_path,
        "retry_policy": RETRY,
        "token": "hf_secret",
        "workers": 1,
    }
    with serve_script(make_mirror(original)) as server:
        for endpoint in (server.url, f"{server.url}/hf"):
            with pytest.raises(InvalidResponseError, match=r"does not follow.*--rewrite-links"):
                hub.fetch(Scope(), endpoint=endpoint, **options)
            with hub.fetch(Scope(), endpoint=endpoint, rewrite_links=True, **options) as result:
                assert result.models == 3
                assert result.is_complete
        assert any(
            "cursor=x" in target and target.startswith("/hf/api/") for target in server.targets
        )


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (drip_body, r"took too long for one response \(2 attempts\)"),
        (
            lambda _, send, __: send(
                make_response(b"", "retry-after: 99999", status="429 Too Many Requests")
            ),
            r"asks to wait 100000 s \(after 1 attempt\)",
        ),
    ],
)
@pytest.mark.parametrize("is_resumable", [True, False])
def test_client_says_continue_only_if_resumable(script, reason, is_resumable) -> None:
    time_advice = r"again" if script is drip_body else r"again later"
    purpose = r" to continue" if is_resumable else ""
    with (
        serve_script(script) as server,
        HubClient(server.url, retry_policy=RETRY, is_resumable=is_resumable) as client,
        pytest.raises(
            HubUnreachableError,
            match=rf"{reason}\. Run the same command {time_advice}{purpose}\.$",
        ),
    ):
        client.get(server.url, lambda response: response)


def test_client_follows_no_link_with_credentials() -> None:
    def script(server: RawServer, send: Send, target: str) -> None:
        link = server.url.replace("//", "//user:S3CRET@")
        send(make_response(PAGE, f'link: <{link}/api/models?cursor=x>; rel="next"'))

    with serve_script(script) as server, HubClient(server.url, retry_policy=RETRY) as client:
        with pytest.raises(InvalidResponseError, match="with a user name or password") as excinfo:
            client.get(server.url, lambda response: response)
        assert len(server.targets) == 1
    assert "S3CRET" not in str(excinfo.value)
