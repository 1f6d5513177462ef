"""First commits of many models: resumable, and no model asked twice.

Every answer is a line of a file in the journal folder before the next question is asked; the
caller moves them into the database and then drops the file.
"""

import contextlib
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from hfscan.errors import HubUnreachableError, InvalidResponseError
from hfscan.fs import acquire_lock, append_line, read_lines, translate_os_errors
from hfscan.hub.client import HubClient
from hfscan.hub.commits import FirstCommit, first_commit
from hfscan.hub.progress import Progress
from hfscan.hub.retry import Patience

_PATIENCE = Patience(attempts=5, total=600)
_FAILURES = 3  # models in a row that fail before the Hub is taken to be the trouble


@dataclass
class Dated:
    """What a run asked: `found` in its order; `failed` maps a repo id to why it has no answer."""

    found: list[FirstCommit] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    requests: int = 0
    seconds: float = 0.0


class Answers:
    """Answers that wait to be stored, held by one process. Use as a context manager.

    `kept` are those of earlier runs. Raises StorageError, and DatabaseError when another process
    asks the same Hub for the same database.
    """

    def __init__(self, root: Path, endpoint: str) -> None:
        name = hashlib.sha256(endpoint.encode()).hexdigest()[:16]
        self._file = root / f"{name}.commits.jsonl"
        self.kept: list[FirstCommit] = []
        with translate_os_errors(root):
            root.mkdir(parents=True, exist_ok=True)
            self._lock = acquire_lock(root / f"{name}.commits.lock")
            for line in read_lines(self._file):
                with contextlib.suppress(msgspec.DecodeError):
                    self.kept.append(msgspec.json.decode(line, type=FirstCommit))

    def keep(self, answer: FirstCommit) -> None:
        """Write an answer; it is on the disk when this returns."""
        with translate_os_errors(self._file.parent):
            append_line(self._file, msgspec.json.encode(answer))
        self.kept.append(answer)

    def drop(self) -> None:
        """Forget the answers: they are safe elsewhere."""
        with translate_os_errors(self._file.parent):
            self._file.unlink(missing_ok=True)
        self.kept.clear()

    def __enter__(self) -> "Answers":
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        if not self._file.exists():
            with contextlib.suppress(OSError):  # another run may just have taken the lock
                self._file.with_suffix(".lock").unlink(missing_ok=True)
                self._file.parent.rmdir()


def first_commits(
    repos: Sequence[str],
    *,
    endpoint: str,
    token: str | None,
    answers: Answers,
    progress: Callable[[Progress], None] = lambda _: None,
    patience: Patience = _PATIENCE,
    rewrite_links: bool = False,
) -> Dated:
    """Ask the Hub for the first commit of each of `repos` and keep every answer.

    A model whose answer is broken beyond patience is left out and named in `failed`. Raises
    HubUnreachableError and InvalidResponseError when that happens to three in a row, RefusedError
    on a bad token, StorageError.
    """
    dated = Dated()
    began, in_a_row, state = time.monotonic(), 0, Progress(total=len(repos))

    def notice(text: str) -> None:
        progress(msgspec.structs.replace(state, notice=text, waiting=True))

    with HubClient(
        endpoint.rstrip("/"), token, patience=patience, rewrite_links=rewrite_links, tell=notice
    ) as client:
        for number, repo in enumerate(repos, 1):
            progress(state)
            try:
                answer = first_commit(client, repo)
            except (HubUnreachableError, InvalidResponseError) as error:
                in_a_row += 1
                if not client.answered or in_a_row >= min(_FAILURES, len(repos)):
                    raise
                dated.failed[repo] = str(error)
            else:
                in_a_row = 0
                answers.keep(answer)
                dated.found.append(answer)
            state = Progress(models=number, requests=client.requests, total=len(repos))
        dated.requests = client.requests
    dated.seconds = time.monotonic() - began
    return dated
