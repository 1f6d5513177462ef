"""Datasets on the Hub, through the official client (huggingface_hub): read, publish, errors.

The client's releases use requests, httpx or httpx2, and hf_xet for large files, whose errors are
plain RuntimeErrors. Their errors are raised as they are, or wrapped in one another.
"""

import contextlib
import errno
import re
import ssl
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    DatasetInfo,
    HfApi,
    SpaceInfo,
    constants,
    get_token,
    hf_hub_download,
    snapshot_download,
)
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from huggingface_hub.utils.tqdm import disable_progress_bars

from hfscan._version import __version__
from hfscan.errors import (
    HfscanError,
    HubRefusedError,
    HubUnreachableError,
    ImportFileError,
    InvalidResponseError,
    StorageError,
)
from hfscan.hub.client import HubClient
from hfscan.hub.client_limits import SlowResponseError, limit_client
from hfscan.hub.endpoint import (
    may_receive_token,
    parse_endpoint,
    register_secret,
    sanitize_hub_text,
)
from hfscan.text import sanitize

RepoKind = Literal["dataset", "space"]
RepoInfo = DatasetInfo | SpaceInfo

_UNREAD_URL = "Unable to retrieve user and repo ID"
"""Error of huggingface_hub 0.36 after a commit at an endpoint that is not its own default."""

_KINDS: Mapping[RepoKind, str] = {"dataset": "dataset", "space": "Space"}
_URL_PREFIX = "hf://"
_FILE_URL = re.compile(r"hf://datasets/(?P<repo>[^/@]+/[^/@]+)(@(?P<revision>[^/]+))?/(?P<path>.+)")
_LIBRARIES = frozenset({"huggingface_hub", "hf_xet", "httpx", "httpx2", "requests", "urllib3"})
_TRANSPORTS = _LIBRARIES - {"huggingface_hub"} | {"httpcore", "httpcore2", "socket", "ssl"}
_NETWORK_ERRORS = (
    ConnectionError, TimeoutError, ssl.SSLError, OfflineModeIsEnabled, LocalEntryNotFoundError,
    HfHubHTTPError, SlowResponseError,
)  # fmt: skip
_REFUSAL_ADVICE: Mapping[int | None, str] = {
    401: " Log in with a token of the Hub: `hf auth login`, or HF_TOKEN.",
    403: " Use a token that may do this (Access Tokens in the Hub's settings), or another owner.",
    404: " Check the spelling. If it is private, use a token that may read it.",
    **dict.fromkeys(
        (409, 412), " Something else has changed it meanwhile. Run the same command again."
    ),
}
"""Status -> what to do."""
_TRANSIENT = frozenset({408, 429})
_DISK_ERRNOS = frozenset({
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.EIO,
    errno.ENOTDIR,
})  # fmt: skip


@dataclass(frozen=True)
class Published:
    """A published dataset, and whether this run changed it."""

    url: str
    commit: str
    changed: bool


def find_endpoint_token() -> str | None:
    """Return the user's token; None if there is none, or HF_ENDPOINT must not receive it."""
    return get_token() if may_receive_token(constants.ENDPOINT) else None


