"""What goes wrong on purpose: a seeded chance for each kind of fault, bounded for each request.

The kinds are the Hub's failures on record and a few that a hostile network could add.
"""

import gzip
import random
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from hfscan.minihub import ratelimit

_JSON = "application/json; charset=utf-8"
_HTML = "text/html; charset=utf-8"
_INTERNAL = b'{"error":"Internal Error - We\'re working hard to fix this as soon as possible!"}'
_LIMITED = b'{"error":"We had to rate limit your IP. Please use a token."}'


@dataclass(frozen=True)
class Answer:
    """An HTTP answer before it is written: `cut` bytes of the body are withheld."""

    status: int
    body: bytes
    headers: dict[str, str]
    cut: int = 0
    reset: bool = False
    stall: float = 0.0


def _status(status: int, body: bytes, kind: str, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, body, {"content-type": kind} | named)


INSTEAD: dict[str, Answer] = {
    "429-spent": _status(429, _LIMITED, _JSON, **ratelimit.headers(0, 1, 500, 300)),
    "429-other": _status(429, _LIMITED, _JSON),
    "429-retry-after": _status(429, _LIMITED, _JSON, retry_after="1"),
    "500": _status(500, _INTERNAL, _JSON),
    "503": _status(503, _INTERNAL, _JSON),
    "502": _status(502, b"<html><h1>502 Bad Gateway</h1></html>", _HTML),
    "504": _status(504, b"<html><h1>504 Gateway Time-out</h1></html>", _HTML),
    "error-object": _status(200, b'{"error":"rate limited"}', _JSON),
}
"""Faults that answer something else instead."""

ALTERED = ("reset", "stall", "truncated", "truncated-json", "foreign-link")
"""Faults that spoil the right answer on its way out."""

PAGED = (
    "drift",
    "short-page",
    "empty-last-page",
    "repeated-row",
    "skipped-row",
    "odd-types",
    "bad-cursor",
)
"""Faults of a list page itself; drift: a trending score moves while the list is walked."""

KINDS = (*INSTEAD, "gzip-bomb", *ALTERED, *PAGED)


class Faults:
    """Chooses which request fails and how.

    `chances` maps a kind (see KINDS) to its probability. One target fails at most `most` times,
    so that a client which asks again gets through. `stall` is in seconds.
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
        self._random = random.Random(seed)  # noqa: S311 - reproducible, no secret
        self._most, self._stall = most, stall
        self._failed: Counter[str] = Counter()
        self._lock = threading.Lock()

    def pick(self, target: str) -> str | None:
        """Return the kind of fault this request meets, None for none."""
        with self._lock:
            if self._failed[target] >= self._most:
                return None
            for kind, chance in self._chances.items():
                if self._random.random() < chance:
                    self._failed[target] += 1
                    return kind
        return None

    def spoil(self, kind: str | None, answer: Answer) -> Answer:
        """Return the answer as the fault leaves it."""
        if kind in INSTEAD:
            other = INSTEAD[kind]
            return replace(other, headers=answer.headers | other.headers)
        if kind == "gzip-bomb":  # half a gigabyte of blanks in half a megabyte
            bomb = gzip.compress(b"[" + b" " * (1 << 29), 1)
            return replace(answer, body=bomb, headers=answer.headers | {"content-encoding": "gzip"})
        if kind == "reset":
            return replace(answer, reset=True)
        if kind == "stall":
            return replace(answer, stall=self._stall)
        if kind == "truncated":
            return replace(answer, cut=max(1, len(answer.body) // 3))
        if kind == "truncated-json":
            return replace(answer, body=answer.body[: len(answer.body) // 2])
        if kind == "foreign-link":
            link = '<http://127.0.0.2:9/api/models?cursor=x>; rel="next"'
            return replace(answer, headers=answer.headers | {"link": link})
        return answer
