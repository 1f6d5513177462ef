"""Download checkpoints from the Hub, one while another is checked, on bounded disk space."""

import shutil
import sys
import threading
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import count
from pathlib import Path

import filelock
from huggingface_hub import (
    HfApi,
    constants,
    hf_hub_download,
    snapshot_download,
    try_to_load_from_cache,
)
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils.tqdm import disable_progress_bars

from hfscan.errors import HubRefusedError, HubUnreachableError
from hfscan.fs import translate_os_errors
from hfscan.hub.datasets import find_endpoint_token, translate_client_errors
from hfscan.hub.endpoint import parse_endpoint
from hfscan.parity.checkpoint import FILES, Checkpoint, open_checkpoint
from hfscan.parity.configs import CheckpointError, UnsupportedCheckpointError
from hfscan.parity.unopened import describe_files
from hfscan.text import format_bytes, sanitize

_ADVICE = "Check the network, HF_ENDPOINT and HF_HUB_OFFLINE, or name a folder."


def require_endpoint(targets: Iterable[tuple[str, str | None]]) -> None:
    """Raise HubRefusedError if a checkpoint comes from the Hub and HF_ENDPOINT is invalid."""
    if not all(is_folder(*target) for target in targets):
        parse_endpoint(constants.ENDPOINT)


def find_token() -> str | bool:
    """Return the user's token if the endpoint may receive it; False: send none."""
    return find_endpoint_token() or False


def is_folder(name: str, revision: str | None) -> bool:
    """Return whether a local folder is meant: only ids of the Hub have revisions."""
    return revision is None and Path(name).is_dir()


@dataclass(frozen=True)
class _Commit:
    """A commit of a model on the Hub. `sizes`: wanted file -> bytes; `files`: all of its files."""

    name: str
    id: str
    sizes: dict[str, int | None]
    files: list[str]

    def find_missing(self, cache: Path | None) -> list[str]:
        """Return the wanted files that a cache does not have; None: the user's cache."""
        return [
            file
            for file in self.sizes
            if not isinstance(try_to_load_from_cache(self.name, file, cache, revision=self.id), str)
        ]


