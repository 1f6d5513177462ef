"""`Link` headers are parsed as RFC 8288 states; a missing link does not end a fetch."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fetching import RETRY
from servers import Lister, models, serving

from hfscan import hub
from hfscan.errors import InvalidResponseError
from hfscan.hub.transport import find_next_link
from hfscan.scope import Scope

ROWS = models(25)


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
def test_next_target_reads_every_spelling(headers: list[str]) -> None:
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
def test_next_target_takes_no_other_link(header: str, target: str | None) -> None:
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
def test_fetch_lists_all_models_whatever_the_link(
    tmp_path: Path, link: Callable[[str], Sequence[str]], workers: int
) -> None:
    with serving(Lister(ROWS, 5, link)) as server:
        result = hub.fetch(
            Scope(), endpoint=server.url, token=None, journal=tmp_path, retry_policy=RETRY,
            workers=workers,
        )  # fmt: skip
        with result:
            assert result.models == len(ROWS)
            assert result.is_complete


@pytest.mark.parametrize("rows", [5, 25])
def test_fetch_of_an_unprovable_end_is_not_complete(tmp_path: Path, rows: int) -> None:
    """No link, and cursors that are ignored: the end of the list cannot be proven."""
    with serving(Lister(models(rows), 5, uses_cursors=False)) as server:
        scope = Scope(until=datetime(2030, 1, 1, tzinfo=UTC))  # walked from one end alone
        walk: dict[str, Any] = {
            "endpoint": server.url,
            "token": None,
            "journal": tmp_path,
            "retry_policy": RETRY,
        }
        for _ in range(2):  # the journal keeps it
            with hub.fetch(scope, **walk) as result:
                assert result.models == 5
                assert not result.is_complete
                assert result.unproven_end == "listed models that it had listed before"


def test_fetch_from_both_ends_of_an_unprovable_list(tmp_path: Path) -> None:
    for rows, complete in ((8, True), (25, False)):
        with serving(Lister(models(rows), 5, uses_cursors=False)) as server:
            walk: dict[str, Any] = {
                "endpoint": server.url,
                "token": None,
                "journal": tmp_path,
                "retry_policy": RETRY,
            }
            with hub.fetch(Scope(), **walk) as result:
                assert result.is_complete is complete  # where the two ends meet, nothing is missing
                assert result.models == (8 if complete else 10)


def test_fetch_changed_continues_without_a_link(tmp_path: Path) -> None:
    since = datetime(2024, 1, 1, tzinfo=UTC)
    rows = [
        row | {"lastModified": f"2024-02-{28 - n:02}T00:00:00.000Z"} for n, row in enumerate(ROWS)
    ]

    class Changes(Lister):
        def __call__(self, server, send, target) -> None:
            from servers import answer, cursor, json

            after = cursor.boundary_id(target) if self.uses_cursors else None
            start = next((n + 1 for n, row in enumerate(rows) if row["_id"] == after), 0)
            send(answer(json.dumps(rows[start : start + 5]).encode()))

    walk: dict[str, Any] = {"token": None, "folder": tmp_path, "retry_policy": RETRY}
    with serving(Changes(rows, 5)) as server:
        assert hub.fetch_changed_models(since, endpoint=server.url, **walk).models == len(rows)
    endless = serving(Changes(rows, 5, uses_cursors=False))
    with endless as server, pytest.raises(InvalidResponseError, match="full crawl"):
        hub.fetch_changed_models(since, endpoint=server.url, **walk)
