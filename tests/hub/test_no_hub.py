"""Servers that are no Hub, or an old version of it, give an error that says so."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from fetching import RETRY
from servers import Handler, serve_handler

from hfscan import hub
from hfscan.errors import HfscanError, HubUnreachableError, InvalidResponseError
from hfscan.hub.client import RefusedError
from hfscan.scope import Scope


class OldHub(Handler):
    def answer(self) -> None:
        if "baseModels" in self.path:
            self.respond(400, b'{"error":"\\"expand\\" must be one of [author, createdAt, tags]"}')
        else:
            self.respond(200, b'[{"_id":"' + b"a" * 24 + b'","id":"a/b"}]')


class RedirectingHub(Handler):
    def answer(self) -> None:
        self.respond(302, b"", location="https://elsewhere.example/api/models")


class NotFoundHub(Handler):
    def answer(self) -> None:
        self.respond(404, b"<html>not here</html>")


class CircularHub(Handler):
    def answer(self) -> None:
        self.respond(200, b"[]", link=f'<{self.path}>; rel="next"')


class EndlessHub(Handler):
    count = 0

    def answer(self) -> None:
        EndlessHub.count += 1
        self.respond(200, b"[]", link=f'</api/models?n={EndlessHub.count}>; rel="next"')


class BusyHub(Handler):
    def answer(self) -> None:
        self.respond(429, b'{"error":"later"}', retry_after="86400")


OTHER_SERVERS = pytest.mark.parametrize(
    ("handler", "error", "message"),
    [
        (RedirectingHub, InvalidResponseError, r"links to https://elsewhere\.example.*--endpoint"),
        (NotFoundHub, RefusedError, "no list of models"),
        (CircularHub, InvalidResponseError, "already fetched"),
        (EndlessHub, InvalidResponseError, "already fetched"),
        (BusyHub, HubUnreachableError, "wait 86401 s"),
    ],
)


@OTHER_SERVERS
def test_server_that_is_no_hub_is_reported(
    tmp_path: Path, handler: type[Handler], error: type[HfscanError], message: str
) -> None:
    with serve_handler(handler) as url, pytest.raises(error, match=message):
        hub.fetch(Scope(), endpoint=url, token=None, journal=tmp_path, retry_policy=RETRY)


@OTHER_SERVERS
def test_fetch_changed_reports_a_server_that_is_no_hub(
    tmp_path: Path, handler: type[Handler], error: type[HfscanError], message: str
) -> None:
    since = datetime(2024, 1, 1, tzinfo=UTC)
    with serve_handler(handler) as url, pytest.raises(error, match=message):
        hub.fetch_changed_models(
            since, endpoint=url, token=None, folder=tmp_path, retry_policy=RETRY
        )


def test_unknown_fields_are_left_out_and_listed(tmp_path: Path) -> None:
    with serve_handler(OldHub) as url:
        result = hub.fetch(Scope(), endpoint=url, token=None, journal=tmp_path, retry_policy=RETRY)
        with result:
            assert result.models == 1
            assert result.is_complete  # it is the only model from either end
            assert "baseModels" in result.unsupported_fields
            assert "author" not in result.unsupported_fields
