"""Dates of repositories' first commits: resumable, and no model requested twice.

Each result is a line of a file in the journal folder before the next request; the caller moves
them into the database and then clears the file.
"""

import contextlib
import hashlib
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Unpack
from urllib.parse import quote, unquote, urlsplit

import msgspec

from hfscan.errors import HubUnreachableError, InvalidResponseError
from hfscan.fs import append_line, read_lines, translate_os_errors
from hfscan.hub.client import (
    ClientOptions,
    HubClient,
    MovedError,
    RawResponse,
    RefusedError,
    extract_error_message,
)
from hfscan.hub.endpoint import sanitize_hub_text
from hfscan.hub.page import decompress
from hfscan.hub.progress import Progress, ProgressReporter
from hfscan.hub.retry import RetryPolicy, TransientError
from hfscan.locks import acquire_lock
from hfscan.scope import CreationDate
from hfscan.text import sanitize

_RETRY_POLICY = RetryPolicy(attempts=5, timeout=600)
_MAX_FAILURES = 3  # models in a row, before the Hub is taken to be the cause
_MAX_BYTES = 8 << 20  # decompressed; one commit is well below a KiB
_MAX_RENAMES = 5
_MAX_RECOUNTS = 5  # commits may be pushed meanwhile
_REPO = re.compile(r"/api/models/(.+)/commits/main")
_GONE = frozenset({401, 403, 404, 410, 451})


@dataclass
class FirstCommitResults:
    """Results of a run, in order of the requests; `failed` maps a repo id to the reason."""

    found: list[CreationDate] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    requests: int = 0
    seconds: float = 0.0


class FirstCommitLog:
    """Results that are not in the database yet, locked by one process. Use as a context manager.

    `results` are those of earlier runs, and those added. Raises StorageError, and DatabaseError if
    another process dates models of the same Hub for the same database.
    """

    def __init__(self, root: Path, endpoint: str) -> None:
        name = hashlib.sha256(endpoint.encode()).hexdigest()[:16]
        self._file = root / f"{name}.commits.jsonl"
        self.results: list[CreationDate] = []
        with translate_os_errors(root):
            root.mkdir(parents=True, exist_ok=True)
            self._lock = acquire_lock(root / f"{name}.commits.lock")
            for line in read_lines(self._file):
                with contextlib.suppress(msgspec.DecodeError):
                    self.results.append(msgspec.json.decode(line, type=CreationDate))

    def add(self, result: CreationDate) -> None:
        """Write a result; it is on the disk when this returns."""
        with translate_os_errors(self._file.parent):
            append_line(self._file, msgspec.json.encode(result))
        self.results.append(result)

    def clear(self) -> None:
        """Delete the results; they are in the database."""
        with translate_os_errors(self._file.parent):
            self._file.unlink(missing_ok=True)
        self.results.clear()

    def __enter__(self) -> "FirstCommitLog":
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        if not self._file.exists():
            with contextlib.suppress(OSError):  # another run may just have locked it
                self._file.with_suffix(".lock").unlink(missing_ok=True)
                self._file.parent.rmdir()


def fetch_first_commits(
    repos: Sequence[str],
    *,
    log: FirstCommitLog,
    progress: Callable[[Progress], None] | None = None,
    **options: Unpack[ClientOptions],
) -> FirstCommitResults:
    """Fetch the first commit of each of `repos` and log every result.

    A model whose requests keep failing is named in `failed`. Raises HubUnreachableError and
    InvalidResponseError if that happens to three in a row, RefusedError on an invalid token, and
    StorageError.
    """
    results, reporter = FirstCommitResults(), ProgressReporter(progress)
    started, failures_in_a_row = time.monotonic(), 0
    options.setdefault("retry_policy", _RETRY_POLICY)
    with HubClient(**options, on_wait=reporter.notify, is_resumable=True) as client:
        for number, repo in enumerate(repos):
            reporter.update(models=number, requests=client.requests, total=len(repos))
            try:
                result = fetch_first_commit(client, repo)
            except (HubUnreachableError, InvalidResponseError) as error:
                failures_in_a_row += 1
                if not client.has_responded or failures_in_a_row >= min(_MAX_FAILURES, len(repos)):
                    raise
                results.failed[repo] = str(error)
            else:
                failures_in_a_row = 0
                log.add(result)
                results.found.append(result)
        results.requests = client.requests
    results.seconds = time.monotonic() - started
    return results


class _Commit(msgspec.Struct):
    date: datetime


_COMMITS = msgspec.json.Decoder(list[_Commit])


def fetch_first_commit(client: HubClient, repo: str) -> CreationDate:
    """Fetch the first commit of the model `repo`, following renames within the Hub.

    Commits are listed newest first and counted (`x-total-count`): the last of them is the first
    ever made. Raises HubUnreachableError, InvalidResponseError, and RefusedError on an invalid
    token.
    """
    name, moved_to = repo, None
    for _ in range(_MAX_RENAMES):
        try:
            return CreationDate(repo, _fetch_first_date(client, name), moved_to)
        except MovedError as error:
            target = _REPO.fullmatch(unquote(urlsplit(error.url).path))
            if target is None:
                raise
            name = moved_to = target[1]
        except RefusedError as error:
            # with a token, a 401 is about the token: a missing repo is a 404
            if error.status not in _GONE or (error.status == 401 and client.has_token):
                raise
            return CreationDate(repo, None, moved_to)
    raise InvalidResponseError(f"{client.endpoint} redirects {sanitize(repo, 100)} in a circle.")


def _fetch_first_date(client: HubClient, repo: str) -> datetime | None:
    base = f"{client.endpoint}/api/models/{quote(repo)}/commits/main"
    place = 0
    for _ in range(_MAX_RECOUNTS):
        page = f"p={place}&" if place else ""
        total, commits = client.get(f"{base}?{page}limit=1", _decode_commits)
        if total == place + 1 and commits:
            return commits[-1].date.astimezone(UTC)
        if not total:
            return None
        place = total - 1
    raise InvalidResponseError(f"{client.endpoint} counts a model's commits differently each time.")


def _decode_commits(response: RawResponse) -> tuple[int, list[_Commit]]:
    """Return the number of commits in all, and those of the response."""
    body = decompress(response, _MAX_BYTES)
    try:
        commits = _COMMITS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TransientError(
            "The Hub sent something that is no list of commits: "
            f"{sanitize_hub_text(extract_error_message(body) or str(error))}",
            raise_as=InvalidResponseError,
        ) from error
    if response.total is None and response.next_url is not None:
        raise TransientError("The Hub does not count the commits", raise_as=InvalidResponseError)
    return len(commits) if response.total is None else response.total, commits
