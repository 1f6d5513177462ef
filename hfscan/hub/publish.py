"""Files as a dataset on the Hub: one commit, and none where nothing changed; and back."""

import contextlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    DatasetInfo,
    HfApi,
    snapshot_download,
)
from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError
from huggingface_hub.utils.tqdm import disable_progress_bars

from hfscan._version import __version__
from hfscan.errors import HubRefusedError
from hfscan.hub.client import HubClient
from hfscan.hub.endpoint import parse_endpoint
from hfscan.hub.official import translate_client_errors
from hfscan.hub.words import keep_secret
from hfscan.text import sanitize


@dataclass(frozen=True)
class Published:
    """Where a dataset is, and whether this run changed it."""

    url: str
    commit: str
    changed: bool


def files_of(folder: Path) -> dict[str, Path]:
    """Return the files of a folder by the names that they have in a dataset."""
    found = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file for file in sorted(found)}


class Dataset:
    """A dataset on the Hub at `endpoint`: `repo` is OWNER/NAME, or NAME of the token's account.

    All methods raise HubRefusedError and HubUnreachableError.
    """

    def __init__(self, repo: str, *, endpoint: str, token: str | None) -> None:
        parse_endpoint(endpoint)
        keep_secret(token)
        self._token, endpoint = token, endpoint.rstrip("/")
        if not sys.stderr.isatty():
            disable_progress_bars()
        self._api = HfApi(
            endpoint,
            token=token or False,  # None would be whatever token the user has
            library_name="hfscan",
            library_version=__version__,
        )
        self.repo = repo
        if "/" not in repo:
            self._prove_token()
            with self._told("read"):
                self.repo = f"{self._api.whoami()['name']}/{repo}"
        self.url = f"{endpoint}/datasets/{self.repo}"

    def head(self) -> str | None:
        """Return its newest commit, None where there is no such dataset."""
        with self._told("read"):
            try:
                return self._api.dataset_info(self.repo).sha
            except RepositoryNotFoundError:
                return None

    def fetch(self, commit: str, patterns: Sequence[str], folder: Path) -> None:
        """Bring the files of a commit whose names fit one of the patterns into the folder."""
        with self._told("read"):
            snapshot_download(
                self.repo, repo_type="dataset", revision=commit, local_dir=folder,
                allow_patterns=list(patterns), endpoint=self._api.endpoint, token=self._api.token,
            )  # fmt: skip

    def tag(self, name: str, commit: str) -> None:
        """Name a commit for good; a name that is taken stays where it is."""
        with self._told("tagged"):
            self._api.create_tag(
                self.repo, tag=name, revision=commit, repo_type="dataset", exist_ok=True
            )

    def prove(self, *, private: bool = False) -> None:
        """Raise what can be known before there is anything to publish; change nothing."""
        self._prove_token()
        with self._told("published"), contextlib.suppress(RepositoryNotFoundError):
            self._refuse_public(self._api.dataset_info(self.repo), private)

    def publish(
        self,
        files: Mapping[str, Path],
        message: str,
        *,
        owned: Iterable[str] = (),
        private: bool = False,
        parent: str | None = None,
    ) -> Published:
        """Make the dataset hold the files, in one commit; make it where there is none.

        Files in the folders `owned` that are no more are removed; all others stay. `parent`: the
        commit that it must still be at.
        """
        self._prove_token()
        with self._told("published"):
            return self._publish(
                files, message, tuple(f"{name}/" for name in owned), private, parent
            )

    def _publish(
        self,
        files: Mapping[str, Path],
        message: str,
        owned: tuple[str, ...],
        private: bool,
        parent: str | None,
    ) -> Published:
        api, repo = self._api, self.repo
        api.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
        before = api.dataset_info(repo)
        self._refuse_public(before, private)
        there = api.list_repo_files(repo, repo_type="dataset")
        operations: list[CommitOperationAdd | CommitOperationCopy | CommitOperationDelete] = [
            *(CommitOperationAdd(name, file) for name, file in sorted(files.items())),
            *(
                CommitOperationDelete(name)
                for name in there
                if name.startswith(owned) and name not in files
            ),
        ]
        try:
            api.create_commit(
                repo, operations, commit_message=message, repo_type="dataset", parent_commit=parent
            )
            problem = None
        except HFValidationError:
            raise
        except ValueError as error:  # 0.36 cannot read a made commit's address off HF_ENDPOINT
            problem = error
        commit = str(api.dataset_info(repo).sha)
        if problem and commit == before.sha:
            raise problem
        return Published(self.url, commit, commit != before.sha)

    def _refuse_public(self, there: DatasetInfo, private: bool) -> None:
        if private and not there.private:
            raise HubRefusedError(
                f"{self.repo} is public already. Make it private in its settings, or leave "
                "--private out."
            )

    def _prove_token(self) -> None:
        if self._token is None:
            raise HubRefusedError(
                "Publishing needs a token that may write: `hf auth login`, or HF_TOKEN."
            )
        with HubClient(self._api.endpoint, self._token) as client:  # its errors say what to do
            client.get(f"{client.endpoint}/api/whoami-v2", lambda answer: answer)

    def _told(self, what: str) -> contextlib.AbstractContextManager[None]:
        return translate_client_errors(
            self._api.endpoint,
            f"{sanitize(self.repo, 100)} cannot be {what}",
            "Run the same command again.",
        )
