"""Make untrusted text (from the Hub, files, checkpoints) safe to show and to store.

One function per channel: `sanitize` for lines of text (terminal, Markdown, HTML, CSV cells),
`sanitize_lines` for text that has line breaks of its own, `encode_json` for JSON.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

_INVISIBLE = "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0"
"""Characters that Python calls printable but that show nothing: fillers, joiners, selectors."""


def sanitize(text: str, limit: int | None = None) -> str:
    """Return text on one line, without control, format and invisible characters.

    Control and bidirectional characters, which could command a terminal or reorder text, become
    U+FFFD, as do zero-width characters and lone surrogates. Line breaks, tabs and unusual spaces
    become a space. Text longer than `limit` characters is cut and ends with "...".
    """
    cut = text if limit is None else text[: limit + 1]
    clean = cut if _is_plain(cut) else "".join(map(_replace, cut))
    return clean if limit is None or len(clean) <= limit else clean[:limit] + "..."


def sanitize_lines(text: str) -> str:
    r"""Sanitize each line of a text. Only "\n" ends a line."""
    return "\n".join(map(sanitize, text.split("\n")))


def escape_markdown(text: str) -> str:
    """Return text on one line, with the markup of Markdown and HTML escaped."""
    return _MARKUP.sub(r"\\\1", sanitize(" ".join(text.split())))


def encode_json(value: Any, *, indent: int | None = 1) -> str:
    r"""Return valid, lossless JSON without characters that could harm a terminal.

    Characters that `sanitize` replaces become \uXXXX. NaN and infinity become the strings "NaN",
    "Infinity" and "-Infinity". A decimal that is no exact double becomes a string of its digits,
    any other type its `str`.
    """
    plain = _to_plain(value)
    text = json.dumps(plain, indent=indent, ensure_ascii=False, allow_nan=False)
    return text if _is_plain(text) else _HIDDEN.sub(_escape, text)


def _to_plain(value: Any) -> Any:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else format_float(value)
        case Decimal():
            return _from_decimal(value)
        case Mapping():
            return {str(key): _to_plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_to_plain(item) for item in value]
    return str(value)


def end_sentence(text: str) -> str:
    """Return the text with a full stop, unless it ends a sentence already."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def format_count(count: int, noun: str) -> str:
    """Return a count with its noun: "1 model", "1,200 models"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def join_words(words: Iterable[str]) -> str:
    """Return "a, b and c"."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def format_top(count: int, noun: str) -> str:
    """Return the first in a ranking, after "the": "largest author", "5 largest authors"."""
    return noun if count == 1 else format_count(count, noun)


def format_duration(seconds: float) -> str:
    """Return a duration in its largest unit, rounded."""
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds:.0f} s"


def format_bytes(size: int) -> str:
    """Return a number of bytes in its largest decimal unit: "1.5 GB"."""
    for unit, length in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 1000)):
        if size >= length:
            return f"{size / length:,.1f} {unit}"
    return f"{size} bytes"


def format_float(value: float) -> str:
    """Return the number as JSON and JavaScript name it: NaN, Infinity, -Infinity, or its digits."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value)


def _from_decimal(value: Decimal) -> Any:
    if not value.is_finite():
        return format_float(float(value))
    if value == value.to_integral_value():
        return int(value)
    double = float(value)
    return double if Decimal(repr(double)) == value else format(value, "f")


def _is_plain(text: str) -> bool:
    return text.isprintable() and not _FILLERS.search(text)


def _replace(char: str) -> str:
    if char.isprintable() and char not in _INVISIBLE:
        return char
    return " " if char.isspace() else "\N{REPLACEMENT CHARACTER}"


_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~!&@])")
_FILLERS = re.compile(f"[{_INVISIBLE}]")
# candidates to escape; line breaks and ASCII never are
_HIDDEN = re.compile(r"[^\n -~]")


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    if char.isprintable() and char not in _INVISIBLE:
        return char
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
