"""Redirects, and parts of files."""

import re
from collections.abc import Mapping
from dataclasses import replace
from html import escape

from hfscan.fakehub.messages import Response


def redirect_response(
    target: str, headers: Mapping[str, str] | None = None, *, html: bool
) -> Response:
    """Return a 307 to a path on this server."""
    text = f"Temporary Redirect. Redirecting to {escape(target) if html else target}"
    kind = "html" if html else "plain"
    body = f"<p>{text}</p>" if html else text
    required_headers = {"content-type": f"text/{kind}; charset=utf-8", "location": target}
    return Response(307, body.encode(), {**required_headers, **(headers or {})})


def range_response(response: Response, range_header: str | None) -> Response:
    """Return the bytes that a `Range` header selects ("bytes=5-" or "bytes=5-9"), else all."""
    response = response.with_headers({"accept-ranges": "bytes"})
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", range_header or "")
    if not match:
        return response
    size = len(response.body)
    start, stop = int(match[1]), min(int(match[2] or size - 1) + 1, size)
    if start >= stop:
        empty = replace(response, status=416, body=b"")
        return empty.with_headers({"content-range": f"bytes */{size}"})
    part = replace(response, status=206, body=response.body[start:stop])
    return part.with_headers({"content-range": f"bytes {start}-{stop - 1}/{size}"})
