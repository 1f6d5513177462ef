"""A row that cannot be stored is counted and hides no other row."""

import json
from pathlib import Path
from typing import Any

import pytest
from fetching import run_fetch
from servers import RawServer, Send, make_models, make_response, serve_script

from hfscan import hub
from hfscan.errors import InvalidResponseError
from hfscan.hub.page import MAX_ROW_BYTES, NotAListError, read_rows
from hfscan.hub.retry import RetryPolicy
from hfscan.pipeline import crawl
from hfscan.scope import Scope
from hfscan.store import Store, list_snapshots
from hfscan.store.dump.shapes import LARGEST_OBJECT

RETRY = RetryPolicy(wait_initial=0.01, wait_max=0.02, read_timeout=5)
GOOD = make_models(4)
ID = "64" + "0" * 22

BAD = {
    "null id": (f'{{"_id":"{ID}","id":null}}', "without a valid id"),
    "no id": (f'{{"_id":"{ID}"}}', "without a valid id"),
    "number as id": (f'{{"_id":"{ID}","id":7}}', "without a valid id"),
    "empty id": (f'{{"_id":"{ID}","id":""}}', "without a valid id"),
    "null _id": ('{"_id":null,"id":"a/b"}', "without a valid _id"),
    "no _id": ('{"id":"a/b"}', "without a valid _id"),
    "short _id": ('{"_id":"63","id":"a/b"}', "without a valid _id"),
    "path as _id": ('{"_id":"../../../../../etc/pass","id":"a/b"}', "without a valid _id"),
    "upper case": (f'{{"_id":"{"A" * 24}","id":"a/b"}}', "without a valid _id"),
    "object as _id": ('{"_id":{"$oid":"x"},"id":"a/b"}', "without a valid _id"),
    "null": ("null", "without a JSON object"),
    "number": ("17", "without a JSON object"),
    "text": ('"a, ]b[ \\" {"', "without a JSON object"),
    "array": ('[{"_id":"x"}]', "without a JSON object"),
    "two tags": (f'{{"_id":"{ID}","id":"a/b","tags":["tf"],"tags":[]}}', "with a duplicate key"),
    "two _ids": (f'{{"_id":"{ID}","_id":"{"6" * 24}","id":"a/b"}}', "with a duplicate key"),
    "two likes": (f'{{"_id":"{ID}","id":"a/b","likes":1,"likes":1e300}}', "with a duplicate key"),
    "escaped key": (f'{{"_id":"{ID}","id":"a/b","i\\u0064":"\\u0001"}}', "with a duplicate key"),
    "NaN": (f'{{"_id":"{ID}","id":"a/b","likes":NaN}}', "with invalid JSON"),
    "bad escape": (f'{{"_id":"{ID}","id":"a/b","x":"\\q"}}', "with invalid JSON"),
    "no colon": (f'{{"_id" "{ID}"}}', "with invalid JSON"),
    "latin-1": (f'{{"_id":"{ID}","id":"a/b","x":"\udce9"}}', "with text that is not UTF-8"),
    "nested": (f'{{"_id":"{ID}","id":"a/b","x":{"[" * 5000}{"]" * 5000}}}', "nested too deeply"),
    "34 MB": (f'{{"_id":"{ID}","id":"a/b","x":"{"y" * 34_000_000}"}}', "larger than 16 MiB"),
}


def make_page(bad_row: str, index: int) -> bytes:
    rows = [json.dumps(row, separators=(",", ":")) for row in GOOD]
    rows.insert(index, bad_row)
    return f"[{','.join(rows)}]".encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("index", [0, 2, 4])
@pytest.mark.parametrize("name", [*BAD])
def test_read_rows_leaves_a_bad_row_out(name: str, index: int) -> None:
    bad_row, reason = BAD[name]
    rows = read_rows(make_page(bad_row, index))
    assert rows.skipped == {reason: 1}
    assert rows.ids == [row["_id"] for row in GOOD]
    assert json.loads(rows.body) == GOOD


def test_read_rows_takes_the_old_name_of_the_id() -> None:
    body = json.dumps([{"_id": ID, "modelId": "a/b"}]).encode()
    assert read_rows(body) == ([ID], body, {})


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"null", b"[", b"[{]", b"[1,2", b"[][]", b"[1}", b'["']
)
def test_read_rows_refuses_what_is_no_list(body: bytes) -> None:
    with pytest.raises(NotAListError):
        read_rows(body)


def test_largest_row_is_what_readers_take() -> None:
    assert MAX_ROW_BYTES == LARGEST_OBJECT


@pytest.mark.parametrize("name", [*BAD])
def test_crawl_stores_all_models_but_the_bad_row(tmp_path: Path, name: str) -> None:
    bad_row, reason = BAD[name]

    def script(server: RawServer, send: Send, target: str) -> None:
        send(make_response(make_page(bad_row, 2) if "cursor" not in target else b"[]"))

    with serve_script(script) as server:
        options: dict[str, Any] = {"token": None, "workers": 1, "retry_policy": RETRY}
        result = crawl(Scope(), endpoint=server.url, db=tmp_path / "h.duckdb", **options)
    assert result.fetched.skipped_rows == {reason: 1}
    with Store.open(tmp_path / "h.duckdb") as store:
        (snapshot,) = list_snapshots(store)
        ids = store.execute("SELECT _id FROM models_in(1) ORDER BY _id").fetchall()
    assert [id_ for (id_,) in ids] == [row["_id"] for row in GOOD]
    assert snapshot.complete is False  # the model of the bad row may be there


def test_fetch_ends_beyond_a_bad_last_row(tmp_path: Path) -> None:
    """The last page holds nothing but a bad row, again and again."""

    def script(server: RawServer, send: Send, target: str) -> None:
        bad_row = b'[{"_id":null,"id":"a/b"}]'
        send(make_response(bad_row if "cursor" in target else json.dumps(GOOD).encode()))

    with serve_script(script) as server:
        result = run_fetch(server, tmp_path, retry_policy=RETRY, workers=1)
        assert result.models == len(GOOD)
        assert result.skipped_rows == {"without a valid _id": 1}
        assert not result.is_complete


@pytest.mark.parametrize("body", [b"[1,2,3]", b'[{"name":"x"}]', b'["a"]', b"[[]]"])
def test_fetch_refuses_a_list_of_something_else(tmp_path: Path, body: bytes) -> None:
    def script(server: RawServer, send: Send, target: str) -> None:
        send(make_response(body))

    options: dict[str, Any] = {"token": None, "journal": tmp_path, "retry_policy": RETRY}
    with (
        serve_script(script) as server,
        pytest.raises(InvalidResponseError, match="no page of models"),
    ):
        hub.fetch(Scope(), endpoint=server.url, **options)


def test_fetch_still_refuses_a_wrong_order(tmp_path: Path) -> None:
    rows = [GOOD[0], {"_id": None, "id": "a/b"}, GOOD[2], GOOD[1]]

    def script(server: RawServer, send: Send, target: str) -> None:
        send(make_response(json.dumps(rows).encode()))

    options: dict[str, Any] = {"token": None, "journal": tmp_path, "retry_policy": RETRY}
    with (
        serve_script(script) as server,
        pytest.raises(InvalidResponseError, match="against the order"),
    ):
        hub.fetch(Scope(), endpoint=server.url, **options)
