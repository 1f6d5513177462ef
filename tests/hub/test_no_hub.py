"""Servers that are no Hub, or an old version of it, give an error that says so."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from fetching import RETRY

from hfscan import hub
from hfscan.errors import HfscanError, HubUnreachableError, InvalidResponseError
from hfscan.hub.client import RefusedError
from hfscan.scope import Scope


class Handler(BaseHTTPRequestHandler):
    def send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class Old(Handler):
    def do_GET(self) -> None:
        if "baseModels" in self.path:
            self.send(400, b'{"error":"\\"expand\\" must be one of [author, createdAt, tags]"}')
        else:
            self.send(200, b'[{"_id":"' + b"a" * 24 + b'","id":"a/b"}]')


class Redirecting(Handler):
    def do_GET(self) -> None:
        self.send(302, b"", location="https://elsewhere.example/api/models")


class Nothing(Handler):
    def do_GET(self) -> None:
        self.send(404, b"<html>not here</html>")


class Circle(Handler):
    def do_GET(self) -> None:
        self.send(200, b"[]", link=f'<{self.path}>; rel="next"')


class Endless(Handler):
    count = 0

    def do_GET(self) -> None:
        Endless.count += 1
        self.send(200, b"[]", link=f'</api/models?n={Endless.count}>; rel="next"')


class Tomorrow(Handler):
    def do_GET(self) -> None:
        self.send(429, b'{"error":"later"}', retry_after="86400")


@contextmanager
def scripted(handler: type[Handler]) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


NO_HUBS = pytest.mark.parametrize(
    ("handler", "error", "message"),
    [
        (Redirecting, InvalidResponseError, r"links to https://elsewhere\.example.*--endpoint"),
        (Nothing, RefusedError, "no list of models"),
        (Circle, InvalidResponseError, "already fetched"),
        (Endless, InvalidResponseError, "already fetched"),
        (Tomorrow, HubUnreachableError, "wait 86401 s"),
    ],
)


@NO_HUBS
def test_server_that_is_no_hub_is_reported(
    tmp_path: Path, handler: type[Handler], error: type[HfscanError], message: str
) -> None:
    with scripted(handler) as url, pytest.raises(error, match=message):
        hub.fetch(Scope(), endpoint=url, token=None, journal=tmp_path, retry_policy=RETRY)


@NO_HUBS
def test_fetch_changed_reports_a_server_that_is_no_hub(
    tmp_path: Path, handler: type[Handler], error: type[HfscanError], message: str
) -> None:
    since = datetime(2024, 1, 1, tzinfo=UTC)
    with scripted(handler) as url, pytest.raises(error, match=message):
        hub.fetch_changed_models(
            since, endpoint=url, token=None, folder=tmp_path, retry_policy=RETRY
        )


def test_unknown_fields_are_left_out_and_listed(tmp_path: Path) -> None:
    with scripted(Old) as url:
        result = hub.fetch(Scope(), endpoint=url, token=None, journal=tmp_path, retry_policy=RETRY)
        with result:
            assert result.models == 1
            assert result.is_complete  # from either end it is the only one
            assert "baseModels" in result.unsupported_fields
            assert "author" not in result.unsupported_fields
