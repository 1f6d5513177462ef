"""Only complete pages are accepted; others are transient errors or refused."""

import base64
import gzip
import hashlib
import json

import pytest

from hfscan.errors import InvalidResponseError
from hfscan.hub.client import RawResponse
from hfscan.hub.page import Page, validate_page
from hfscan.hub.retry import TransientError

IDS = [f"63{n:022x}" for n in range(4)]
ROWS = [{"_id": id_, "id": f"a/{id_}", "tags": ["pytorch"]} for id_ in IDS]
BODY = json.dumps(ROWS).encode()


def etag(body: bytes) -> str:
    digest = base64.b64encode(hashlib.sha1(body).digest()).decode()[:27]
    return f'W/"{len(body):x}-{digest}"'


def answer(
    body: bytes = BODY, *, tag: str | None = None, packed: bytes | None = None, next_: str = ""
) -> RawResponse:
    return RawResponse(gzip.compress(body) if packed is None else packed, "gzip", tag, next_, None)


def proven(response: RawResponse, after: str | None = None, *, ascending: bool = True) -> Page:
    return validate_page(response, after=after, ascending=ascending)


def test_complete_page_is_stored_as_sent() -> None:
    sent = answer(tag=etag(BODY))
    page = proven(sent)
    assert page.gzipped == sent.body
    assert page.ids == IDS


def test_a_page_without_compression_is_compressed() -> None:
    page = proven(RawResponse(BODY, "", etag(BODY), None, None))
    assert gzip.decompress(page.gzipped) == BODY


@pytest.mark.parametrize(
    "sent",
    [
        answer(packed=gzip.compress(BODY)[:-20]),
        answer(packed=gzip.compress(BODY)[:-1]),
        answer(packed=b""),
        answer(packed=b"<html>"),
        answer(packed=gzip.compress(BODY) + b"more"),
        answer(BODY[:-1]),
        answer(BODY + BODY),
        answer(b'{"error":"rate limited"}'),
        answer(b"null"),
        answer(b'[{"id":"a/b"}]'),
        answer(b'[{"_id":17}]'),
        answer(b'[{"_id":"' + b"A" * 24 + b'"}]'),
        answer(b'[{"_id":"../../../../../etc/pass"}]'),
        answer(b'[{"_id":"' + IDS[0].encode() + b'","id":"\xff"}]'),
        answer(b'[{"_id":"' + IDS[0].encode() + b'","x":' + b"[" * 5000 + b"]" * 5000 + b"}]"),
        answer(tag=etag(BODY + b" ")),
        answer(tag=etag(BODY.replace(b"pytorch", b"tortorc"))),
        RawResponse(BODY, "br", None, None, None),
    ],
)
def test_incomplete_page_is_a_transient_error(sent: RawResponse) -> None:
    with pytest.raises(TransientError):
        proven(sent)


@pytest.mark.parametrize("ids", [[0, 2, 1], [0, 0], [1, 0]])
def test_wrong_order_is_refused(ids: list[int]) -> None:
    with pytest.raises(TransientError, match="order"):
        proven(answer(json.dumps([ROWS[n] for n in ids]).encode()))


def test_a_page_must_lie_beyond_the_one_before() -> None:
    down = answer(json.dumps(ROWS[::-1]).encode())
    assert proven(answer(), after="62" + "0" * 22).ids == IDS
    assert proven(down, after="64" + "0" * 22, ascending=False).ids == IDS[::-1]
    for sent, after, ascending in ((answer(), IDS[0], True), (down, IDS[3], False)):
        with pytest.raises(TransientError, match=after):
            proven(sent, after=after, ascending=ascending)


def test_a_gzip_bomb_is_refused_for_good() -> None:
    bomb = answer(b"[" + b" " * (1 << 20) + b"]")
    for largest in (1 << 19, (1 << 20) + 1):
        with pytest.raises(InvalidResponseError, match="unpack to more than"):
            validate_page(bomb, after=None, ascending=True, max_bytes=largest)
    assert validate_page(bomb, after=None, ascending=True, max_bytes=(1 << 20) + 2).ids == []


def test_invalid_surrogates_are_replaced() -> None:
    body = BODY.replace(b'"pytorch"', rb'"\ud800 and \ud83d\ude00"', 1)
    page = proven(answer(body, tag=etag(body)))
    rows = json.loads(gzip.decompress(page.gzipped))
    assert page.ids == IDS
    assert rows[0]["tags"] == ["\N{REPLACEMENT CHARACTER} and \N{GRINNING FACE}"]


def test_error_text_has_no_control_codes() -> None:
    with pytest.raises(TransientError, match="slow down") as caught:
        proven(answer(json.dumps({"error": "\x1b[2Jslow down"}).encode()))
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    ("cursor", "short"),
    [
        ({"_id": {"$gt": IDS[3]}}, False),
        ({"_id": {"$gt": "64" + "0" * 22}}, True),
        ({"token": "opaque"}, False),
        (None, False),
    ],
)
def test_cursor_beyond_last_model_means_missing_models(cursor: object, short: bool) -> None:
    text = base64.b64encode(json.dumps(cursor).encode()).decode().replace("=", "%3D")
    page = proven(answer(next_=f"http://hub/api/models?cursor={text}"))
    assert page.is_missing_tail is short


def test_page_filter_keeps_complete_models() -> None:
    page = proven(answer(next_="http://hub/api/models?cursor=x"))
    cut = page.filter(lambda id_: id_ != IDS[1])
    assert (cut.ids, cut.models) == (IDS, len(IDS) - 1)
    assert json.loads(gzip.decompress(cut.gzipped)) == [ROWS[0], *ROWS[2:]]
    assert page.filter(lambda _: True) is page
