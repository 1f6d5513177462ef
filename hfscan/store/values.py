"""Read values of API objects that have undocumented types.

Each reader returns the value in the documented type, None where there is none, and raises
ValueError where it cannot read it: an unknown value never counts as absent.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from hfscan.objectid import HUB_START
from hfscan.store.literals import MISSING, parse_literal
from hfscan.timestamps import parse_timestamp

DATES = {"createdAt": "created_at", "lastModified": "last_modified"}
"""Field of the API with a date of a model -> column."""

_LARGEST = 2**63 - 1  # of a BIGINT
_DIGITS = re.compile(r"\d{1,19}(?:\.0+)?", re.ASCII)
_FLAGS = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1", "1.0"), True),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0", "0.0"), False),
}
_GATES = frozenset({"auto", "manual"})
_WORD = re.compile(r"[^\s,;|'\"\[\](){}]*[^\W\d_][^\s,;|'\"\[\](){}]*")
_NO_WORDS = frozenset({"na", "unknown"})
_SPELLED = re.compile(
    r"(?:[A-Z]\w*:\s*)?(?P<literal>\[.*\]|\{.*\}|\(.*,.*\)|[A-Za-z_][\w.]*\(\w+=.*\))"
    r"|<.+ at 0x\w+>",
    re.DOTALL,
)
"""The text of a list, an object or the repr of one: in a list it is no word and no file's name."""
_BRACKET = re.compile(r"[\[({]")
_FILE_NAMES = ("rfilename", "path", "filename", "name")
"""Keys under which an object holds the name of a file, the first one found."""

_URL = re.compile(r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)(?:/|$)", re.IGNORECASE)
_PAGES = frozenset(
    "blog chat collections datasets docs enterprise jobs join learn login metrics models new "
    "organizations papers posts pricing search settings spaces support tasks".split()
)
"""Paths of the Hub's site that are no models."""
_VIEWS = frozenset({"tree", "blob", "resolve", "raw", "commits", "discussions"})
_OBJECT_ID = re.compile(r"[0-9a-f]{24}", re.IGNORECASE | re.ASCII)


def unwrap(value: Any) -> Any:
    """Return the value of an object of MongoDB's extended JSON; other values unchanged."""
    if not isinstance(value, dict) or len(value) != 1:
        return value
    ((key, inner),) = value.items()
    if key == "$date":
        inner = unwrap(inner)
        if isinstance(inner, int) or (isinstance(inner, str) and re.fullmatch(r"-?\d+", inner)):
            return _from_milliseconds(int(inner))
        return inner
    if key in ("$oid", "$numberInt", "$numberLong", "$numberDouble", "$numberDecimal"):
        return inner
    return value


def read_text(value: Any) -> str | None:
    """Return a text without space around it, None for an empty one."""
    if _is_missing(value):
        return None
    if isinstance(value, str):
        return value.strip() or None
    raise ValueError("not a text")


def read_flag(value: Any) -> bool | None:
    """Return a boolean, also from 0, 1 and the usual words for both; None for an empty text."""
    if isinstance(value, bool | int | float) and value in (0, 1):
        return bool(value)
    word = read_text(value)
    if word is not None and word.lower() not in _FLAGS:
        raise ValueError("neither true nor false")
    return None if word is None else _FLAGS[word.lower()]


def read_gate(value: Any) -> str | None:
    """Return how the Hub gates a model: 'false', 'auto', 'manual'; 'true' for an unknown kind."""
    if isinstance(value, str) and value.strip().lower() in _GATES:
        return value.strip().lower()
    flag = read_flag(value)
    return None if flag is None else str(flag).lower()


def read_count(value: Any) -> int | None:
    """Return an integer from 0 to 2^63 - 1, also from text and from 12.0."""
    if _is_missing(value):
        return None
    if isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
        value = int(value.strip().partition(".")[0])
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST:
        return value
    raise ValueError("not an integer from 0 to 2^63 - 1")


def read_timestamp(value: Any) -> str | None:
    """Return an instant as text: ISO 8601, UTC."""
    return None if _is_missing(value) else parse_timestamp(value).isoformat(sep=" ")


def check_date(instant: datetime, latest: datetime) -> None:
    """Raise ValueError where no model can have been created or modified at an instant."""
    if not HUB_START <= instant <= latest:
        raise ValueError(f"{instant} lies before the Hub or after {latest}")


def read_words(value: Any) -> list[str] | None:
    """Return a list of words, such as tags."""
    items = _read_list(value, _read_word_item)
    if items and all(item is None for item in items):
        raise ValueError("a list of nothing but nulls")
    return items and [_word(item) for item in items if item is not None]


