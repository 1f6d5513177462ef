"""Answers in the Hub's manner: JSON with its ETag, errors in its words, files in ranges."""

import base64
import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from html import escape

import msgspec

from hfscan.fakehub.faults import Answer

_JSON = "application/json; charset=utf-8"


def as_json(value: object, headers: Mapping[str, str] | None = None, status: int = 200) -> Answer:
    """Return a JSON answer with the weak ETag the Hub sends (Express style)."""
    body = msgspec.json.encode(value)
    digest = base64.b64encode(hashlib.sha1(body).digest())[:27].decode()  # noqa: S324
    etag = f'W/"{len(body):x}-{digest}"'
    return Answer(status, body, {"content-type": _JSON, "etag": etag, **(headers or {})})


def failure(status: int, message: str, code: str | None = None) -> Answer:
    """Return an error as the Hub words it."""
    headers = {"x-error-message": message} | ({"x-error-code": code} if code else {})
    return as_json({"error": message}, headers, status)


def redirect(target: str, headers: Mapping[str, str] | None = None, *, html: bool) -> Answer:
    """Return a 307 to a path on this server."""
    text = f"Temporary Redirect. Redirecting to {escape(target) if html else target}"
    kind = "html" if html else "plain"
    body = f"<p>{text}</p>" if html else text
    always = {"content-type": f"text/{kind}; charset=utf-8", "location": target}
    return Answer(307, body.encode(), always | dict(headers or {}))


def part(answer: Answer, asked: str | None) -> Answer:
    """Return the bytes a `Range` header asks for ("bytes=5-" or "bytes=5-9"), else all."""
    headers = answer.headers | {"accept-ranges": "bytes"}
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", asked or "")
    if not match:
        return replace(answer, headers=headers)
    size = len(answer.body)
    start, stop = int(match[1]), min(int(match[2] or size - 1) + 1, size)
    if start >= stop:
        return replace(
            answer, status=416, body=b"", headers=headers | {"content-range": f"bytes */{size}"}
        )
    span = {"content-range": f"bytes {start}-{stop - 1}/{size}"}
    return replace(answer, status=206, body=answer.body[start:stop], headers=headers | span)


def compressed(answer: Answer) -> Answer:
    """Return a JSON answer gzipped, as for a client that accepts it; files go as they are."""
    if answer.headers.get("content-type") != _JSON or len(answer.body) < 1024:
        return answer
    headers = answer.headers | {"content-encoding": "gzip", "vary": "Accept-Encoding"}
    return replace(answer, body=gzip.compress(answer.body, 1, mtime=0), headers=headers)
