"""Check many checkpoints in a run that can be interrupted, continued and split.

The results are kept in a file: one JSON line for each checkpoint, with what they depend on, the
`setup`. Files of several runs can be joined by appending them to each other.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import constants

from hfscan._version import __version__
from hfscan.errors import InvalidRequestError
from hfscan.fs import hold_lock, sync, translate_os_errors
from hfscan.hub.endpoint import redact_url
from hfscan.parity.environments import read_environments
from hfscan.parity.machine import describe_processor
from hfscan.parity.pool import BackendPool
from hfscan.parity.result import Result, Verdict, to_json_data
from hfscan.parity.run import ParityRunner
from hfscan.text import encode_json, format_count, format_duration, sanitize

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


def describe_setup(pool: BackendPool, texts: Sequence[str] | None) -> Row:
    """Start the backends and return what their results depend on, besides the checkpoint."""
    pool.start()
    settings = pool.settings
    names = ["dtype", "threads", "timeout", "memory_mb", "measure"]
    if settings.measure:
        names += ["rounds", "variants", "train"]
    # a case may need another environment than that of its backend
    environments = [
        installation.folder.name
        for environment in read_environments()
        if not {*environment.backends, *environment.imports}.isdisjoint(settings.backends)
        and (installation := environment.find())
    ]
    setup = {
        "hfscan": __version__,
        "endpoint": redact_url(constants.ENDPOINT),
        **{name: getattr(settings, name) for name in names},
        "processor": describe_processor() if settings.measure else None,
        "backends": {
            name: {key: pool.process(name).info.get(key) for key in ("versions", "device")}
            for name in settings.backends
        },
        "environments": environments,
        "texts": texts and hashlib.sha256("\n".join(texts).encode()).hexdigest(),
    }
    plain: Row = to_json_data(setup)
    return plain


def check_all(
    runner: ParityRunner,
    targets: Sequence[Target],
    baseline: str | None,
    texts: Sequence[str] | None,
    results_file: ResultsFile | None,
    setup: Row,
    notify: Callable[[str], None],
) -> list[Result]:
    """Check the targets that `results_file` does not have; return the results of all.

    Each result is written to the file as soon as it is known.
    """
    results, started = list[Result](), time.monotonic()
    known = {
        target: entry
        for target in targets
        if results_file is not None and (entry := results_file.find(target, setup))
    }
    for entry in known.values():
        results += [_read_result(case) for case in entry.cases]
        runner.measurements += entry.measurements
    if known:
        notify(f"{len(known)} of {len(targets)} checkpoints are in the results file already")
    remaining = [target for target in targets if target not in known]
    for checked, (name, revision) in enumerate(remaining):
        left = ""
        if checked:
            seconds = (time.monotonic() - started) / checked * (len(remaining) - checked)
            left = f", {format_duration(seconds)} left"
        place = f" ({checked + 1} of {len(remaining)}{left})" if len(remaining) > 1 else ""
        notify(f"Checking {name!r}{place}")
        timed = len(runner.measurements)
        found = runner.check_named(name, revision, baseline, texts)
        results += found
        verdicts = ", ".join(sorted({sanitize(str(result.verdict), 40) for result in found}))
        notify(f"  {verdicts or 'no case'} ({format_count(len(found), 'case')})")
        if results_file is not None:
            cases = to_json_data([asdict(result) for result in found])
            measurements = to_json_data(runner.measurements[timed:])
            results_file.append(Entry(name, revision, setup, cases, measurements))
    return results


def _read_result(case: Row) -> Result:
    return Result(**{**case, "verdict": Verdict(case["verdict"])})
