"""When a repository began: the date of its first commit, in one or two requests."""

import re
from datetime import UTC, datetime
from urllib.parse import quote, unquote, urlsplit

import msgspec

from hfscan.errors import InvalidResponseError
from hfscan.hub.client import Answer, HubClient, MovedError, RefusedError
from hfscan.hub.page import unpacked
from hfscan.hub.retry import TransientError
from hfscan.hub.words import cite, explained
from hfscan.text import sanitize

_LARGEST = 8 << 20  # bytes unpacked; one commit is well below a KiB
_HOPS = 5  # renames followed
_RECOUNTS = 5  # commits that may be pushed while the first one is asked for
_REPO = re.compile(r"/api/models/(.+)/commits/main")
_GONE = frozenset({401, 403, 404, 410, 451})


class FirstCommit(msgspec.Struct, frozen=True):
    """A repo id and the UTC time of its first commit.

    `created_at` None: it is gone, private or disabled. `moved_to`: the id it is redirected to.
    """

    id: str
    created_at: datetime | None
    moved_to: str | None = None


class _Commit(msgspec.Struct):
    date: datetime


class _Count(msgspec.Struct):
    total: int
    commits: list[_Commit]


_COMMITS = msgspec.json.Decoder(list[_Commit])


def first_commit(client: HubClient, repo: str) -> FirstCommit:
    """Ask the Hub for the first commit of the model `repo`, following renames within the Hub.

    Commits are listed newest first and counted (`x-total-count`): the last of them is the first
    ever made. Raises HubUnreachableError, InvalidResponseError, and RefusedError on a bad token.
    """
    name, moved_to = repo, None
    for _ in range(_HOPS):
        try:
            return FirstCommit(repo, _first_date(client, name), moved_to)
        except MovedError as error:
            target = _REPO.fullmatch(unquote(urlsplit(error.url).path))
            if target is None:
                raise
            name = moved_to = target[1]
        except RefusedError as error:
            # with a token a 401 speaks of the token: what is not there is a 404
            if error.status not in _GONE or (error.status == 401 and client.has_token):
                raise
            return FirstCommit(repo, None, moved_to)
    raise InvalidResponseError(f"{client.endpoint} redirects {sanitize(repo, 100)} in circles.")


def _first_date(client: HubClient, repo: str) -> datetime | None:
    base = f"{client.endpoint}/api/models/{quote(repo)}/commits/main"
    place = 0
    for _ in range(_RECOUNTS):
        page = f"p={place}&" if place else ""
        answer = client.get(f"{base}?{page}limit=1", _counted)
        if answer.total == place + 1 and answer.commits:
            return answer.commits[-1].date.astimezone(UTC)
        if not answer.total:
            return None
        place = answer.total - 1
    raise InvalidResponseError(f"{client.endpoint} never counts the same commits of a model twice.")


def _counted(answer: Answer) -> _Count:
    body = unpacked(answer, _LARGEST)
    try:
        commits = _COMMITS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TransientError(
            "The Hub answered with something that is no list of commits: "
            f"{cite(explained(body) or str(error))}",
            final=InvalidResponseError,
        ) from error
    if answer.total is None and answer.next_url is not None:
        raise TransientError("The Hub does not count the commits", final=InvalidResponseError)
    return _Count(len(commits) if answer.total is None else answer.total, commits)
