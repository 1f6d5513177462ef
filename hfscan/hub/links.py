"""`Link` headers, read as RFC 8288 writes them."""

import re
from collections.abc import Iterable

_TARGET = re.compile(r"[\s,]*<([^>]*)>")
_PARAMETER = re.compile(
    r"""\s*;\s*(?:([^\s=;,"]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?)?"""
)
_ESCAPED = re.compile(r"\\(.)")


def next_target(headers: Iterable[str]) -> str | None:
    """Return the target of the first link of relation `next`, None where there is none.

    A link about another resource (`anchor`) does not count. A header counts up to what cannot be
    read.
    """
    for header in headers:
        place = 0
        while match := _TARGET.match(header, place):
            parameters, place = _read_parameters(header, match.end())
            relations = parameters.get("rel", "").lower().split()
            if "next" in relations and "anchor" not in parameters:
                return match[1].strip() or None
    return None


def _read_parameters(header: str, place: int) -> tuple[dict[str, str], int]:
    """Return the parameters from `place` on (the first of each name), and where they end."""
    parameters: dict[str, str] = {}
    while match := _PARAMETER.match(header, place):
        place = match.end()
        name, quoted, plain = match.groups()
        if name:
            value = _ESCAPED.sub(r"\1", quoted) if quoted is not None else plain or ""
            parameters.setdefault(name.lower(), value)
    return parameters, place