def read_files(value: Any) -> list[dict[str, str]] | None:
    """Return a list of files as the API has it: objects with an `rfilename`."""
    items = _read_list(value, _read_object_item)
    if items and isinstance(value, str) and not _BRACKET.search(value) and "." not in value:
        raise ValueError("none looks like the name of a file")
    return items and [{"rfilename": _file_name(item)} for item in items]


def read_bases(value: Any) -> list[dict[str, str]] | None:
    """Return a list of repo ids as the API has it: objects with an `id`."""
    items = _read_list(value, _read_word_item)
    return items and [{"id": _repo_id(item)} for item in items]


def read_object(value: Any) -> dict[str, Any] | None:
    """Return an object, also from text that spells one."""
    if isinstance(value, str):
        value = parse_literal(value)
    if value is None or isinstance(value, dict):
        return value
    raise ValueError("not an object")


def read_object_id(value: Any) -> str | None:
    """Return an `_id`: hex digits in lower case, or any other text."""
    text = read_text(value)
    return text.lower() if text and _OBJECT_ID.fullmatch(text) else text


def read_repo_id(value: Any) -> str | None:
    """Return the id of a model's repo, also from the address of its page."""
    text = read_text(value)
    if text is None:
        return None
    parts = _path_of_page(text[url.end() :]) if (url := _URL.match(text)) else text.split("/")
    if parts[:1] == ["models"] and len(parts) > 1:
        parts = parts[1:]
    is_other = parts[:1] in (["datasets"], ["spaces"])
    if len(parts) not in (1, 2) or not all(parts) or is_other or ":" in parts[0]:
        raise ValueError("not the id of a model")
    return "/".join(parts)


def _path_of_page(path: str) -> list[str]:
    """Return the parts of a path on the Hub's site that name a repo. Raises ValueError."""
    parts = [part for part in re.split(r"[?#]", path, maxsplit=1)[0].split("/") if part]
    if parts[:1] == ["api"]:
        parts = parts[1:]
    if parts and parts[0] in _PAGES and (parts[0] != "models" or len(parts) == 1):
        raise ValueError("not the page of a model")
    end = next((index for index, part in enumerate(parts) if part in _VIEWS), len(parts))
    return parts[:end]


def _is_missing(value: Any) -> bool:
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or (isinstance(value, str) and value.strip() in MISSING)


def _from_milliseconds(number: int) -> str:
    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=number)).isoformat()
    except OverflowError as error:
        raise ValueError("outside the calendar") from error


def _read_list(value: Any, read_item: Callable[[Any], Any]) -> list[Any] | None:
    """Return a list, also from text: JSON, a Python literal or words separated by commas."""
    if _is_missing(value):
        return None
    if isinstance(value, str):
        value = _list_from_text(value)
    if isinstance(value, list):
        items = [read_item(item) for item in value]
        was_text = len(value) == 1 and isinstance(value[0], str)
        value = items[0] if was_text and isinstance(items[0], list) else items
    if isinstance(value, dict):
        return [value]
    if value is None or isinstance(value, list):
        return value
    raise ValueError("not a list")


def _list_from_text(text: str) -> Any:
    words = [word.strip() for word in text.split(",")]
    if all(_WORD.fullmatch(word) and word.lower() not in _NO_WORDS for word in words):
        return words
    parsed = parse_literal(text)
    if isinstance(parsed, str) and parsed != text:  # spelled twice over
        return _list_from_text(parsed)
    return parsed


def _read_word_item(item: Any) -> Any:
    """Return an item; where it is the text of a list of texts, that. Else `[en]` is a word, too."""
    try:
        found = _read_object_item(item)
    except ValueError:
        return item
    is_words = isinstance(found, list) and found and all(isinstance(word, str) for word in found)
    return found if is_words or isinstance(found, dict) else item


def _read_object_item(item: Any) -> Any:
    """Return an item; where it is the text of an object or a list, what it spells."""
    if not isinstance(item, str) or (spelled := _SPELLED.fullmatch(item.strip())) is None:
        return item
    return parse_literal(spelled["literal"] or item)


def _word(value: Any) -> str:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError("a list of something else than words")


def _file_name(value: Any) -> str:
    if isinstance(value, dict):
        value = next((value[key] for key in _FILE_NAMES if key in value), None)
    if isinstance(value, str) and value:
        return value
    raise ValueError("a list of something else than files")


def _repo_id(value: Any) -> str:
    id_ = read_repo_id(value.get("id") if isinstance(value, dict) else value)
    if id_ is None:
        raise ValueError("a list of something else than repo ids")
    return id_
