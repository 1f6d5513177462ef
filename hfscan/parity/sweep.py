"""Check many checkpoints in a run that can be interrupted, continued and split.

The results are kept in a file: one JSON line for each checkpoint, with what they depend on, the
`setup`. Files of several runs can be joined by appending them to each other.
"""

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hfscan._version import __version__
from hfscan.errors import InvalidRequestError, StorageError
from hfscan.parity.pool import BackendPool
from hfscan.parity.result import Result, Verdict, to_json_data
from hfscan.parity.run import ParityRunner
from hfscan.text import encode_json, sanitize

Row = dict[str, Any]
Target = tuple[str, str | None]  # folder or Hub id, and revision
_COMMIT = re.compile("[0-9a-f]{40}")


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
        """Return whether all files could be read: what cannot may have failed on its way here."""
        return all(case["verdict"] != Verdict.UNREADABLE for case in self.cases)


class ResultsFile:
    """Reads entries, and appends new ones. Raises StorageError and InvalidRequestError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._remove_unfinished_line()
            self._entries = list(self._read())
        except OSError as error:
            raise StorageError(f"{path} cannot be used: {error.strerror}.") from error

    def _remove_unfinished_line(self) -> None:
        """Cut what a run wrote when it was killed; create the file if there is none."""
        with self._path.open("a+b") as file:
            file.seek(0)
            content = file.read()
            file.truncate(content.rfind(b"\n") + 1)

    def _read(self) -> Iterator[Entry]:
        with self._path.open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, 1):
                with suppress(ValueError, TypeError):
                    yield Entry(**json.loads(line))
                    continue
                raise InvalidRequestError(
                    f"{self._path}, line {number}: not the results of a checkpoint. "
                    f"Name a file that --results wrote, or a new one."
                )

    def append(self, entry: Entry) -> None:
        """Write an entry so that it outlives the process."""
        line = encode_json(vars(entry), indent=None) + "\n"
        try:
            with self._path.open("ab") as file:
                file.write(line.encode("utf-8"))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StorageError(f"{self._path} cannot be written: {error.strerror}.") from error
        self._entries.append(entry)

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


def describe_setup(pool: BackendPool, **options: Any) -> Row:
    """Start the backends and return what their results depend on, `options` included."""
    pool.start()
    setup = {
        "hfscan": __version__,
        "dtype": pool.settings.dtype,
        "backends": {
            name: {key: pool.process(name).info.get(key) for key in ("versions", "device")}
            for name in pool.settings.backends
        },
        **options,
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
        left = f", {_format_time_left(started, checked, len(remaining))} left" if checked else ""
        place = f" ({checked + 1} of {len(remaining)}{left})" if len(remaining) > 1 else ""
        notify(f"Checking {name!r}{place}")
        timed = len(runner.measurements)
        found = runner.check_named(name, revision, baseline, texts)
        results += found
        verdicts = ", ".join(sorted({sanitize(str(result.verdict), 40) for result in found}))
        notify(f"  {verdicts or 'no case'} ({len(found)} cases)")
        if results_file is not None:
            cases = to_json_data([asdict(result) for result in found])
            measurements = to_json_data(runner.measurements[timed:])
            results_file.append(Entry(name, revision, setup, cases, measurements))
    return results


def _read_result(case: Row) -> Result:
    return Result(**{**case, "verdict": Verdict(case["verdict"])})


def _format_time_left(started: float, checked: int, total: int) -> str:
    seconds = (time.monotonic() - started) / checked * (total - checked)
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
