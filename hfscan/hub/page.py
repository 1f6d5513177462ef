"""Pages of models: decode them, validate them, and skip the rows that cannot be stored.

A row that cannot be read must not hide the other models of its page, nor stop a crawl.
"""

import base64
import gzip
import hashlib
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, NamedTuple

import msgspec
from isal import isal_zlib

from hfscan.errors import InvalidResponseError
from hfscan.hub import cursor
from hfscan.hub.client import RawResponse, extract_error_message
from hfscan.hub.endpoint import sanitize_hub_text
from hfscan.hub.plan import FIELDS
from hfscan.hub.retry import TransientError

# decompressed: a hundred times a usual page of 1,000 models; a gzip bomb takes any amount
MAX_PAGE_BYTES = 512 << 20
MAX_ROW_BYTES = 16 << 20  # JSON; readers of larger objects take too much memory
MAX_CONSECUTIVE_EMPTY_PAGES = 10  # more: a list without end; fewer: a Hub that filters
_MAX_TRUNCATION_RETRIES = 2
_ETAG = re.compile(r'(?:W/)?"([0-9a-f]+)-([A-Za-z0-9+/]{27})"')
_ROWS = msgspec.json.Decoder(list[msgspec.Raw])
_ID = re.compile(r"[0-9a-f]{24}")
_IDS = re.compile(r"[0-9a-f]*")
_JSON_MARK = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},]', re.DOTALL)
_NOT_UTF8 = re.compile("[\udc80-\udcff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True)
class Page:
    """A complete page: `gzipped` is a gzip file of a JSON array, one object for each of `ids`."""

    gzipped: bytes
    ids: list[str]
    next_url: str | None
    synthetic: str | None
    models: int  # objects in `gzipped`; fewer than `ids` after `filter`
    skipped_rows: dict[str, int] = field(default_factory=dict)  # reason -> rows
    is_next_constructed: bool = False
    """`next_url` was not sent by the Hub: hfscan made it to ask for what follows the last `_id`"""
    unproven_end: str | None = None  # why it is unknown whether the Hub has more models

    @property
    def is_missing_tail(self) -> bool:
        """True if the next page starts beyond this one's last model, so that models are missing.

        Known only while the Hub's cursor is readable.
        """
        boundary = cursor.boundary_id(self.next_url) if self.next_url else None
        return boundary is not None and self.ids[-1:] != [boundary]

    @property
    def rows(self) -> list[msgspec.Raw]:
        """The objects in `gzipped`, as JSON."""
        return _ROWS.decode(gzip.decompress(self.gzipped))

    def filter(self, predicate: Callable[[str], bool]) -> "Page":
        selectors = [predicate(object_id) for object_id in self.ids]
        if all(selectors):
            return self
        body = msgspec.json.encode([*itertools.compress(self.rows, selectors)])
        return replace(self, gzipped=_compress(body), models=sum(selectors))


def validate_page(
    response: RawResponse, *, after: str | None, ascending: bool, max_bytes: int = MAX_PAGE_BYTES
) -> Page:
    """Return the response as a page.

    `after`: the last `_id` of the page before. Raises TransientError if the body is incomplete or
    not an array of models, or the `_id`s are not in order; InvalidResponseError beyond `max_bytes`
    decompressed.
    """
    page = decode_page(response, max_bytes, is_first=after is None)
    _check_order(page.ids if after is None else [after, *page.ids], ascending)
    return page


def validate_page_beyond(response: RawResponse, *, after: str, ascending: bool) -> Page:
    """Return the response to a constructed URL, which asks for what follows the `_id` `after`.

    Returns an empty page with an unproven end if the Hub ignores the cursor in the URL. Raises what
    `validate_page` raises.
    """
    page = decode_page(response, is_first=False)
    if page.ids and ((page.ids[0] <= after) if ascending else (page.ids[0] >= after)):
        return unproven_end_page("listed models that it had listed before")
    _check_order(page.ids, ascending)
    return page


def endless_list_error(endpoint: str) -> InvalidResponseError:
    """Return the error for a Hub that repeats pages, or sends too many empty ones."""
    return InvalidResponseError(
        f"{endpoint} keeps returning empty pages, or links to pages that were already fetched. "
        "Nothing more can be fetched."
    )


def unproven_end_page(reason: str) -> Page:
    """Return an empty page for a Hub that does not say what follows a model."""
    return Page(_compress(b"[]"), [], None, None, 0, unproven_end=reason)


def decode_page(
    response: RawResponse, max_bytes: int = MAX_PAGE_BYTES, *, is_first: bool = True
) -> Page:
    """Return the response as a page, in any order, without the rows that cannot be stored.

    Raises TransientError if it is incomplete or not an array of models (as a first page without
    any is not), InvalidResponseError beyond `max_bytes` decompressed.
    """
    body = decompress(response, max_bytes)
    _check_etag(response.etag, body)
    try:
        rows = read_rows(body)
    except NotAListError as error:
        raise _not_a_page(extract_error_message(body) or str(error)) from error
    if is_first and rows.skipped and not rows.ids:
        raise _not_a_page(f"all rows are {', '.join(rows.skipped)}")
    is_as_sent = response.encoding == "gzip" and rows.body is body
    gzipped = response.body if is_as_sent else _compress(rows.body)
    ids = rows.ids
    return Page(gzipped, ids, response.next_url, response.synthetic, len(ids), rows.skipped)


def retry_if_truncated(parse: Callable[[RawResponse], Page]) -> Callable[[RawResponse], Page]:
    """Return `parse`, which raises TransientError for the first pages that lack models.

    Later ones are accepted: the Hub's cursors may mean something else.
    """
    retries = _MAX_TRUNCATION_RETRIES

    def parse_or_retry(response: RawResponse) -> Page:
        nonlocal retries
        page = parse(response)
        if retries and (page.is_missing_tail or page.skipped_rows):
            retries -= 1
            reasons = ", ".join(page.skipped_rows)
            what = f"rows {reasons}" if reasons else "too few models"
            raise TransientError(f"The Hub sent a page with {what}")
        return page

    return parse_or_retry


def decompress(response: RawResponse, max_bytes: int = MAX_PAGE_BYTES) -> bytes:
    """Return the response's body decompressed.

    Raises TransientError if it is incomplete, InvalidResponseError beyond `max_bytes`.
    """
    if response.encoding in ("", "identity"):
        return response.body
    if response.encoding != "gzip":
        encoding = sanitize_hub_text(response.encoding, 40)
        raise _invalid(f"The Hub sent encoding {encoding}, which was not requested")
    decompressor = isal_zlib.decompressobj(wbits=16 + isal_zlib.MAX_WBITS)
    try:
        body = decompressor.decompress(response.body, max_bytes + 1)
    except isal_zlib.IsalError as error:  # type: ignore[misc]  # its stub declares a value
        raise _invalid("The Hub sent damaged gzip data") from error
    if len(body) > max_bytes:
        raise InvalidResponseError(
            f"The Hub sent {len(response.body):,} bytes that unpack to more than {max_bytes:,}: no "
            "page is that large, so it was refused."
        )
    if not decompressor.eof or decompressor.unused_data:
        raise _invalid("The Hub sent a part of a page")
    return body


def _check_etag(etag: str | None, body: bytes) -> None:
    """Check Express's weak form: byte length in hex, 27 characters of base64 SHA-1 of the body."""
    match = _ETAG.fullmatch(etag or "")
    if not match:
        return
    digest = base64.b64encode(hashlib.sha1(body, usedforsecurity=False).digest())[:27].decode()
    if int(match[1], 16) != len(body) or match[2] != digest:
        raise _invalid("The Hub sent a page that does not match its checksum (ETag)")


def _check_order(ids: list[str], ascending: bool) -> None:
    for previous, current in itertools.pairwise(ids):
        if (current <= previous) if ascending else (current >= previous):
            raise _invalid(f"The Hub listed {current} after {previous}, against the order")


def _not_a_page(reason: str) -> TransientError:
    return _invalid(
        f"The Hub sent something that is no page of models: {sanitize_hub_text(reason)}"
    )


def _invalid(message: str) -> TransientError:
    return TransientError(message, raise_as=InvalidResponseError)


def _compress(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=6, mtime=0)


_Model: Any = msgspec.defstruct(
    "_Model",
    [
        ("object_id", Annotated[str, msgspec.Meta(min_length=24, max_length=24)]),
        ("id", Annotated[str, msgspec.Meta(min_length=1)]),
        *((name, msgspec.Raw | msgspec.UnsetType, msgspec.UNSET) for name in FIELDS),
    ],
    rename={"object_id": "_id"},
    omit_defaults=True,
    gc=False,
)
_MODELS = msgspec.json.Decoder(list[_Model])


class Rows(NamedTuple):
    """The models of a list: their `_id`s, a JSON array of them, and reason -> rows skipped."""

    ids: list[str]
    body: bytes
    skipped: dict[str, int]


class NotAListError(Exception):
    """The body is not a JSON array."""


class _BadRowError(Exception):
    """A row cannot be stored. The text continues "rows ..."."""


def read_rows(body: bytes) -> Rows:
    """Return the models in a JSON array. Raises NotAListError."""
    ids = _clean_ids(body)
    return _filter_rows(body) if ids is None else Rows(ids, body, {})


def _clean_ids(body: bytes) -> list[str] | None:
    """Return the `_id`s if every row can be stored as it is, None if rows must be checked."""
    if len(body) > MAX_ROW_BYTES:
        return None
    try:
        body.decode()  # the decoder does not check the text of fields that it skips
        models = _MODELS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    # no value is written longer than it was read, so that a key that was lost makes it shorter
    if len(msgspec.json.encode(models)) < len(body):
        return None
    ids = [model.object_id for model in models]
    return ids if _IDS.fullmatch("".join(ids)) else None


def _filter_rows(body: bytes) -> Rows:
    ids: list[str] = []
    texts: list[str] = []
    skipped: Counter[str] = Counter()
    is_unchanged = True
    for text in _split(body.decode("utf-8", "surrogateescape")):
        try:
            object_id, row = _read_row(text)
        except _BadRowError as error:
            skipped[str(error)] += 1
        else:
            ids.append(object_id)
            texts.append(row)
            is_unchanged = is_unchanged and row is text
    if is_unchanged and not skipped:
        return Rows(ids, body, {})
    return Rows(ids, f"[{','.join(texts)}]".encode(), dict(skipped))


def _split(text: str) -> Iterator[str]:
    """Yield the elements of a JSON array, valid or not. Raises NotAListError."""
    text = text.strip(" \t\r\n")
    if not text.startswith("["):
        raise NotAListError("not a JSON array")
    depth, start = 0, 1
    for match in _JSON_MARK.finditer(text):
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
                raise NotAListError("not the end of a JSON array")
            return
    raise NotAListError("a JSON array that is cut off")


def _read_row(text: str) -> tuple[str, str]:
    """Return the `_id` of a model and its JSON. Raises _BadRowError."""
    if len(text) > MAX_ROW_BYTES or len(text.encode("utf-8", "surrogateescape")) > MAX_ROW_BYTES:
        raise _BadRowError(f"larger than {MAX_ROW_BYTES >> 20} MiB")
    if _NOT_UTF8.search(text):
        raise _BadRowError("with text that is not UTF-8")
    try:
        model = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except RecursionError:
        raise _BadRowError("nested too deeply") from None
    except ValueError:
        raise _BadRowError("with invalid JSON") from None
    if not isinstance(model, dict):
        raise _BadRowError("without a JSON object")
    object_id, name = model.get("_id"), model.get("id") or model.get("modelId")
    if not (isinstance(object_id, str) and _ID.fullmatch(object_id)):
        raise _BadRowError("without a valid _id")
    if not (isinstance(name, str) and name):
        raise _BadRowError("without a valid id")
    if _ESCAPED_SURROGATE.search(text):
        written = json.dumps(model, ensure_ascii=False, separators=(",", ":"))
        if _SURROGATE.search(written):  # valid in JSON, but not in UTF-8
            return object_id, _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", written)
    return object_id, text


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        raise _BadRowError("with a duplicate key")
    return row


def _refuse_constant(name: str) -> None:
    raise ValueError(name)
