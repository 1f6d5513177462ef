"""Suggest known names for an unknown one, with the same wording everywhere."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'report'?" (with the space), or "" if no known name is similar."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = [repr(by_lower[match]) for match in get_close_matches(name.lower(), by_lower, n=3)]
    if not close:
        return ""
    *others, last = close
    return f" Did you mean {', '.join(others)} or {last}?" if others else f" Did you mean {last}?"


def unknown(kind: str, name: object, known: Iterable[str]) -> str:
    """Return the message for an unknown name of a closed set, such as a "framework"."""
    known = list(known)
    listing = f" Known: {', '.join(known)}." if known else ""
    return f"There is no {kind} {str(name)!r}.{did_you_mean(str(name), known)}{listing}"
