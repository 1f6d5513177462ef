"""Requests and responses, and responses as the Hub words them."""

import base64
import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"
Query = list[tuple[str, str]]


@dataclass(frozen=True)
class Request:
    """An HTTP request: its path and query in order, and the account of its token (None: no token).

    `fault` is the kind of fault to inject, `range` the header of that name.
    """

    method: str
    path: str
    query: Query
    account: str | None
    fault: str | None = None
    range: str | None = None
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    """An HTTP response, with the faults to inject as it is written.

    `truncate_by`: bytes of the body to withhold. `reset`: reset the connection instead. `stall`:
    seconds to wait before the first byte, or after `stall_at` bytes of the body. `interim`: number
    of interim responses (103) to send first.
    """

    status: int
    body: bytes
    headers: Mapping[str, str]
    truncate_by: int = 0
    reset: bool = False
    stall: float = 0.0
    stall_at: int | None = None
    interim: int = 0

    def with_headers(self, headers: Mapping[str, str]) -> "Response":
        """Return the response with these headers in addition."""
        return replace(self, headers={**self.headers, **headers})


class BadRequestError(Exception):
    """The Hub answers 400 with this message."""


def parse_target(target: str) -> tuple[str, Query]:
    """Split a request target into its path (unquoted) and its query, in order."""
    parts = urlsplit(target)
    return unquote(parts.path), parse_qsl(parts.query, keep_blank_values=True)


def json_response(
    value: object, headers: Mapping[str, str] | None = None, status: int = 200
) -> Response:
    """Return a JSON response with the weak ETag that the Hub sends (Express style)."""
    body = msgspec.json.encode(value)
    digest = base64.b64encode(hashlib.sha1(body).digest())[:27].decode()  # noqa: S324
    etag = f'W/"{len(body):x}-{digest}"'
    return Response(status, body, {"content-type": JSON, "etag": etag, **(headers or {})})


def error_response(status: int, message: str, code: str | None = None) -> Response:
    """Return an error with the headers that the Hub sends."""
    headers = {"x-error-message": message} | ({"x-error-code": code} if code else {})
    return json_response({"error": message}, headers, status)


def gzip_response(response: Response) -> Response:
    """Compress a JSON response; return other responses and small ones unchanged."""
    if response.headers.get("content-type") != JSON or len(response.body) < 1024:
        return response
    body = gzip.compress(response.body, 1, mtime=0)
    headers = {"content-encoding": "gzip", "vary": "Accept-Encoding"}
    return replace(response, body=body).with_headers(headers)
