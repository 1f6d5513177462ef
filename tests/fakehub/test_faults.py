"""Each fault has the effect that its name states."""

import gzip
import json
import zlib

import httpx
import pytest
from testhub import KINDS, FakeHub, Faults, Population

POPULATION = Population.synthetic(300, seed=1)
TARGET = "/api/models?sort=createdAt&direction=1&limit=100&expand=tags&expand=downloads"


def request_twice(kind, *, most=1):
    """Yield response and raw body of two requests: with the fault, and without."""
    with (
        FakeHub(POPULATION, faults=Faults({kind: 1.0}, most=most)) as hub,
        httpx.Client(base_url=hub.url, timeout=60) as client,
    ):
        for _ in range(2):
            with client.stream("GET", TARGET) as response:
                yield response, b"".join(response.iter_raw())


@pytest.mark.parametrize(
    ("kind", "status"),
    [(kind, int(kind[:3])) for kind in KINDS if kind[0].isdigit()] + [("error-object", 200)],
)
def test_replacement_has_its_status_and_body(kind, status):
    (failure, body), (success, _) = request_twice(kind)
    assert (failure.status_code, success.status_code) == (status, 200)
    assert "content-encoding" not in failure.headers
    if "json" in failure.headers["content-type"]:
        assert "error" in json.loads(body)
    else:
        assert body.startswith(b"<html>")
    assert ("retry-after" in failure.headers) == kind.endswith("retry-after")
    assert ("r=0" in failure.headers["ratelimit"]) == kind.startswith("429-spent")


def test_truncated_responses():
    _, (_, complete_body) = request_twice("truncated-gzip")
    (_, half_body), _ = request_twice("truncated-gzip")
    assert complete_body.startswith(half_body)
    with pytest.raises(EOFError):
        gzip.decompress(half_body)
    (_, stream), _ = request_twice("truncated-json")
    half = gzip.decompress(stream)
    assert gzip.decompress(complete_body).startswith(half)
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(half)
    with pytest.raises(httpx.RemoteProtocolError):
        next(request_twice("truncated"))


def test_gzip_bomb_is_small_when_compressed():
    (_, body), _ = request_twice("gzip-bomb")
    decompressor = zlib.decompressobj(wbits=31)
    assert len(body) < 1 << 20
    assert decompressor.decompress(body, 1 << 24) == b"[" + b" " * ((1 << 24) - 1)


def test_faults_do_not_depend_on_request_order():
    targets = [f"/api/models?limit={number}" for number in range(200)]
    probabilities = dict.fromkeys(("500", "reset", "short-page"), 0.1)
    forward, backward = Faults(probabilities, seed=7), Faults(probabilities, seed=7)
    kinds = {target: forward.pick(target) for target in targets}
    assert {target: backward.pick(target) for target in reversed(targets)} == kinds
    assert set(kinds.values()) == {None, *probabilities}
    assert kinds != {target: Faults(probabilities, seed=8).pick(target) for target in targets}


def test_target_fails_a_bounded_number_of_times():
    faults = Faults({"500": 1.0}, most=3)
    assert [faults.pick("/x") for _ in range(5)] == ["500"] * 3 + [None] * 2
