"""Suggest the name that was meant where an unknown one was given: one wording for all."""

from collections.abc import Iterable
from difflib import get_close_matches

_MOST = 3


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean 'report'?" (with the space), or "" where no known name is like it."""
    by_lower = {one.lower(): one for one in known}
    close = get_close_matches(name.lower(), by_lower, n=_MOST)
    if not close:
        return ""
    *others, last = (repr(by_lower[one]) for one in close)
    return f" Did you mean {' or '.join([*([', '.join(others)] if others else []), last])}?"


def unknown(what: str, name: object, known: Iterable[str]) -> str:
    """Return the message for an unknown name of a closed set: what was meant, and what there is.

    `what` is the kind of name, such as "framework".
    """
    known = list(known)
    there = f" Known: {', '.join(known)}." if known else ""
    return f"There is no {what} {str(name)!r}.{did_you_mean(str(name), known)}{there}"
