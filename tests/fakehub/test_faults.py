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
    """Return the bodies as they came over the wire: with the fault, then without."""
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
    (failed, body), (fine, _) = request_twice(kind)
    assert (failed.status_code, fine.status_code) == (status, 200)
    assert "content-encoding" not in failed.headers
    if "json" in failed.headers["content-type"]:
        assert "error" in json.loads(body)
    else:
        assert body.startswith(b"<html>")
    assert ("retry-after" in failed.headers) == kind.endswith("retry-after")
    assert ("r=0" in failed.headers["ratelimit"]) == kind.startswith("429-spent")


def test_truncated_responses():
    _, (_, complete) = request_twice("truncated-gzip")
    (_, half_stream), _ = request_twice("truncated-gzip")
    assert complete.startswith(half_stream)
    with pytest.raises(EOFError):
        gzip.decompress(half_stream)
    (_, stream), _ = request_twice("truncated-json")
    half = gzip.decompress(stream)
    assert gzip.decompress(complete).startswith(half)
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(half)
    with pytest.raises(httpx.RemoteProtocolError):
        next(request_twice("truncated"))


def test_gzip_bomb_is_small_on_the_wire():
    (_, body), _ = request_twice("gzip-bomb")
    packer = zlib.decompressobj(wbits=31)
    assert len(body) < 1 << 20
    assert packer.decompress(body, 1 << 24) == b"[" + b" " * ((1 << 24) - 1)


def test_faults_do_not_depend_on_request_order():
    targets = [f"/api/models?limit={number}" for number in range(200)]
    chances = dict.fromkeys(("500", "reset", "short-page"), 0.1)
    forward, backward = Faults(chances, seed=7), Faults(chances, seed=7)
    picked = {target: forward.pick(target) for target in targets}
    assert {target: backward.pick(target) for target in reversed(targets)} == picked
    assert set(picked.values()) == {None, *chances}
    assert picked != {target: Faults(chances, seed=8).pick(target) for target in targets}


def test_target_fails_a_bounded_number_of_times():
    faults = Faults({"500": 1.0}, most=3)
    assert [faults.pick("/x") for _ in range(5)] == ["500"] * 3 + [None] * 2
