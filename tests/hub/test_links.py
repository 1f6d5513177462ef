"""`Link` headers are parsed as RFC 8288 states; a missing link does not end a fetch."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fetching import RETRY
from servers import Lister, make_models, make_response, serve_script

from hfscan import hub
from hfscan.errors import InvalidResponseError
from hfscan.hub import cursor
from hfscan.hub.transport import find_next_link
from hfscan.scope import Scope

ROWS = make_models(25)


@pytest.mark.parametrize(
    "headers",
    [
        ['<http://h/n?c=1>; rel="next"'],
        ['<http://h/n?c=1>; REL="NEXT"'],
        ["<http://h/n?c=1>;rel=next"],
        ["<http://h/n?c=1> ; rel = next"],
        ['<http://h/p>; rel="prev", <http://h/n?c=1>; rel="next"'],
        ['<http://h/p>; rel=prev,<http://h/n?c=1>; rel="next", <http://h/l>; rel=last'],
        ['<http://h/p>; rel="prev"', '<http://h/n?c=1>; rel="next"'],
        ['<http://h/n?c=1>; rel="last next"'],
        ['<http://h/n?c=1>; title="a, <b>; rel=prev"; rel="next"; type="application/json"'],
        [r'<http://h/n?c=1>; title="a \" ; rel=x"; rel="next"'],
        [', , <http://h/n?c=1>; rel="next",'],
        ['<http://h/n?c=1>; rel="next"; rel="prev"'],
        ['<http://h/n?c=1>;; crossorigin; rel="next"'],
    ],
)
def test_next_link_is_read_in_every_spelling(headers: list[str]) -> None:
    assert find_next_link(headers) == "http://h/n?c=1"


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ("<?cursor=x>; rel=next", "?cursor=x"),
        ('</api/models?a=1,2;b=3>; rel="next"', "/api/models?a=1,2;b=3"),
        ('<http://h/n>; rel="prev"; rel="next"', None),
        ('<http://h/n>; rel="prev"; title="next"', None),
        ('<http://h/n>; rel="next"; anchor="#other"', None),
        ('<http://h/n>; rel="nextpage"', None),
        ('http://h/n; rel="next"', None),
        ("<>; rel=next", None),
        ("", None),
    ],
)
def test_other_links_are_not_followed(header: str, target: str | None) -> None:
    assert find_next_link([header]) == target


@pytest.mark.parametrize(
    "link",
    [
        lambda url: [f"Link: <{url}>; REL=Next"],
        lambda url: [f'Link: <{url}&z=1,2;3>; title="a, b"; rel="last next"'],
        lambda url: ['Link: </p>; rel="prev"', f'link: <?{url.partition("?")[2]}>; rel="next"'],
        lambda _: [],
        lambda _: ["Link: next"],
        lambda url: [f"Link: {url}; rel=next"],
        lambda url: [f'X-Link: <{url}>; rel="next"'],
    ],
)
@pytest.mark.parametrize("workers", [1, 2])
def test_fetch_lists_all_models_for_any_link(
    tmp_path: Path, link: Callable[[str], Sequence[str]], workers: int
) -> None:
    with serve_script(Lister(ROWS, 5, link)) as server:
        result = hub.fetch(
            Scope(), endpoint=server.url, token=None, journal=tmp_path, retry_policy=RETRY,
            workers=workers,
        )  # fmt: skip
        with result:
            assert result.models == len(ROWS)
            assert result.is_complete


@pytest.mark.parametrize("rows", [5, 25])
def test_fetch_without_proven_end_is_incomplete(tmp_path: Path, rows: int) -> None:
    """No link, and cursors that are ignored: the end of the list cannot be proven."""
    with serve_script(Lister(make_models(rows), 5, uses_cursors=False)) as server:
        scope = Scope(until=datetime(2030, 1, 1, tzinfo=UTC))  # fetched from one end only
        options: dict[str, Any] = {
            "endpoint": server.url,
            "token": None,
            "journal": tmp_path,
            "retry_policy": RETRY,
        }
        for _ in range(2):  # the second time from the journal
            with hub.fetch(scope, **options) as result:
                assert result.models == 5
                assert not result.is_complete
                assert result.unproven_end == "listed models that it had listed before"


def test_fetch_from_both_ends_without_proven_end(tmp_path: Path) -> None:
    for rows, complete in ((8, True), (25, False)):
        with serve_script(Lister(make_models(rows), 5, uses_cursors=False)) as server:
            options: dict[str, Any] = {
                "endpoint": server.url,
                "token": None,
                "journal": tmp_path,
                "retry_policy": RETRY,
            }
            with hub.fetch(Scope(), **options) as result:
                assert result.is_complete is complete  # complete where the two ends meet
                assert result.models == (8 if complete else 10)


def test_fetch_changed_continues_without_a_link(tmp_path: Path) -> None:
    since = datetime(2024, 1, 1, tzinfo=UTC)
    rows = [
        row | {"lastModified": f"2024-02-{28 - number:02}T00:00:00.000Z"}
        for number, row in enumerate(ROWS)
    ]

    class Changes(Lister):
        def __call__(self, server, send, target) -> None:
            boundary = cursor.boundary_id(target) if self.uses_cursors else None
            first = next(
                (number + 1 for number, row in enumerate(rows) if row["_id"] == boundary), 0
            )
            send(make_response(json.dumps(rows[first : first + 5]).encode()))

    options: dict[str, Any] = {"token": None, "folder": tmp_path, "retry_policy": RETRY}
    with serve_script(Changes(rows, 5)) as server:
        assert hub.fetch_changed_models(since, endpoint=server.url, **options).models == len(rows)
    endless = serve_script(Changes(rows, 5, uses_cursors=False))
    with endless as server, pytest.raises(InvalidResponseError, match="full crawl"):
        hub.fetch_changed_models(since, endpoint=server.url, **options)
