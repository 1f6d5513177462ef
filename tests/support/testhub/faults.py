"""More faults: damaged responses, and list pages that contradict each other."""

import gzip
import zlib
from dataclasses import replace
from functools import cache

from hfscan.fakehub import faults
from hfscan.fakehub.messages import Response

_INTERIM_RESPONSES = 2_000

RESPONSE_FAULTS = (
    "gzip-bomb",
    "stall-midway",
    "truncated-gzip",
    "truncated-json",
    "foreign-link",
    "lost-link",
    "odd-link",
    "interim-flood",
)
"""Faults that alter the response. `truncated-gzip` sends half the gzip stream, `truncated-json` a
gzip stream of half the JSON. Links lead to another host, are missing, or use rare RFC 8288 syntax.
"""

PAGE_FAULTS = (
    "drift",
    "short-page",
    "empty-last-page",
    "repeated-row",
    "skipped-row",
    "odd-types",
    "bad-cursor",
    "bad-rows",
)
"""Faults of a list page; drift: a trending score changes during the crawl."""

KINDS = (*faults.KINDS, *RESPONSE_FAULTS, *PAGE_FAULTS)


class Faults(faults.Faults):
    """All kinds of faults."""

    kinds = KINDS

    def apply(self, kind: str, response: Response) -> Response:
        """Return the response with the fault of this kind."""
        if kind == "gzip-bomb":
            return replace(response, body=_make_bomb()).with_headers({"content-encoding": "gzip"})
        if kind == "stall-midway":
            return replace(response, stall=self._stall, stall_at=len(response.body) // 2)
        if kind == "truncated-gzip":
            return replace(response, body=response.body[: len(response.body) // 2])
        if kind == "truncated-json":
            return _halve_json(response)
        if kind == "foreign-link":
            link = '<http://127.0.0.2:9/api/models?cursor=x>; rel="next"'
            return response.with_headers({"link": link})
        if kind == "lost-link":
            return replace(response, headers=_drop_header(response, "link"))
        if kind == "odd-link" and "link" in response.headers:
            target = response.headers["link"].partition(">")[0]
            link = f'</x>;rel=prev; title="a, <b>; rel=next" , {target}> ; REL = "last NEXT"'
            return response.with_headers({"link": link})
        if kind == "interim-flood":
            return replace(response, interim=_INTERIM_RESPONSES)
        return super().apply(kind, response)


def _drop_header(response: Response, header: str) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name != header}


def _halve_json(response: Response) -> Response:
    is_gzip = "content-encoding" in response.headers
    body = gzip.decompress(response.body) if is_gzip else response.body
    half = body[: len(body) // 2]
    half = gzip.compress(half, 1, mtime=0) if is_gzip else half
    # without the ETag, only the JSON itself shows the damage
    return replace(response, body=half, headers=_drop_header(response, "etag"))


@cache
def _make_bomb() -> bytes:
    """Return half a gigabyte of blanks, compressed to half a megabyte piece by piece."""
    compressor = zlib.compressobj(wbits=31)  # 31: with the gzip header
    blanks = b" " * (1 << 20)
    return b"".join(
        [
            compressor.compress(b"["),
            *(compressor.compress(blanks) for _ in range(512)),
            compressor.flush(),
        ]
    )
