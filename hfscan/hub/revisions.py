"""Revisions of a dump in a dataset on the Hub: list them, and read a file of one by byte ranges."""

import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar, cast

from huggingface_hub import HfApi, constants, hf_hub_url, utils
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import (  # type: ignore[attr-defined]
    build_hf_headers,
    hf_raise_for_status,
    http_backoff,
)

from hfscan._version import __version__
from hfscan.errors import (
    HubRefusedError,
    HubUnreachableError,
    ImportFileError,
    InvalidResponseError,
)
from hfscan.hub.client import find_retry_after
from hfscan.hub.datasets import translate_client_errors
from hfscan.hub.endpoint import parse_endpoint, register_secret
from hfscan.hub.retry import RetryPolicy, TransientError, call_with_retry
from hfscan.objectid import HUB_START
from hfscan.text import sanitize

T = TypeVar("T")

_URL = re.compile(r"hf://datasets/(?P<repo>[\w.-]+/[\w.-]+)(/(?P<path>[^@]+?))?/?")
_DATED = re.compile(r"(\d{4}-\d{2}-\d{2})/[^/]+\.parquet")
_DEFAULT_FILE = "models.parquet"
_WEEK = timedelta(days=7)
_LAST_DAY = date.max - 2 * _WEEK
_MISSING = (404, 410, 416)  # statuses of a file that is not there, or not as long


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

    All methods raise HubRefusedError, HubUnreachableError and InvalidResponseError. `on_wait`
    receives the reason of each wait. `requests` and `received` (bytes) count what has been read.
    """

    def __init__(
        self,
        url: str,
        *,
        endpoint: str,
        token: str | None,
        on_wait: Callable[[str], None] = lambda _: None,
    ) -> None:
        match = _URL.fullmatch(url)
        if not match:
            raise ImportFileError(f"{url} is not of the form hf://datasets/OWNER/NAME[/path].")
        parse_endpoint(endpoint)
        register_secret(token)
        self.repo, self.path = match["repo"], match["path"] or ""
        self.requests = self.received = 0
        self._endpoint, self._on_wait, self._has_responded = endpoint.rstrip("/"), on_wait, False
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

        A folder's date begins a week; its content is older than the next folder. Raises
        ImportFileError where a date has several files.
        """
        head = self._call(lambda: str(self._api.dataset_info(self.repo).sha))
        files = self._call(
            lambda: list(
                self._api.list_repo_tree(
                    self.repo,
                    self.path or None,
                    repo_type="dataset",
                    recursive=True,
                    revision=head,
                )
            )
        )
        found = []
        for file in files:
            day = _parse_day(file.path)
            if day and isinstance(file, RepoFile):
                start = datetime(day.year, day.month, day.day, tzinfo=UTC)
                info = FileInfo.from_repo_file(file)
                found.append(Revision(head, file.path, day, start + _WEEK, info))
        if not self.path:  # other kinds of repositories have files of their own
            found = [revision for revision in found if "models" in revision.path] or found
        found = self._choose_files(found)
        starts = [revision.latest - _WEEK for revision in found]
        return [
            replace(
                revision, latest=min((day for day in starts if day > start), default=start + _WEEK)
            )
            for revision, start in zip(found, starts, strict=True)
        ]

    def _choose_files(self, revisions: list[Revision]) -> list[Revision]:
        """Return the file of each day, oldest first: the only one, or models.parquet."""
        by_day = defaultdict(list)
        for revision in sorted(revisions, key=lambda revision: (revision.day, revision.path)):
            by_day[revision.day].append(revision)
        chosen = []
        for day, files in by_day.items():
            default = [file for file in files if file.path.endswith(f"/{_DEFAULT_FILE}")]
            if len(files) > 1 and len(default) != 1:
                names = ", ".join(sanitize(file.path, 100) for file in files[:3])
                raise ImportFileError(
                    f"{self.repo} has {len(files)} Parquet files for {day}: {names}. Name a folder "
                    "with one file a day (hf://datasets/OWNER/NAME/PATH), or download the files "
                    "and use `hfscan import`."
                )
            chosen += default or files
        return chosen

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
        """Return the bytes [start, stop) of a file.

        A response with other bytes is not downloaded, and one that ends too early is requested
        again. Raises ImportFileError where the Hub does not have them.
        """
        path = sanitize(revision.path, 100)
        url = hf_hub_url(
            self.repo, revision.path, repo_type="dataset", revision=revision.commit,
            endpoint=self._endpoint,
        )  # fmt: skip
        headers = self._headers | {"Range": f"bytes={start}-{stop - 1}"}

        def read() -> bytes:
            with _open_stream(url, headers) as response:
                hf_raise_for_status(response)
                if not _has_range(response.headers, start, stop):
                    raise InvalidResponseError(
                        f"{self._endpoint} answered a request for {stop - start:,} bytes of {path} "
                        "with others. It does not serve parts of files: download the files and "
                        "use `hfscan import`."
                    )
                # the name in httpx, and in requests
                content: bytes = response.read() if hasattr(response, "read") else response.content
            if len(content) != stop - start:
                raise HubUnreachableError(
                    f"{path} cannot be read: {self._endpoint} broke off after {len(content):,} of "
                    f"{stop - start:,} bytes."
                )
            return content

        try:
            content = self._call(read)
        except HubRefusedError as error:
            if _find_status(error) in _MISSING:
                raise ImportFileError(str(error)) from error
            raise
        self.received += len(content)
        return content

    def _call(self, request: Callable[[], T]) -> T:
        """Return the result of a request, repeated after transient errors."""

        def attempt() -> T:
            self.requests += 1
            try:
                with translate_client_errors(self._endpoint, failure, ""):
                    result = request()
            except HubUnreachableError as error:
                response = _find_response(error)
                self._has_responded |= response is not None
                wait = None if response is None else find_retry_after(response)
                raise TransientError(str(error).rstrip(" ."), wait=wait) from error
            self._has_responded = True
            return result

        failure = f"{sanitize(self.repo, 100)} cannot be read"
        try:
            return call_with_retry(
                attempt,
                RetryPolicy(connect_attempts=1),  # the client itself tries to connect again
                has_responded=lambda: self._has_responded,
                on_wait=self._on_wait,
                sleep=time.sleep,
            )
        except HubRefusedError as error:
            if _find_status(error) not in (401, 403):
                raise
            raise HubRefusedError(
                f"{str(error).rstrip('.')}. Check the name. Private and gated datasets require a "
                "token with access: HF_TOKEN, or `hf auth login`."
            ) from error
        except HubUnreachableError as error:
            raise HubUnreachableError(
                f"{error} Run the same command again: it goes on where it stood."
            ) from error


