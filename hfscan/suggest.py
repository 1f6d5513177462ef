"""Suggest known names for an unknown one, with the same wording everywhere."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'report'?" (with the space), or "" if no known name is similar."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = [repr(by_lower[match]) for match in get_close_matches(name.lower(), by_lower, n=3)]
    if not close:
        return ""
    *others, last = close
    return f" Did you mean {', '.join(others)} or {last}?" if others else f" Did you mean {last}?"


_MOST_LISTED = 20
_LISTED_BY = {
    "claim": "hfscan claims", "command": "hfscan --help", "framework": "hfscan frameworks",
    "query": "hfscan query",
}  # fmt: skip
"""Kind of name -> the command that lists all, for more than a message can hold."""


def unknown(
    kind: str, name: object, known: Iterable[str], aliases: Mapping[str, str] | None = None
) -> str:
    """Return the message for an unknown name of a closed set, such as a "framework".

    `aliases`: other words for a known name -> this name.
    """
    known = list(known)
    meant = (aliases or {}).get(str(name).lower())
    hint = f" Did you mean {meant!r}?" if meant else did_you_mean(str(name), known)
    listing = f" Known: {', '.join(known)}." if known else ""
    if len(known) > _MOST_LISTED and kind in _LISTED_BY:
        listing = f" To list all: {_LISTED_BY[kind]}"
    return f"There is no {kind} {str(name)!r}.{hint}{listing}"
