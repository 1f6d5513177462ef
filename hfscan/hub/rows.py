"""The rows of a list: which of them are models that can be stored, and which are left out.

A row that cannot be read must not hide the other models of its page, nor stop a crawl.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple

import msgspec

LARGEST_ROW = 16 << 20
"""Bytes of JSON; readers of larger objects take too much memory."""

_ID = re.compile(r"[0-9a-f]{24}")
_IDS = re.compile(r"[0-9a-f]*")
_MARK = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},]', re.DOTALL)
_NOT_UTF8 = re.compile("[\udc80-\udcff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class _Model(msgspec.Struct):
    object_id: Annotated[str, msgspec.Meta(min_length=24, max_length=24)] = msgspec.field(
        name="_id"
    )
    id: Annotated[str, msgspec.Meta(min_length=1)]


_MODELS = msgspec.json.Decoder(list[_Model])
_OBJECTS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])


class Rows(NamedTuple):
    """The models of a list: their `_id`s, a JSON array of them, and why others were left out.

    Shape of `left_out`: reason -> rows.
    """

    ids: list[str]
    body: bytes
    left_out: dict[str, int]


class NotAListError(Exception):
    """The body is no JSON array."""


class _BadRowError(Exception):
    """A row cannot be stored; the text says why, as it follows "rows"."""


def read_rows(body: bytes) -> Rows:
    """Return the models in a JSON array. Raises NotAListError."""
    ids = _clean_ids(body)
    return _filter_rows(body) if ids is None else Rows(ids, body, {})


def _clean_ids(body: bytes) -> list[str] | None:
    """Return the `_id`s where every row can be stored as it is; None where that must be seen."""
    if len(body) > LARGEST_ROW:
        return None
    try:
        body.decode()  # the decoders do not look inside fields that they skip
        ids = [model.object_id for model in _MODELS.decode(body)]
        # a key given twice is lost on the way
        same = msgspec.json.encode(_OBJECTS.decode(body)) == body
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return ids if same and _IDS.fullmatch("".join(ids)) else None


def _filter_rows(body: bytes) -> Rows:
    ids: list[str] = []
    kept: list[str] = []
    left_out: Counter[str] = Counter()
    unchanged = True
    for text in _split(body.decode("utf-8", "surrogateescape")):
        try:
            object_id, row = _read_row(text)
        except _BadRowError as error:
            left_out[str(error)] += 1
        else:
            ids.append(object_id)
            kept.append(row)
            unchanged = unchanged and row is text
    if unchanged and not left_out:
        return Rows(ids, body, {})
    return Rows(ids, f"[{','.join(kept)}]".encode(), dict(left_out))


def _split(text: str) -> Iterator[str]:
    """Yield the elements of a JSON array, read or not. Raises NotAListError."""
    text = text.strip(" \t\r\n")
    if not text.startswith("["):
        raise NotAListError("it is no JSON array")
    depth, start = 0, 1
    for match in _MARK.finditer(text):
        mark = match[0]
        if mark in "[{":
            depth += 1
            continue
        if mark in "]}":
            depth -= 1
        ends = depth == 0
        if ends or (depth == 1 and mark == ","):
            element = text[start : match.start()].strip(" \t\r\n")
            if element or not ends or start > 1:
                yield element
            start = match.end()
        if ends:
            if mark == "}" or start != len(text):
                raise NotAListError("it does not end as a JSON array")
            return
    raise NotAListError("it is cut off")


def _read_row(text: str) -> tuple[str, str]:
    """Return the `_id` of a model and its JSON. Raises _BadRowError."""
    if len(text) > LARGEST_ROW or len(text.encode("utf-8", "surrogateescape")) > LARGEST_ROW:
        raise _BadRowError(f"larger than {LARGEST_ROW >> 20} MiB")
    if _NOT_UTF8.search(text):
        raise _BadRowError("with text that is not UTF-8")
    try:
        model = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except RecursionError:
        raise _BadRowError("nested too deeply") from None
    except ValueError:
        raise _BadRowError("that are not valid JSON") from None
    if not isinstance(model, dict):
        raise _BadRowError("that are not objects")
    object_id, name = model.get("_id"), model.get("id") or model.get("modelId")
    if not (isinstance(object_id, str) and _ID.fullmatch(object_id)):
        raise _BadRowError("without a valid _id")
    if not (isinstance(name, str) and name):
        raise _BadRowError("without a valid id")
    if _ESCAPED_SURROGATE.search(text):
        written = json.dumps(model, ensure_ascii=False, separators=(",", ":"))
        if _SURROGATE.search(written):  # JSON can write them, but no text can hold them
            return object_id, _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", written)
    return object_id, text


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _BadRowError("with a key given twice")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(name)
