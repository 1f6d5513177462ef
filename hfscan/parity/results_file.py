"""Keep the results of a sweep in a file: one JSON line for each checkpoint.

A line also has what the results depend on, the `setup`. Files of several runs can be joined by
appending them to each other.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hfscan.errors import InvalidRequestError
from hfscan.fs import sync, translate_os_errors
from hfscan.locks import hold_lock
from hfscan.parity.result import Result, Verdict
from hfscan.text import encode_json

Row = dict[str, Any]
Target = tuple[str, str | None]  # folder or Hub id, and revision
_COMMIT = re.compile("[0-9a-f]{40}")
_START = b'{"checkpoint"'  # of every line
_ADVICE = "choose another --results"
_NOT_FINAL = {
    Verdict.UNREADABLE, Verdict.NOT_INSTALLED, Verdict.CRASHED, Verdict.TIMED_OUT,
    Verdict.OUT_OF_MEMORY, Verdict.BACKEND_FAILED,
}  # fmt: skip
"""Verdicts that another run of the same command may change."""


@dataclass(frozen=True)
class Entry:
    """The results of a checkpoint as JSON-ready data: its cases, and what was timed."""

    checkpoint: str
    revision: str | None
    setup: Row
    cases: list[Row]
    measurements: list[Row]

    @property
    def is_final(self) -> bool:
        """Return whether another run would give the same verdicts."""
        return all(case["verdict"] not in _NOT_FINAL for case in self.cases)

    @property
    def results(self) -> list[Result]:
        """The results of the cases."""
        return list(map(Result.from_row, self.cases))


class ResultsFile:
    """Reads entries, and appends new ones. Raises StorageError and InvalidRequestError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with translate_os_errors(path, _ADVICE):
            path.touch()
            self._entries = list(self._read())
            self._end_last_line()

    def _read(self) -> Iterator[Entry]:
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                with suppress(ValueError, TypeError):
                    yield Entry(**json.loads(line))
                    continue
                if not _is_unfinished(line):
                    raise InvalidRequestError(
                        f"{self._path}, line {number}: not the results of a checkpoint. "
                        f"Name a file that --results wrote, or a new one."
                    )

    def _end_last_line(self) -> None:
        """Cut what a run wrote when it was killed; end a line that lacks only its newline."""
        with self._path.open("r+b") as file:
            content = file.read()
            start = content.rfind(b"\n") + 1
            if _is_unfinished(content[start:]):
                file.truncate(start)
            elif start < len(content):
                file.write(b"\n")

    def append(self, entry: Entry) -> None:
        """Write an entry so that it outlives the process. Raises StorageError."""
        line = encode_json(vars(entry), indent=None) + "\n"
        with translate_os_errors(self._path, _ADVICE), self._path.open("ab") as file:
            file.write(line.encode("utf-8"))
            sync(file)

    def find(self, target: Target, setup: Row) -> Entry | None:
        """Return the newest final entry of a commit on the Hub with this setup.

        The files of a folder or a branch may have changed since.
        """
        if not _COMMIT.fullmatch(target[1] or ""):
            return None
        for entry in reversed(self._entries):
            found = entry.checkpoint, entry.revision
            if found == target and entry.setup == setup and entry.is_final:
                return entry
        return None


def _is_unfinished(line: bytes) -> bool:
    """Return whether a line without its newline is the beginning of an entry, or empty blocks."""
    with suppress(ValueError):
        json.loads(line)
        return False
    return not line.endswith(b"\n") and _START.startswith(line.rstrip(b"\0")[: len(_START)])


@contextmanager
def open_results(path: Path) -> Iterator[ResultsFile]:
    """Provide a file of results to one process at a time; others wait, and find its results."""
    with translate_os_errors(path, _ADVICE):
        path.parent.mkdir(parents=True, exist_ok=True)
    with hold_lock(path, _ADVICE):
        yield ResultsFile(path)
