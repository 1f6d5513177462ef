"""Revisions of a dump in a dataset on the Hub: list them, and read a file of one by byte ranges."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from huggingface_hub import HfApi, constants, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import (  # type: ignore[attr-defined]
    build_hf_headers,
    hf_raise_for_status,
    http_backoff,
)

from hfscan._version import __version__
from hfscan.errors import ImportFileError, InvalidResponseError
from hfscan.hub.datasets import translate_client_errors
from hfscan.hub.endpoint import parse_endpoint, register_secret
from hfscan.hub.rate_limit import parse_ratelimit_headers
from hfscan.text import sanitize

T = TypeVar("T")

_URL = re.compile(r"hf://datasets/(?P<repo>[\w.-]+/[\w.-]+)(/(?P<path>[^@]+?))?/?")
_DATED = re.compile(r"(\d{4}-\d{2}-\d{2})/[^/]+\.parquet")
_DEFAULT_FILE = "models.parquet"
_WEEK = timedelta(days=7)
_TRANSIENT = (429, 500, 502, 503, 504)
_MAX_WAITS = 10  # for a new window of the rate limit, one after another


@dataclass(frozen=True)
class FileInfo:
    """Size (bytes) and id of the content: the SHA-256 of a large file (LFS), else git's blob id."""

    size: int
    content: str

    @classmethod
    def from_repo_file(cls, file: RepoFile) -> "FileInfo":
        return cls(file.size, file.lfs.sha256 if file.lfs else file.blob_id)


@dataclass(frozen=True)
class Revision:
    """A file of a dataset at a commit.

    `day` is its label: the day of the commit (UTC), or of the folder. Its content is not newer than
    `latest`. `info` is None until the Hub is asked for it.
    """

    commit: str
    path: str
    day: date
    latest: datetime
    info: FileInfo | None = None


class RevisionSource:
    """The dump that `hf://datasets/OWNER/NAME[/path]` names, at the Hub `endpoint`.

    All methods raise HubRefusedError, HubUnreachableError and InvalidResponseError. `requests` and
    `received` (bytes) count what has been read.
    """

    def __init__(self, url: str, *, endpoint: str, token: str | None) -> None:
        match = _URL.fullmatch(url)
        if not match:
            raise ImportFileError(f"{url} is not of the form hf://datasets/OWNER/NAME[/path].")
        parse_endpoint(endpoint)
        register_secret(token)
        self.repo, self.path = match["repo"], match["path"] or ""
        self.requests = self.received = 0
        self._endpoint = endpoint.rstrip("/")
        client: dict[str, Any] = {
            "token": token or False,  # None would be any token that the user has
            "library_name": "hfscan",
            "library_version": __version__,
        }
        self._api = HfApi(self._endpoint, **client)
        self._headers = build_hf_headers(**client) | {"Accept-Encoding": "identity"}

    def url(self, revision: Revision) -> str:
        """Return the address of a file at a commit, as `hfscan import` reads it."""
        return f"hf://datasets/{self.repo}@{revision.commit}/{revision.path}"

    def list_commits(self) -> list[Revision]:
        """Return the file at the last commit of each day (UTC), oldest first.

        Commits of other files are included: `find_file` shows that the content is the same.
        """
        path = self.path or _DEFAULT_FILE
        commits = self._call(lambda: self._api.list_repo_commits(self.repo, repo_type="dataset"))
        last_by_day: dict[date, Revision] = {}
        for commit in sorted(commits, key=lambda commit: commit.created_at):
            instant = commit.created_at.astimezone(UTC)
            last_by_day[instant.date()] = Revision(commit.commit_id, path, instant.date(), instant)
        return list(last_by_day.values())

    def list_folders(self) -> list[Revision]:
        """Return the Parquet files in dated folders, oldest first.

        A folder's date begins a week; its content is older than the next folder.
        """
        files = self._call(
            lambda: list(
                self._api.list_repo_tree(
                    self.repo, self.path or None, repo_type="dataset", recursive=True
                )
            )
        )
        head = self._call(lambda: str(self._api.dataset_info(self.repo).sha))
        found = []
        for file in files:
            match = _DATED.search(file.path)
            if match and isinstance(file, RepoFile):
                day = date.fromisoformat(match[1])
                start = datetime(day.year, day.month, day.day, tzinfo=UTC)
                info = FileInfo.from_repo_file(file)
                found.append(Revision(head, file.path, day, start + _WEEK, info))
        if not self.path:  # other kinds of repositories have files of their own
            found = [revision for revision in found if "models" in revision.path] or found
        found.sort(key=lambda revision: (revision.day, revision.path))
        starts = [revision.latest - _WEEK for revision in found]
        return [
            replace(
                revision, latest=min((day for day in starts if day > start), default=start + _WEEK)
            )
            for revision, start in zip(found, starts, strict=True)
        ]

    def find_file(self, revision: Revision) -> FileInfo | None:
        """Return what the Hub knows of a file; None where the commit does not have it."""
        if revision.info is not None:
            return revision.info
        files = self._call(
            lambda: self._api.get_paths_info(
                self.repo, [revision.path], revision=revision.commit, repo_type="dataset"
            )
        )
        for file in files:
            if isinstance(file, RepoFile):
                return FileInfo.from_repo_file(file)
        return None

    def read_range(self, revision: Revision, start: int, stop: int) -> bytes:
        """Return the bytes [start, stop) of a file."""
        url = hf_hub_url(
            self.repo, revision.path, repo_type="dataset", revision=revision.commit,
            endpoint=self._endpoint,
        )  # fmt: skip
        headers = self._headers | {"Range": f"bytes={start}-{stop - 1}"}

        def read() -> bytes:
            response = http_backoff(
                "GET", url, headers=headers, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT,
                retry_on_status_codes=_TRANSIENT[1:],
            )  # fmt: skip
            hf_raise_for_status(response)
            content: bytes = response.content
            if len(content) != stop - start:
                raise InvalidResponseError(
                    f"{self._endpoint} answered a request for {stop - start:,} bytes of "
                    f"{sanitize(revision.path, 100)} with {len(content):,}. It does not serve "
                    "parts of files: download the files and use `hfscan import`."
                )
            return content

        content = self._call(read)
        self.received += len(content)
        return content

    def _call(self, request: Callable[[], T]) -> T:
        """Return the result of a request, repeated after each wait that the rate limit asks for."""
        with translate_client_errors(
            self._endpoint,
            f"{sanitize(self.repo, 100)} cannot be read",
            "Run the same command again: it goes on where it stood.",
        ):
            for wait in _waits():
                self.requests += 1
                try:
                    return request()
                except HfHubHTTPError as error:
                    if error.response.status_code != 429 or wait is None:
                        raise
                    limit = parse_ratelimit_headers(error.response.headers)
                    time.sleep(limit.reset + 1 if limit else wait)
        raise AssertionError


def _waits() -> Iterator[float | None]:
    """Yield the seconds to wait after each refusal where the Hub states none, at last None."""
    yield from (min(2.0**number, 60.0) for number in range(_MAX_WAITS))
    yield None


def choose_revisions(
    revisions: list[Revision], since: date | None, until: date | None, every: str
) -> list[Revision]:
    """Return the revisions of [since, until): the last one of each day, week or month."""
    chosen: dict[object, Revision] = {}
    for revision in revisions:
        day = revision.day
        if (since is None or day >= since) and (until is None or day < until):
            key = {"day": revision, "week": day.isocalendar()[:2], "month": (day.year, day.month)}
            chosen[key[every]] = revision
    return list(chosen.values())
