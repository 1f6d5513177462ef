"""A folder as a dataset on the Hub: one commit, and none where nothing changed."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
)
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from hfscan import __version__
from hfscan.errors import HubRefusedError, HubUnreachableError
from hfscan.hub.client import HubClient
from hfscan.hub.words import printable

_TRANSPORTS = frozenset({"httpx", "httpx2", "requests", "urllib3"})
"""What the official client's releases talk through: their errors come as they are."""


@dataclass(frozen=True)
class Published:
    """Where a dataset is, and whether this run changed it."""

    url: str
    commit: str
    changed: bool


def publish(
    folder: Path,
    repo: str,
    *,
    endpoint: str,
    token: str | None,
    message: str,
    private: bool = False,
    owned: Iterable[str] = (),
) -> Published:
    """Make the dataset `repo` hold the files of `folder`, in one commit.

    Files in the folders `owned` that are no more are removed; all others stay. Raises
    HubRefusedError and HubUnreachableError.
    """
    if token is None:
        raise HubRefusedError(
            "Publishing needs a token that may write: `hf auth login`, or HF_TOKEN."
        )
    with HubClient(endpoint.rstrip("/"), token) as client:  # its errors say what to do
        client.get(f"{client.endpoint}/api/whoami-v2", lambda answer: answer)
    try:
        return _publish(
            HfApi(endpoint, token=token, library_name="hfscan", library_version=__version__),
            folder, repo, message, private=private, owned=tuple(f"{name}/" for name in owned),
        )  # fmt: skip
    except (HfHubHTTPError, HFValidationError) as error:
        said = getattr(error, "server_message", None) or str(error).splitlines()[0]
        raise HubRefusedError(
            f"{printable(repo, 100)} cannot be published: {printable(said)}"
        ) from error
    except Exception as error:
        cause = error.__cause__ or error  # a failed upload is wrapped
        if type(cause).__module__.partition(".")[0] not in _TRANSPORTS | {"huggingface_hub"}:
            raise
        raise HubUnreachableError(
            f"{endpoint} broke off the upload: {printable(str(cause))}. Run the same command again."
        ) from error


def _publish(
    api: HfApi, folder: Path, repo: str, message: str, *, private: bool, owned: tuple[str, ...]
) -> Published:
    api.create_repo(repo, repo_type="dataset", private=private, exist_ok=True)
    before = api.dataset_info(repo)
    if private and not before.private:
        raise HubRefusedError(
            f"{repo} is public already. Make it private in its settings, or leave --private out."
        )
    files = {
        file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()
    }
    there = api.list_repo_files(repo, repo_type="dataset")
    operations: list[CommitOperationAdd | CommitOperationCopy | CommitOperationDelete] = [
        *(CommitOperationAdd(name, file) for name, file in sorted(files.items())),
        *(
            CommitOperationDelete(name)
            for name in there
            if name.startswith(owned) and name not in files
        ),
    ]
    commit = api.create_commit(repo, operations, commit_message=message, repo_type="dataset")
    url = f"{api.endpoint}/datasets/{repo}"
    return Published(url, str(commit.oid), str(commit.oid) != str(before.sha))
