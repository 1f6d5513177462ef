"""A request as the routes see it."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

from hfscan.fakehub.listing import Query


@dataclass(frozen=True)
class Ask:
    """A request: its path and query in order; `reader` is the account of its token (None: none).

    `fault` is what it meets, `range` its header of that name, `body` what was sent with it.
    """

    method: str
    path: str
    query: Query
    reader: str | None
    fault: str | None = None
    range: str | None = None
    body: bytes = b""


def parse(target: str) -> tuple[str, Query]:
    """Split a request target into its path (unquoted) and its query, in order."""
    parts = urlsplit(target)
    return unquote(parts.path), parse_qsl(parts.query, keep_blank_values=True)