def _open_stream(url: str, headers: dict[str, str]) -> AbstractContextManager[Any]:
    """Return the response as a context manager; its body is not read yet."""
    options: dict[str, Any] = {
        "headers": headers,
        "timeout": constants.HF_HUB_DOWNLOAD_TIMEOUT,
        "retry_on_exceptions": (),
        "retry_on_status_codes": (),
    }
    open_stream = getattr(utils, "http_stream_backoff", None)  # since huggingface_hub 1.0
    if open_stream is None:
        return closing(http_backoff("GET", url, stream=True, **options))
    return cast(AbstractContextManager[Any], open_stream("GET", url, **options))


def _has_range(headers: Mapping[str, str], start: int, stop: int) -> bool:
    """Return whether the body of a response is the bytes [start, stop)."""
    if (place := headers.get("content-range")) is None:  # all of the file
        return start == 0 and headers.get("content-length") == str(stop)
    return place.startswith(f"bytes {start}-{stop - 1}/")


def _find_response(error: BaseException | None) -> Any:
    """Return the HTTP response behind an error; None where there was none."""
    while error is not None:
        response = getattr(error, "response", None)
        if response is not None:
            return response
        error = error.__cause__
    return None


def _find_status(error: BaseException) -> int | None:
    return getattr(_find_response(error), "status_code", None)


def _parse_day(path: str) -> date | None:
    """Return the date of the folder of a Parquet file, None where it has none."""
    match = _DATED.search(path)
    try:
        day = date.fromisoformat(match[1]) if match else date.min
    except ValueError:  # 2025-02-30
        return None
    return day if HUB_START.date() <= day <= _LAST_DAY else None


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
