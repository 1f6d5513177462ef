"""What goes wrong on purpose: a seeded chance for each kind of fault, bounded for each request.

The kinds are the Hub's failures on record and a few that a hostile network could add.
"""

import gzip
import threading
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from hashlib import blake2b

from hfscan.fakehub import ratelimit

_FLOOD = 2_000  # interim answers
_JSON = "application/json; charset=utf-8"
_HTML = "text/html; charset=utf-8"
_INTERNAL = b'{"error":"Internal Error - We\'re working hard to fix this as soon as possible!"}'
_LIMITED = b'{"error":"We had to rate limit your IP. Please use a token."}'


@dataclass(frozen=True)
class Answer:
    """An HTTP answer before it is written: `cut` bytes of the body are withheld.

    So many `interim` answers (103) come before it.
    It stalls for `stall` s before anything is sent, or after `stall_at` bytes of the body.
    """

    status: int
    body: bytes
    headers: dict[str, str]
    cut: int = 0
    reset: bool = False
    stall: float = 0.0
    stall_at: int | None = None
    interim: int = 0


def _status(status: int, body: bytes, kind: str, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, body, {"content-type": kind} | named)


INSTEAD: dict[str, Answer] = {
    "429-spent": _status(429, _LIMITED, _JSON, **ratelimit.headers(0, 1, 500, 300)),
    "429-spent-retry-after": _status(
        429, _LIMITED, _JSON, retry_after="0", **ratelimit.headers(0, 1, 500, 300)
    ),
    "429-other": _status(429, _LIMITED, _JSON),
    "429-retry-after": _status(429, _LIMITED, _JSON, retry_after="1"),
    "500": _status(500, _INTERNAL, _JSON),
    "503": _status(503, _INTERNAL, _JSON),
    "502": _status(502, b"<html><h1>502 Bad Gateway</h1></html>", _HTML),
    "504": _status(504, b"<html><h1>504 Gateway Time-out</h1></html>", _HTML),
    "error-object": _status(200, b'{"error":"rate limited"}', _JSON),
}
"""Faults that answer something else instead."""

_OF_THE_BODY = ("content-encoding", "etag", "link")

ALTERED = (
    "reset",
    "stall",
    "stall-midway",
    "truncated",
    "truncated-gzip",
    "truncated-json",
    "foreign-link",
    "lost-link",
    "odd-link",
    "interim-flood",
)
"""Faults that spoil the right answer on its way out. Of the two that stall, one does before the
first byte, one after half the body. The three that cut it: the connection ends early; a whole
answer holds half a gzip stream; a whole gzip stream holds half the JSON. Links lead elsewhere, are
missing, or are spelled as RFC 8288 allows and nobody does."""

PAGED = (
    "drift",
    "short-page",
    "empty-last-page",
    "repeated-row",
    "skipped-row",
    "odd-types",
    "bad-cursor",
    "bad-rows",
)
"""Faults of a list page itself; drift: a trending score moves while the list is walked."""

KINDS = (*INSTEAD, "gzip-bomb", *ALTERED, *PAGED)


class Faults:
    """Chooses which request fails and how.

    `chances` maps a kind (see KINDS) to its probability. One target fails at most `most` times,
    so that a client which asks again gets through. `stall` is in seconds. What a request meets
    depends on `seed`, its target and how often that was asked, not on what else is under way.
    """

    def __init__(
        self,
        chances: Mapping[str, float] | None = None,
        *,
        seed: int = 0,
        most: int = 2,
        stall: float = 60.0,
    ) -> None:
        unknown = set(chances or ()) - set(KINDS)
        if unknown:
            raise ValueError(f"no fault {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
        self._chances = dict(chances or {})
        self._seed, self._most, self._stall = seed, most, stall
        self._asked: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._lock = threading.Lock()

    def pick(self, target: str) -> str | None:
        """Return the kind of fault this request meets, None for none."""
        with self._lock:
            if self._failed[target] >= self._most:
                return None
            self._asked[target] += 1
            for kind, chance in self._chances.items():
                if _draw(f"{self._seed} {kind} {self._asked[target]} {target}") < chance:
                    self._failed[target] += 1
                    return kind
        return None

    def spoil(self, kind: str | None, answer: Answer) -> Answer:
        """Return the answer as the fault leaves it."""
        if kind in INSTEAD:
            other = INSTEAD[kind]
            kept = {k: v for k, v in answer.headers.items() if k not in _OF_THE_BODY}
            return replace(other, headers=kept | other.headers)
        if kind == "gzip-bomb":
            zipped = {"content-encoding": "gzip"}
            return replace(answer, body=_bomb(), headers=answer.headers | zipped)
        if kind == "reset":
            return replace(answer, reset=True)
        if kind in ("stall", "stall-midway"):
            midway = len(answer.body) // 2 if kind == "stall-midway" else None
            return replace(answer, stall=self._stall, stall_at=midway)
        if kind == "truncated":
            return replace(answer, cut=max(1, len(answer.body) // 3))
        if kind == "truncated-gzip":
            return replace(answer, body=answer.body[: len(answer.body) // 2])
        if kind == "truncated-json":
            packed = "content-encoding" in answer.headers
            body = gzip.decompress(answer.body) if packed else answer.body
            half = body[: len(body) // 2]
            # without its ETag, so that nothing but reading the JSON tells
            headers = {k: v for k, v in answer.headers.items() if k != "etag"}
            half = gzip.compress(half, 1, mtime=0) if packed else half
            return replace(answer, body=half, headers=headers)
        if kind == "foreign-link":
            link = '<http://127.0.0.2:9/api/models?cursor=x>; rel="next"'
            return replace(answer, headers=answer.headers | {"link": link})
        if kind == "lost-link":
            return replace(answer, headers={k: v for k, v in answer.headers.items() if k != "link"})
        if kind == "odd-link" and "link" in answer.headers:
            target = answer.headers["link"].partition(">")[0]
            link = f'</x>;rel=prev; title="a, <b>; rel=next" , {target}> ; REL = "last NEXT"'
            return replace(answer, headers=answer.headers | {"link": link})
        if kind == "interim-flood":
            return replace(answer, interim=_FLOOD)
        return answer


def _draw(text: str) -> float:
    """Return a number in [0, 1) that depends on `text` alone."""
    return int.from_bytes(blake2b(text.encode(), digest_size=7).digest()) / 2**56


@cache
def _bomb() -> bytes:
    """Return half a gigabyte of blanks in half a megabyte, made without ever holding them."""
    packer = zlib.compressobj(wbits=31)  # 31: with gzip's header
    blanks = b" " * (1 << 20)
    return b"".join(
        [packer.compress(b"["), *(packer.compress(blanks) for _ in range(512)), packer.flush()]
    )