class Downloads:
    """Opens checkpoints, after downloading those of the Hub; a context manager.

    They are in the user's cache. With a `budget` (bytes), those that it does not have are in
    folders beside it, where the oldest are deleted for others; two processes have different ones.
    """

    def __init__(self, budget: int | None = None) -> None:
        self._budget = budget
        self._lock = ExitStack()
        self._folder = None if budget is None else self._reserve_folder()
        self._ahead: threading.Thread | None = None
        if not sys.stderr.isatty():
            disable_progress_bars()

    def __enter__(self) -> "Downloads":
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def _reserve_folder(self) -> Path:
        """Return the first folder that no other process uses."""
        parent = Path(constants.HF_HUB_CACHE).with_name("hfscan-sweep")
        with translate_os_errors(parent, "choose another HF_HOME"):
            for number in count(1):
                folder = parent / str(number)
                folder.mkdir(parents=True, exist_ok=True)
                with suppress(filelock.Timeout):
                    self._lock.enter_context(filelock.FileLock(f"{folder}.lock", timeout=0))
                    return folder
        raise AssertionError

    def load(self, name: str, revision: str | None = None) -> Checkpoint:
        """Open a local folder, or download from the Hub: a `revision`, or else the newest commit.

        Raises CheckpointError, HubRefusedError, HubUnreachableError, InvalidResponseError and
        StorageError.
        """
        if self._ahead:
            self._ahead.join()
        if is_folder(name, revision):
            return open_checkpoint(Path(name))
        with _translate_errors(name, revision):
            if constants.HF_HUB_OFFLINE:
                path = snapshot_download(name, revision=revision, allow_patterns=FILES)
                return _open_download(Path(path), name)
            commit = self._find_commit(name, revision)
            cache = self._choose_cache(commit)
            path = snapshot_download(
                name, revision=revision, allow_patterns=FILES, cache_dir=cache, token=find_token()
            )
            # the client returns what it has if the Hub fails
            if Path(path).name != commit.id or commit.find_missing(cache):
                raise HubUnreachableError(
                    f"{sanitize(name, 100)} was only partly downloaded, or changed meanwhile."
                )
        return _open_download(Path(path), name, commit.files)

    def start(self, name: str, revision: str | None, in_use: str) -> None:
        """Begin to download another checkpoint while `in_use` is checked.

        What fails is left to `load`, so that its verdict is the same.
        """
        if constants.HF_HUB_OFFLINE or is_folder(name, revision):
            return
        disable_progress_bars()  # they would mix with the verdicts
        arguments = name, revision, in_use
        # a daemon, because an interrupted command does not wait for a download
        self._ahead = threading.Thread(target=self._download, args=arguments, daemon=True)
        self._ahead.start()

    def _download(self, name: str, revision: str | None, in_use: str) -> None:
        with suppress(Exception):  # of the client, the Hub, the disk or the budget
            commit = self._find_commit(name, revision)
            cache = self._choose_cache(commit, in_use)
            for file in commit.sizes:
                hf_hub_download(name, file, revision=commit.id, cache_dir=cache, token=find_token())

    def _find_commit(self, name: str, revision: str | None) -> _Commit:
        has_sizes = self._budget is not None
        info = HfApi(constants.ENDPOINT, token=find_token()).model_info(
            name, revision=revision, files_metadata=has_sizes
        )
        sizes = {file.rfilename: file.size for file in info.siblings or ()}
        wanted = {
            file: size
            for file, size in sizes.items()
            if any(fnmatch(file, pattern) for pattern in FILES)
        }
        return _Commit(name, info.sha or revision or "main", wanted, list(sizes))

    def _choose_cache(self, commit: _Commit, in_use: str | None = None) -> Path | None:
        """Return the cache for a commit, None for the user's; delete others to make room.

        That of the checkpoint `in_use` stays. Raises CheckpointError if there is too little room.
        """
        if self._folder is None or self._budget is None or not commit.find_missing(None):
            return None
        if None in commit.sizes.values():
            raise CheckpointError("the Hub does not state the sizes of its files")
        own, other = self._folder / _folder_name(commit.name), None
        total = needed = sum(size or 0 for size in commit.sizes.values())
        if total > self._budget:
            raise CheckpointError(
                f"its files have {format_bytes(total)}, more than --disk-budget allows "
                f"({format_bytes(self._budget)}). It was not downloaded"
            )
        if in_use is not None:
            other = self._folder / _folder_name(in_use)
        if own.is_dir():
            needed = sum(commit.sizes[file] or 0 for file in commit.find_missing(own))
        used = {folder: _measure(folder) for folder in self._folder.iterdir()}
        deletable = sorted(used.keys() - {own, other}, key=lambda folder: folder.stat().st_mtime)
        if own in used and own != other:
            deletable.append(own)
        while needed + sum(used.values()) > self._budget:
            if not deletable:
                raise CheckpointError("there is no room for it beside the one being checked")
            folder = deletable.pop(0)
            shutil.rmtree(folder, ignore_errors=True)
            used[folder] = _measure(folder)
            needed = total if folder == own else needed
        own.mkdir(exist_ok=True)
        own.touch()  # the newest
        return own


def _open_download(path: Path, name: str, files: Collection[str] = ()) -> Checkpoint:
    """Open what was downloaded; if no backend can, all `files` of the commit say what it is."""
    if path.is_dir():  # otherwise nothing was downloaded
        try:
            return open_checkpoint(path, name, path.name)
        except UnsupportedCheckpointError:
            if not files:
                raise
    raise UnsupportedCheckpointError(describe_files(files))


def _folder_name(name: str) -> str:
    return name.replace("/", "--")


def _measure(folder: Path) -> int:
    """Return the bytes of all files in a folder; links have almost none."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


@contextmanager
def _translate_errors(name: str, revision: str | None) -> Iterator[None]:
    """Raise an HfscanError for an error of the client."""
    with translate_client_errors(
        constants.ENDPOINT, f"{sanitize(name, 100)} cannot be fetched", _ADVICE
    ):
        try:
            yield
        except HFValidationError as error:
            raise HubRefusedError(
                f"{name!r} is neither a folder nor a Hub id (owner/name)."
                if revision is None
                else f"{name!r} is not a Hub id (owner/name), which alone has a revision."
            ) from error