def list_files(folder: Path) -> dict[str, Path]:
    """Return the files of a folder by their names in a dataset."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file for file in sorted(files)}


class HubDataset:
    """A dataset on the Hub at `endpoint`: `repo` is OWNER/NAME, or NAME of the token's account.

    `kind`: or a static Space. All methods raise HubRefusedError and HubUnreachableError.
    """

    def __init__(
        self, repo: str, *, endpoint: str, token: str | None, kind: RepoKind = "dataset"
    ) -> None:
        parse_endpoint(endpoint)
        register_secret(token)
        self._token, endpoint = token, endpoint.rstrip("/")
        if not sys.stderr.isatty():
            disable_progress_bars()
        self._api = HfApi(
            endpoint,
            token=token or False,  # None would be any token that the user has
            library_name="hfscan",
            library_version=__version__,
        )
        self._kind, self.repo = kind, repo
        if "/" not in repo:
            self._check_token()
            with self._translate_errors("read"):
                self.repo = f"{self._api.whoami()['name']}/{repo}"
        self.url = f"{endpoint}/{kind}s/{self.repo}"

    def head(self, revision: str | None = None) -> str | None:
        """Return its newest commit, or that of a revision; None if the dataset does not exist."""
        with self._translate_errors("read"):
            try:
                return self._info(revision).sha
            except RepositoryNotFoundError:
                return None

    def download(self, commit: str, patterns: Sequence[str], folder: Path) -> None:
        """Download the files of a commit whose names match one of the patterns."""
        with self._translate_errors("read"):
            snapshot_download(
                self.repo, repo_type=self._kind, revision=commit, local_dir=folder,
                allow_patterns=list(patterns), endpoint=self._api.endpoint, token=self._api.token,
            )  # fmt: skip

    def tag(self, name: str, commit: str) -> None:
        """Tag a commit; an existing tag of this name stays."""
        with self._translate_errors("tagged"):
            self._api.create_tag(
                self.repo, tag=name, revision=commit, repo_type=self._kind, exist_ok=True
            )

    def check_access(self, *, private: bool = False) -> None:
        """Raise the errors of `publish` that are known before there are files; change nothing."""
        self._check_token()
        with self._translate_errors("published"), contextlib.suppress(RepositoryNotFoundError):
            self._refuse_public(self._info(), private)

    def publish(
        self,
        files: Mapping[str, Path],
        message: str,
        *,
        parent: str | None,
        managed_folders: Iterable[str] = (),
        private: bool = False,
    ) -> Published:
        """Upload the files in one commit.

        `parent`: the commit that the dataset must still be at; None: it must not exist yet, and is
        created. So a concurrent publish is never overwritten. Files in `managed_folders` that are
        not among the files are deleted; all others stay.
        """
        self._check_token()
        api, repo = self._api, self.repo
        prefixes = tuple(f"{name}/" for name in managed_folders)
        with self._translate_errors("published"):
            if parent is None:
                api.create_repo(
                    repo, repo_type=self._kind, private=private,
                    space_sdk="static" if self._kind == "space" else None,
                )  # fmt: skip
            before = self._info()
            self._refuse_public(before, private)
            operations: list[CommitOperationAdd | CommitOperationCopy | CommitOperationDelete] = [
                CommitOperationAdd(name, file) for name, file in sorted(files.items())
            ]
            operations += [
                CommitOperationDelete(name)
                for name in api.list_repo_files(repo, repo_type=self._kind)
                if name.startswith(prefixes) and name not in files
            ]
            try:
                commit = api.create_commit(
                    repo, operations, commit_message=message, repo_type=self._kind,
                    parent_commit=parent or before.sha,
                ).oid  # fmt: skip
            except ValueError as error:
                if _UNREAD_URL not in str(error):
                    raise
                commit = str(self._info().sha)
        return Published(self.url, commit, commit != before.sha)

    def _info(self, revision: str | None = None) -> RepoInfo:
        find = self._api.dataset_info if self._kind == "dataset" else self._api.space_info
        return find(self.repo, revision=revision)

    def _refuse_public(self, info: RepoInfo, private: bool) -> None:
        if private and not info.private:
            raise HubRefusedError(
                f"{self.repo} is already public. Make it private in its settings, or omit "
                "--private."
            )

    def _check_token(self) -> None:
        if self._token is None:
            raise HubRefusedError(
                "Publishing requires a token with write access: `hf auth login`, or HF_TOKEN."
            )
        with HubClient(self._api.endpoint, self._token) as client:  # its errors say what to do
            client.get(f"{client.endpoint}/api/whoami-v2", lambda response: response)

    def _translate_errors(self, verb: str) -> contextlib.AbstractContextManager[None]:
        return translate_client_errors(
            self._api.endpoint,
            f"The {_KINDS[self._kind]} {sanitize(self.repo, 100)} cannot be {verb}",
            "Run the same command again.",
        )


def is_dataset_url(name: str) -> bool:
    """Return whether `name` is meant as a file on the Hub."""
    return name.startswith(_URL_PREFIX)


def download_dataset_file(name: str, *, token: str | None = None) -> Path:
    """Download `hf://datasets/OWNER/NAME[@REVISION]/path` to the cache (HF_HOME), if not there.

    Raises ImportFileError on another form of URL, HubRefusedError and HubUnreachableError.
    """
    match = _FILE_URL.fullmatch(name)
    if not match:
        raise ImportFileError(f"{name} is not of the form hf://datasets/OWNER/NAME/path.")
    endpoint = constants.ENDPOINT
    parse_endpoint(endpoint)
    register_secret(token)
    with translate_client_errors(
        endpoint,
        f"{sanitize(name, 300)} cannot be downloaded",
        "Check the network, HF_ENDPOINT and HF_HUB_OFFLINE, or download the file yourself and "
        "import that.",
    ):
        return Path(
            hf_hub_download(
                match["repo"],
                match["path"],
                repo_type="dataset",
                revision=match["revision"],
                token=token or False,
            )
        )


limit_client()


@contextlib.contextmanager
def translate_client_errors(endpoint: str, failure: str, advice: str) -> Iterator[None]:
    """Raise an HfscanError for every error of the official client.

    `failure`: what failed ("x cannot be published"); `advice`: what to do if the Hub cannot be
    reached or breaks off. Raises HubRefusedError, HubUnreachableError, InvalidResponseError on a
    response that the client cannot read, and StorageError if its cache cannot be written.
    """
    try:
        yield
    except HfscanError:
        raise
    except Exception as error:
        translated = _translate(error, endpoint, failure, advice)
        if translated is None:
            raise
        raise translated from error


def _translate(error: Exception, endpoint: str, failure: str, advice: str) -> HfscanError | None:
    """Return the HfscanError for an error of the client, None for any other error."""
    chain = list(_chain(error))
    if any(_is_raised_by_xet(cause.__traceback__) for cause in chain):
        advice += (
            " If it fails again, set HF_HUB_DISABLE_XET=1: then files go through the Hub itself "
            "instead of Xet, its storage for large files."
        )
    for cause in chain:
        status = _status(cause)
        is_refused = status is not None and status < 500 and status not in _TRANSIENT
        if is_refused or isinstance(cause, HFValidationError):
            message = describe_error(cause).rstrip(".")
            return HubRefusedError(f"{failure}: {message}.{_REFUSAL_ADVICE.get(status, '')}")
    for cause in chain:
        module = type(cause).__module__.partition(".")[0]
        is_transport = module in _TRANSPORTS and not isinstance(cause, ValueError)
        if isinstance(cause, _NETWORK_ERRORS) or is_transport:
            reason = chain[-1] if isinstance(cause, LocalEntryNotFoundError) else cause
            return HubUnreachableError(
                f"{failure}: {endpoint} cannot be reached, or broke off "
                f"({describe_error(reason)}). {advice}"
            )
    if not _is_raised_in_client(error.__traceback__):
        return None
    if isinstance(error, OSError) and error.errno in _DISK_ERRNOS:
        return StorageError(
            f"{failure}: the cache (HF_HOME) cannot be written: {error.strerror}. Free some space, "
            "or name another folder in HF_HOME, and run the same command again."
        )
    is_unreadable = isinstance(error, ValueError)  # also of requests: a response that is not JSON
    if isinstance(error, (RuntimeError, OSError)) and not is_unreadable:
        # hf_xet, and checks of what was downloaded
        return HubUnreachableError(
            f"{failure}: {endpoint} broke off ({describe_error(error)}). {advice}"
        )
    return InvalidResponseError(
        f"{failure}: {endpoint} sent something that the official client cannot read "
        f"({type(error).__name__}: {describe_error(error)})."
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__


def _status(error: BaseException) -> int | None:
    """Return the status of the response behind an error, None if there was none."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None


def describe_error(error: BaseException) -> str:
    """Return the message of an error of the client, on one line and without the token."""
    message = getattr(error, "server_message", None) or str(error).strip() or type(error).__name__
    register_secret(get_token())  # the client sends it by default
    return sanitize_hub_text(message.splitlines()[0])


def _is_raised_by_xet(traceback: TracebackType | None) -> bool:
    """Return whether the client was sending or fetching files by Xet.

    Only its function names tell: hf_xet raises plain RuntimeErrors, and documents no others.
    """
    while traceback is not None:
        if "xet" in traceback.tb_frame.f_code.co_name:
            return True
        traceback = traceback.tb_next
    return False


def _is_raised_in_client(traceback: TracebackType | None) -> bool:
    while traceback is not None:
        if traceback.tb_frame.f_globals.get("__name__", "").partition(".")[0] in _LIBRARIES:
            return True
        traceback = traceback.tb_next
    return False
