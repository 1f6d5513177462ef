"""Check many checkpoints in a run that can be interrupted, continued and split."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hfscan.parity.downloads import is_folder
from hfscan.parity.record import RunRecorder
from hfscan.parity.result import Result
from hfscan.parity.results_file import Entry, ResultsFile, Row, Target
from hfscan.parity.worker import Checked
from hfscan.text import format_count, format_duration, sanitize


class Engine(Protocol):
    """Checks checkpoints in this process, or elsewhere. `Worker` describes the methods."""

    def check_all(
        self, targets: Sequence[Target], on_start: Callable[[Target], None]
    ) -> Iterator[tuple[int, Checked]]: ...

    def describe_environment(self) -> Row: ...

    def describe_setup(self) -> Row: ...

    def find_backends_without_gpu(self) -> list[str]: ...


@dataclass(frozen=True)
class Outcome:
    """What a sweep found, in the order of its checkpoints, and what it was run with."""

    results: list[Result]
    measurements: list[Row]
    environment: Row


def check_all(
    engine: Engine,
    targets: Sequence[Target],
    details: Row,
    results_file: ResultsFile | None,
    recorder: RunRecorder | None,
    notify: Callable[[str], None],
) -> Outcome:
    """Check the targets that `results_file` does not have; return the results of all.

    Each result is written to the file and to the database as soon as it is known. `details` are
    added to the environment.
    """
    setup = engine.describe_setup() if results_file else {}
    environment = engine.describe_environment() | details
    entries = {
        place: entry
        for place, target in enumerate(targets)
        if results_file and (entry := results_file.find(target, setup))
    }
    if entries:
        notify(f"{len(entries)} of {len(targets)} checkpoints are in the results file already")
    if recorder:
        recorder.start(targets, setup, entries, environment)
    remaining = [place for place in range(len(targets)) if place not in entries]
    progress = _Progress(len(remaining), notify)
    labels = _label_folders(targets)
    chosen = [targets[place] for place in remaining]
    for position, checked in engine.check_all(chosen, progress.start):
        place = remaining[position]
        name = labels.get(targets[place])
        cases, timings = (
            [row | {"checkpoint": name or row["checkpoint"]} for row in rows]
            for rows in (checked.cases, checked.measurements)
        )
        entry = Entry(*targets[place], setup, cases, timings)
        if results_file:
            results_file.append(entry)
        entries[place] = entry
        notes = dict.fromkeys([*environment["notes"], *checked.environment["notes"]])
        environment = checked.environment | details | {"notes": list(notes)}
        if recorder:
            recorder.add({place: entry}, environment)
        progress.finish(entry)
    ordered = [entries[place] for place in range(len(targets))]
    return Outcome(
        [result for entry in ordered for result in entry.results],
        [row for entry in ordered for row in entry.measurements],
        environment,
    )


def _label_folders(targets: Iterable[Target]) -> dict[Target, str]:
    """Return each folder -> its name, with those of the folders it is in where two share it.

    Results of two checkpoints with one name would count as those of one.
    """
    targets = set(targets)
    folders = {target: Path(target[0]).resolve() for target in targets if is_folder(*target)}
    ids = [name for name, revision in targets if (name, revision) not in folders]
    labels: dict[Path, str] = {}
    length = 1
    while missing := set(folders.values()) - labels.keys():
        ends = {path: "/".join(path.parts[-length:]) for path in set(folders.values())}
        counts = Counter([*ends.values(), *ids])
        labels |= {path: ends[path] for path in missing if counts[ends[path]] == 1}
        length += 1
    return {target: labels[path] for target, path in folders.items()}


class _Progress:
    """Tells which checkpoints are checked, their verdicts, and the time left."""

    def __init__(self, count: int, notify: Callable[[str], None]) -> None:
        self._count, self._notify = count, notify
        self._started, self._finished = set[Target](), 0
        self._started_at = time.monotonic()

    def start(self, target: Target) -> None:
        self._started.add(target)  # some are started again
        place = f" ({len(self._started)} of {self._count})" if self._count > 1 else ""
        self._notify(f"Checking {target[0]!r}{place}")

    def finish(self, entry: Entry) -> None:
        self._finished += 1
        verdicts = sorted({sanitize(str(case["verdict"]), 40) for case in entry.cases})
        seconds = (time.monotonic() - self._started_at) / self._finished
        left = self._count - self._finished
        rest = f", {format_duration(seconds * left)} left" if left else ""
        cases = format_count(len(entry.cases), "case")
        self._notify(f"  {entry.checkpoint}: {', '.join(verdicts) or 'no case'} ({cases}){rest}")
