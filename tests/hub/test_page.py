"""Only complete pages are accepted; others are transient errors, or refused."""

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


def make_etag(body: bytes) -> str:
    digest = base64.b64encode(hashlib.sha1(body).digest()).decode()[:27]
    return f'W/"{len(body):x}-{digest}"'


def make_response(
    body: bytes = BODY, *, etag: str | None = None, gzipped: bytes | None = None, next_: str = ""
) -> RawResponse:
    return RawResponse(
        gzip.compress(body) if gzipped is None else gzipped, "gzip", etag, next_, None
    )


def validate(response: RawResponse, after: str | None = None, *, ascending: bool = True) -> Page:
    return validate_page(response, after=after, ascending=ascending)


def test_complete_page_is_stored_as_sent() -> None:
    response = make_response(etag=make_etag(BODY))
    page = validate(response)
    assert page.gzipped == response.body
    assert page.ids == IDS


def test_a_page_without_compression_is_compressed() -> None:
    page = validate(RawResponse(BODY, "", make_etag(BODY), None, None))
    assert gzip.decompress(page.gzipped) == BODY


@pytest.mark.parametrize(
    "response",
    [
        make_response(gzipped=gzip.compress(BODY)[:-20]),
        make_response(gzipped=gzip.compress(BODY)[:-1]),
        make_response(gzipped=b""),
        make_response(gzipped=b"<html>"),
        make_response(gzipped=gzip.compress(BODY) + b"more"),
        make_response(BODY[:-1]),
        make_response(BODY + BODY),
        make_response(b'{"error":"rate limited"}'),
        make_response(b"null"),
        make_response(b'[{"id":"a/b"}]'),
        make_response(b'[{"_id":17}]'),
        make_response(b'[{"_id":"' + b"A" * 24 + b'"}]'),
        make_response(b'[{"_id":"../../../../../etc/pass"}]'),
        make_response(b'[{"_id":"' + IDS[0].encode() + b'","id":"\xff"}]'),
        make_response(
            b'[{"_id":"' + IDS[0].encode() + b'","x":' + b"[" * 5000 + b"]" * 5000 + b"}]"
        ),
        make_response(etag=make_etag(BODY + b" ")),
        make_response(etag=make_etag(BODY.replace(b"pytorch", b"tortorc"))),
        RawResponse(BODY, "br", None, None, None),
    ],
)
def test_incomplete_page_is_a_transient_error(response: RawResponse) -> None:
    with pytest.raises(TransientError):
        validate(response)


@pytest.mark.parametrize("ids", [[0, 2, 1], [0, 0], [1, 0]])
def test_wrong_order_is_refused(ids: list[int]) -> None:
    with pytest.raises(TransientError, match="order"):
        validate(make_response(json.dumps([ROWS[n] for n in ids]).encode()))


def test_a_page_must_lie_beyond_the_one_before() -> None:
    descending = make_response(json.dumps(ROWS[::-1]).encode())
    assert validate(make_response(), after="62" + "0" * 22).ids == IDS
    assert validate(descending, after="64" + "0" * 22, ascending=False).ids == IDS[::-1]
    for response, after, ascending in (
        (make_response(), IDS[0], True),
        (descending, IDS[3], False),
    ):
        with pytest.raises(TransientError, match=after):
            validate(response, after=after, ascending=ascending)


def test_gzip_bomb_is_refused_without_retry() -> None:
    bomb = make_response(b"[" + b" " * (1 << 20) + b"]")
    for largest in (1 << 19, (1 << 20) + 1):
        with pytest.raises(InvalidResponseError, match="unpack to more than"):
            validate_page(bomb, after=None, ascending=True, max_bytes=largest)
    assert validate_page(bomb, after=None, ascending=True, max_bytes=(1 << 20) + 2).ids == []


def test_invalid_surrogates_are_replaced() -> None:
    body = BODY.replace(b'"pytorch"', rb'"\ud800 and \ud83d\ude00"', 1)
    page = validate(make_response(body, etag=make_etag(body)))
    rows = json.loads(gzip.decompress(page.gzipped))
    assert page.ids == IDS
    assert rows[0]["tags"] == ["\N{REPLACEMENT CHARACTER} and \N{GRINNING FACE}"]


def test_error_text_has_no_control_codes() -> None:
    with pytest.raises(TransientError, match="slow down") as excinfo:
        validate(make_response(json.dumps({"error": "\x1b[2Jslow down"}).encode()))
    assert "\x1b" not in str(excinfo.value)


@pytest.mark.parametrize(
    ("cursor", "is_missing"),
    [
        ({"_id": {"$gt": IDS[3]}}, False),
        ({"_id": {"$gt": "64" + "0" * 22}}, True),
        ({"token": "opaque"}, False),
        (None, False),
    ],
)
def test_cursor_beyond_last_model_means_missing_models(cursor: object, is_missing: bool) -> None:
    text = base64.b64encode(json.dumps(cursor).encode()).decode().replace("=", "%3D")
    page = validate(make_response(next_=f"http://hub/api/models?cursor={text}"))
    assert page.is_missing_tail is is_missing


def test_page_filter_keeps_complete_models() -> None:
    page = validate(make_response(next_="http://hub/api/models?cursor=x"))
    filtered = page.filter(lambda id_: id_ != IDS[1])
    assert (filtered.ids, filtered.models) == (IDS, len(IDS) - 1)
    assert json.loads(gzip.decompress(filtered.gzipped)) == [ROWS[0], *ROWS[2:]]
    assert page.filter(lambda _: True) is page
