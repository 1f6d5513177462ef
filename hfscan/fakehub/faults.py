"""Faults to inject: each kind has a seeded probability, and each request target a maximum."""

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from hfscan.fakehub import rate_limit
from hfscan.fakehub.messages import HTML, JSON, Response

_INTERNAL = b'{"error":"Internal Error - We\'re working hard to fix this as soon as possible!"}'
_LIMITED = b'{"error":"We had to rate limit your IP. Please use a token."}'
_EXHAUSTED = rate_limit.headers(remaining=0, reset=1, quota=500, window=300)


def _replacement(status: int, body: bytes, kind: str = JSON, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, body, {"content-type": kind} | named)


REPLACEMENTS = {
    "429-spent": _replacement(429, _LIMITED, **_EXHAUSTED),
    "429-spent-retry-after": _replacement(429, _LIMITED, retry_after="0", **_EXHAUSTED),
    "429-other": _replacement(429, _LIMITED),
    "429-retry-after": _replacement(429, _LIMITED, retry_after="1"),
    "500": _replacement(500, _INTERNAL),
    "503": _replacement(503, _INTERNAL),
    "502": _replacement(502, b"<html><h1>502 Bad Gateway</h1></html>", HTML),
    "504": _replacement(504, b"<html><h1>504 Gateway Time-out</h1></html>", HTML),
    "error-object": _replacement(200, b'{"error":"rate limited"}'),
}
"""Faults that replace the response."""

KINDS = (*REPLACEMENTS, "reset", "stall", "truncated")
"""All faults: `reset` and `truncated` end the connection early; `stall` delays the response."""


class Faults:
    """Choose which requests fail, and how.

    `probabilities` maps a kind (see KINDS) to its probability. One target fails at most `most`
    times, so that a client that retries succeeds. `stall` is in seconds. The choice depends only
    on `seed`, the target and the number of requests for it, so it does not depend on concurrency.
    """

    kinds = KINDS

    def __init__(
        self,
        probabilities: Mapping[str, float] | None = None,
        *,
        seed: int = 0,
        most: int = 2,
        stall: float = 60.0,
    ) -> None:
        self._probabilities = dict(probabilities or {})
        if unknown := self._probabilities.keys() - set(self.kinds):
            known = ", ".join(self.kinds)
            raise ValueError(f"Unknown fault {', '.join(sorted(unknown))}. Known: {known}.")
        self._seed, self._most, self._stall = seed, most, stall
        self._requested: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._lock = threading.Lock()

    def pick(self, target: str) -> str | None:
        """Return the kind of fault for this request, or None."""
        with self._lock:
            if self._failed[target] >= self._most:
                return None
            self._requested[target] += 1
            for kind, probability in self._probabilities.items():
                draw = _draw(f"{self._seed} {kind} {self._requested[target]} {target}")
                if draw < probability:
                    self._failed[target] += 1
                    return kind
        return None

    def apply(self, kind: str, response: Response) -> Response:
        if replacement := REPLACEMENTS.get(kind):
            about_body = ("content-encoding", "etag", "link")
            others = {k: v for k, v in response.headers.items() if k not in about_body}
            return replace(replacement, headers={**others, **replacement.headers})
        changes: dict[str, dict[str, Any]] = {
            "reset": {"reset": True},
            "stall": {"stall": self._stall},
            "truncated": {"truncate_by": max(1, len(response.body) // 3)},
        }
        return replace(response, **changes.get(kind, {}))


def _draw(text: str) -> float:
    """Return a number in [0, 1) that depends on `text` only."""
    return int.from_bytes(blake2b(text.encode(), digest_size=7).digest()) / 2**56
