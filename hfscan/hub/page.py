"""A page of models, proven whole before anyone relies on it."""

import base64
import gzip
import hashlib
import itertools
import json
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any

import msgspec

from hfscan.errors import HubContractError
from hfscan.hub import cursor
from hfscan.hub.client import Answer
from hfscan.hub.retry import TransientError
from hfscan.hub.words import explained
from hfscan.text import sanitize

LARGEST_PAGE = 512 << 20
"""Bytes unpacked: a hundred times a usual page of 1,000 models; a gzip bomb takes any amount."""

_DOUBTS = 2  # times that a page is asked for again when its cursor says that it lacks models
_HEX = re.compile("[0-9a-f]*")
_ETAG = re.compile(r'(?:W/)?"([0-9a-f]+)-([A-Za-z0-9+/]{27})"')


class _Model(msgspec.Struct):
    id: Annotated[str, msgspec.Meta(min_length=24, max_length=24)] = msgspec.field(name="_id")


_IDS = msgspec.json.Decoder(list[_Model])
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
    not beyond the one before it in the walk's direction; HubContractError on a gzip bomb.
    """
    page = whole(answer, largest)
    _check_order(page.ids if after is None else [after, *page.ids], ascending)
    return page


def whole(answer: Answer, largest: int = LARGEST_PAGE) -> Page:
    """Return the answer as a page, in whatever order.

    Raises TransientError when it is not whole or no array of models; HubContractError on a gzip
    bomb.
    """
    body = unpacked(answer, largest)
    _match_etag(answer.etag, body)
    packed = answer.body if answer.encoding == "gzip" else None
    try:
        body.decode()  # the decoder below does not look inside fields that it skips
        models = _IDS.decode(body)
    except (msgspec.ValidationError, RecursionError) as error:
        raise _no_page(explained(body) or str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        body = _repaired(body, error)
        packed = None
        models = _decoded(body)
    ids = [model.id for model in models]
    if not _HEX.fullmatch("".join(ids)):  # all at once: a third of the time
        raise _no_page("an `_id` that is not 24 hex digits")
    return Page(packed or _pack(body), ids, answer.next_url, answer.synthetic, len(ids))


def doubting(proven: Callable[[Answer], Page]) -> Callable[[Answer], Page]:
    """Return `proven`, which raises TransientError for the first pages that lack models.

    Twice: a Hub whose cursors mean something else is believed then.
    """
    doubts = _DOUBTS

    def doubted(answer: Answer) -> Page:
        nonlocal doubts
        page = proven(answer)
        if page.short_of_cursor and doubts:
            doubts -= 1
            raise TransientError("The Hub left models out at the end of a page")
        return page

    return doubted


def unpacked(answer: Answer, largest: int = LARGEST_PAGE) -> bytes:
    """Return the answer's body unpacked.

    Raises TransientError when it is not whole, HubContractError beyond `largest` bytes.
    """
    if answer.encoding in ("", "identity"):
        return answer.body
    if answer.encoding != "gzip":
        raise TransientError(
            f"The Hub answered with encoding {sanitize(answer.encoding, 40)}, which was not "
            "asked for",
            final=HubContractError,
        )
    unpack = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        body = unpack.decompress(answer.body, largest + 1)
    except zlib.error as error:
        raise TransientError(
            "The Hub answered with damaged gzip data", final=HubContractError
        ) from error
    if len(body) > largest:
        raise HubContractError(
            f"The Hub answered with {len(answer.body):,} bytes that unpack to more than "
            f"{largest:,}: no page is that large, so it was refused."
        )
    if not unpack.eof or unpack.unused_data:
        raise TransientError("The Hub answered with a part of a page", final=HubContractError)
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
            final=HubContractError,
        )


def _decoded(body: bytes) -> list[_Model]:
    try:
        return _IDS.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise _no_page(explained(body) or str(error)) from error


def _repaired(body: bytes, error: Exception) -> bytes:
    r"""Return the JSON without lone surrogates (`\ud800`).

    JSON can write them, but no text can hold them, so they stop most readers. Raises
    TransientError on everything else that is wrong with the body.
    """
    try:
        rows: Any = json.loads(body)
        text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):
        raise _no_page(str(error)) from error
    return re.sub("[\ud800-\udfff]", "\ufffd", text).encode()


def _check_order(ids: list[str], ascending: bool) -> None:
    for before, then in itertools.pairwise(ids):
        if (then <= before) if ascending else (then >= before):
            raise TransientError(
                f"The Hub listed {then} after {before}, against the order asked for",
                final=HubContractError,
            )


def _no_page(why: str) -> TransientError:
    return TransientError(
        f"The Hub answered with something that is no page of models: {sanitize(why, 600)}",
        final=HubContractError,
    )


def _pack(body: bytes) -> bytes:
    return gzip.compress(body, compresslevel=6, mtime=0)
