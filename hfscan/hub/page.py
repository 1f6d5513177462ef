"""A page of models, proven whole before anyone relies on it."""

import base64
import gzip
import hashlib
import itertools
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import msgspec

from hfscan.errors import InvalidResponseError
from hfscan.hub import cursor
from hfscan.hub.client import Answer
from hfscan.hub.retry import TransientError
from hfscan.hub.rows import NotAListError, read_rows
from hfscan.hub.words import cite, explained

LARGEST_PAGE = 512 << 20
"""Bytes unpacked: a hundred times a usual page of 1,000 models; a gzip bomb takes any amount."""

_DOUBTS = 2  # times that a page is asked for again when it seems to lack models
_ETAG = re.compile(r'(?:W/)?"([0-9a-f]+)-([A-Za-z0-9+/]{27})"')
_ROWS = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True)
class Page:
    """A whole page: `packed` is a gzip file of a JSON array, one object for each of `ids`."""

    packed: bytes
    ids: list[str]
    next_url: str | None
    synthetic: str | None
    models: int
    """objects that `packed` holds; fewer than `ids` once some were left out"""
    left_out: dict[str, int] = field(default_factory=dict)
    """rows that cannot be stored, by reason"""
    presumed: bool = False
    """`next_url` is not the Hub's: it asks for what lies beyond the last `_id`"""
    unproven_end: str | None = None
    """why it is not known whether the Hub has more"""

    @property
    def short_of_cursor(self) -> bool:
        """True when the next page begins beyond this one's last model: some lie between.

        Known only while the Hub's cursor is readable.
        """
        bound = cursor.bound(self.next_url) if self.next_url else None
        return bound is not None and self.ids[-1:] != [bound]

    @property
    def rows(self) -> list[msgspec.Raw]:
        """The objects that `packed` holds, as JSON."""
        return _ROWS.decode(gzip.decompress(self.packed))

    def only(self, wanted: Callable[[str], bool]) -> "Page":
        """Return the page with those objects alone whose `_id` is wanted."""
        kept = [wanted(one) for one in self.ids]
        if all(kept):
            return self
        rows = itertools.compress(self.rows, kept)
        body = msgspec.json.encode([*rows])
        return replace(self, packed=_pack(body), models=sum(kept))


def prove(
    answer: Answer, *, after: str | None, ascending: bool, largest: int = LARGEST_PAGE
) -> Page:
    """Return the answer as a page.

    `after` is the last `_id` of the page before, `largest` the bytes that it may unpack to.
    Raises TransientError when the body is not whole, is no array of models, or when an `_id` is
    not beyond the one before it in the walk's direction; InvalidResponseError on a gzip bomb.
    """
    page = whole(answer, largest, first=after is None)
    _check_order(page.ids if after is None else [after, *page.ids], ascending)
    return page


def prove_beyond(answer: Answer, *, after: str, ascending: bool) -> Page:
    """Return the answer to an address that hfscan made, for what lies beyond the `_id` `after`.

    An empty page whose end is unproven where the Hub did not heed the address. Raises what `prove`
    raises.
    """
    page = whole(answer, first=False)
    if page.ids and ((page.ids[0] <= after) if ascending else (page.ids[0] >= after)):
        return unanswered("it lists what it has listed before")
    _check_order(page.ids, ascending)
    return page


def unanswered(why: str) -> Page:
    """Return an empty page for a Hub that does not say what lies beyond a model."""
    return Page(_pack(b"[]"), [], None, None, 0, unproven_end=why)


def whole(answer: Answer, largest: int = LARGEST_PAGE, *, first: bool = True) -> Page:
    """Return the answer as a page, in whatever order. Rows that cannot be stored are left out.

    Raises TransientError when it is not whole or no array of models (as a `first` page without any
    is not); InvalidResponseError on a gzip bomb.
    """
    body = unpacked(answer, largest)
    _match_etag(answer.etag, body)
    try:
        rows = read_rows(body)
    except NotAListError as error:
        raise _no_page(explained(body) or str(error)) from error
    if first and rows.left_out and not rows.ids:
        raise _no_page(f"all rows are {', '.join(rows.left_out)}")
    sent = answer.encoding == "gzip" and rows.body is body
    packed = answer.body if sent else _pack(rows.body)
    ids = rows.ids
    return Page(packed, ids, answer.next_url, answer.synthetic, len(ids), rows.left_out)


def doubting(proven: Callable[[Answer], Page]) -> Callable[[Answer], Page]:
    """Return `proven`, which raises TransientError for the first pages that lack models.

    Twice: a Hub whose cursors mean something else is believed then.
    """
    doubts = _DOUBTS

    def doubted(answer: Answer) -> Page:
        nonlocal doubts
        page = proven(answer)
        if doubts and (page.short_of_cursor or page.left_out):
            doubts -= 1
            what = f"rows {', '.join(page.left_out)}" if page.left_out else "too few models"
            raise TransientError(f"The Hub answered with a page with {what}")
        return page

    return doubted


def unpacked(answer: Answer, largest: int = LARGEST_PAGE) -> bytes:
    """Return the answer's body unpacked.

    Raises TransientError when it is not whole, InvalidResponseError beyond `largest` bytes.
    """
    if answer.encoding in ("", "identity"):
        return answer.body
    if answer.encoding != "gzip":
        raise TransientError(
            f"The Hub answered with encoding {cite(answer.encoding, 40)}, which was not asked for",
            final=InvalidResponseError,
        )
    unpack = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        body = unpack.decompress(answer.body, largest + 1)
    except zlib.error as error:
        raise TransientError(
            "The Hub answered with damaged gzip data", final=InvalidResponseError
        ) from error
    if len(body) > largest:
        raise InvalidResponseError(
            f"The Hub answered with {len(answer.body):,} bytes that unpack to more than "
            f"{largest:,}: no page is that large, so it was refused."
        )
    if not unpack.eof or unpack.unused_data:
        raise TransientError("The Hub answered with a part of a page", final=InvalidResponseError)
    return body


def _match_etag(etag: str | None, body: bytes) -> None:
    """Check Express's weak form: byte length in hex, 27 characters of base64 SHA-1 of the body."""
    match = _ETAG.fullmatch(etag or "")
    if not match:
        return
    digest = base64.b64encode(hashlib.sha1(body, usedforsecurity=False).digest())[:27].decode()
    if int(match[1], 16) != len(body) or match[2] != digest:
        raise TransientError(
            "The Hub answered with a page that does not match its own checksum (ETag)",
            final=InvalidResponseError,
        )


def _check_order(ids: list[str], ascending: bool) -> None:
    for before, then in itertools.pairwise(ids):
        if (then <= before) if ascending else (then >= before):
            raise TransientError(
                f"The Hub listed {then} after {before}, against the order asked for",
                final=InvalidResponseError,
            )


def _no_page(why: str) -> TransientError:
    return TransientError(
        f"The Hub answered with something that is no page of models: {cite(why)}",
        final=InvalidResponseError,
    )


def _pack(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=6, mtime=0)
