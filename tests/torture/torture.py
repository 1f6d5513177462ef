"""Run `hfscan crawl` under random faults and kills, and check the database after each crawl.

    python tests/torture/torture.py --runs 1000 --seed 1

A run makes two full crawls of a small fake Hub into one database, then up to two updates. At
random there are faults of the Hub, kill -9 at any moment, damaged journals between starts, one or
several workers, a second process that crawls into the same database, and models that are created,
edited, renamed, hidden and deleted meanwhile.

A full crawl must contain each model that existed throughout, once, in a state that it had, and no
other model. An update must contain each model that was created or changed before its start in a
state since then, and every other model in a state that a crawl since the last full crawl may have
seen.

A seed repeats the plan of a run; the moment of a kill also depends on the machine.
"""

import argparse
import itertools
import multiprocessing
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hfscan.store import Store

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from crawl_processes import CrawlProcess
from testhub import KINDS, FakeHub, Faults
from tracked_population import COLUMNS, State, TrackedPopulation

SLOW_FAULTS = {"429-spent", "429-spent-retry-after", "429-retry-after", "stall", "stall-midway",
    "gzip-bomb"}  # fmt: skip
"""Faults that take seconds, and are rarer for that reason."""

TRANSIENT_EXIT_CODES = {3, 4, 5}
"""Exit codes of a Hub that keeps failing: the same command continues later."""

LOCKED_EXIT_CODE = 6
"""Exit code of a crawl while another crawl uses the same database."""

COUNTERS = ("crawls", "updates", "starts", "kills", "damages", "changes", "requests", "rivals")


@dataclass
class Plan:
    """The options, faults and changes of a run, drawn from its seed."""

    seed: int

    def __post_init__(self) -> None:
        rng = self.rng = random.Random(self.seed)
        self.models = rng.randrange(100, 500)
        self.page_size = rng.choice((5, 10, 20, 50))
        self.workers = [rng.choice((None, 1, 2, 4, 8)) for _ in range(2)]
        self.updates = rng.randrange(3)
        self.kills = rng.randrange(4)
        self.update_kills = rng.randrange(3)
        self.damage = rng.random() < 0.5
        self.changes = rng.random() < 0.5
        self.latency = rng.choice((0.0, 0.0, 0.002))
        kinds = rng.sample(KINDS, rng.randrange(0, 8))
        self.faults = {
            kind: 0.002 if kind in SLOW_FAULTS else rng.uniform(0.005, 0.05) for kind in kinds
        }
        self.rivals = rng.random() < 0.3  # a second process crawls into the same database


@dataclass
class Outcome:
    """Counts of what happened in a run, and its errors."""

    plan: Plan
    crawls: int = 0
    updates: int = 0
    starts: int = 0
    kills: int = 0
    damages: int = 0
    changes: int = 0
    requests: int = 0
    rivals: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)


def run(process: CrawlProcess, seed: int) -> Outcome:
    """Make the crawls and updates that the seed describes."""
    plan = Plan(seed)
    outcome, population = Outcome(plan), TrackedPopulation(plan.rng, plan.models, seed)
    faults = Faults(plan.faults, seed=seed, most=2, stall=0.8)
    with (
        tempfile.TemporaryDirectory() as folder,
        FakeHub(
            population.models,
            quota=None,
            page_size=plan.page_size,
            latency=plan.latency,
            faults=faults,
        ) as hub,
    ):
        _run_crawls(CrawlSequence(process, outcome, population, hub, Path(folder)))
        outcome.requests = len(hub.requests)
        outcome.faults.update(request.fault for request in hub.requests if request.fault)
    return outcome


def _run_crawls(sequence: "CrawlSequence") -> None:
    plan = sequence.plan
    for workers in plan.workers:
        if not sequence.has_rival_to_resume:  # else the crawl continues pages from before
            sequence.population.start_crawl()
        options = ("--workers", str(workers)) if workers else ()
        if not sequence.crawl(plan.kills, *options):
            return
        for _ in range(plan.changes * 5):
            sequence.population.change()
    for _ in range(plan.updates):
        if not sequence.crawl(plan.update_kills, "--incremental"):
            return
        for _ in range(plan.changes * 5):
            sequence.population.change()


@dataclass
class CrawlSequence:
    """The crawls of a run, one after the other; `newest` is the last snapshot."""

    process: CrawlProcess
    outcome: Outcome
    population: TrackedPopulation
    hub: FakeHub
    folder: Path
    newest: int = 0
    has_rival_to_resume: bool = False
    was_locked_out: bool = False

    @property
    def plan(self) -> Plan:
        return self.outcome.plan

    def crawl(self, kills: int, *arguments: str) -> bool:
        """Crawl until it succeeds, and check the snapshots; return False on an unexpected error.

        After a kill or a failure, a full crawl continues and an update starts over.
        """
        update, initial_snapshot, stderr = "--incremental" in arguments, self.newest, ""
        for _ in range(100):
            if update:
                self.population.start_crawl(update=True)
            code, stderr = self._start(kills > 0, *arguments)
            kills -= code == -signal.SIGKILL
            if code == 0 or update:  # a kill after the ingest leaves a snapshot
                self._check_snapshots()
            if code == 0:
                self.outcome.crawls += 1
                self.outcome.updates += update
                break
            if not self._is_expected(code, stderr):
                self.outcome.errors.append(f"exit code {code}: {stderr[-2_000:]}")
                return False
            if self.plan.damage:
                self.outcome.damages += _damage_files(self.plan.rng, self.folder)
        else:
            self.outcome.errors.append(
                f"not done after {self.outcome.starts} starts: {stderr[-500:]}"
            )
            return False
        if self.newest == initial_snapshot:
            self.outcome.errors.append(f"no new snapshot after {initial_snapshot}")
        remaining_files = list(self.folder.glob("hfscan.duckdb.journal*"))
        if remaining_files and not self.has_rival_to_resume:  # it keeps its pages
            self.outcome.errors.append(f"left behind {remaining_files}")
        return True

    def _is_expected(self, code: int, stderr: str) -> bool:
        """Return whether a crawl ended by a kill, or with a transient error."""
        error = next((line for line in stderr.splitlines() if line.startswith("Error: ")), None)
        is_transient = code in TRANSIENT_EXIT_CODES or (
            code == LOCKED_EXIT_CODE and self.plan.rivals
        )
        return code == -signal.SIGKILL or (is_transient and error is not None)

    def _start(self, kill: bool, *arguments: str) -> tuple[int, str]:
        """Start the command, and wait for its end or kill it; return exit code and stderr.

        A rival, if there is one, ends by itself. A start that a rival kept out is repeated without
        one, as on a busy machine the same process may win every time.
        """
        plan, outcome = self.plan, self.outcome
        has_rival = plan.rivals and not self.was_locked_out and "--incremental" not in arguments
        rival = self.process.rival if has_rival else None
        processes = [self.process, rival] if rival else [self.process]
        plan.rng.shuffle(processes)  # the first usually gets the lock
        for process in processes:
            process.start(self.folder, "--endpoint", self.hub.url, *arguments)
        outcome.starts += 1
        outcome.rivals += rival is not None
        try:
            code, stderr = self._wait_or_kill(kill)
            self.was_locked_out = code == LOCKED_EXIT_CODE
            return code, stderr
        finally:
            if rival:
                rival_code, rival_stderr = rival.wait()
                self.has_rival_to_resume = rival_code in TRANSIENT_EXIT_CODES
                if rival_code and not self._is_expected(rival_code, rival_stderr):
                    outcome.errors.append(
                        f"rival's exit code {rival_code}: {rival_stderr[-2_000:]}"
                    )

    def _wait_or_kill(self, kill: bool) -> tuple[int, str]:
        plan, outcome = self.plan, self.outcome
        ticks = _wait_for_kill(plan, self.hub) if kill else itertools.repeat(None)
        try:
            for _ in ticks:
                if not self.process.is_running(0.003):
                    break
                if plan.changes and plan.rng.random() < 0.2:
                    self.population.change()
                    outcome.changes += 1
            else:
                self.process.kill()
        finally:
            code, stderr = self.process.wait()
        outcome.codes[code] += 1
        outcome.kills += code == -signal.SIGKILL
        return code, stderr

    def _check_snapshots(self) -> None:
        """Compare the new snapshots with the population."""
        with Store.open(self.folder / "hfscan.duckdb") as store:  # as a user reads after a kill
            snapshots = store.execute(
                "SELECT id, models, base, complete FROM snapshots WHERE id > ? ORDER BY id",
                [self.newest],
            ).fetchall()
            if len(snapshots) > 1 and not (self.plan.kills or self.plan.rivals):
                self.outcome.errors.append(f"{len(snapshots)} new snapshots after {self.newest}")
            for self.newest, models, base, complete in snapshots:
                if complete is not (base is None):
                    self.outcome.errors.append(f"snapshot {self.newest}: complete is {complete}")
                rows, base_rows = (
                    store.execute(f"SELECT {COLUMNS} FROM models_in(?)", [snapshot]).fetchall()
                    if snapshot
                    else []
                    for snapshot in (self.newest, base)
                )
                if models != len(rows):
                    self.outcome.errors.append(f"says {models} and holds {len(rows)}")
                carried_keys = None if base is None else {row[0] for row in base_rows}
                self.outcome.errors += [
                    f"snapshot {self.newest}: {difference}"
                    for difference in _find_errors(rows, carried_keys, self.population, self.plan)
                ]


def _wait_for_kill(plan: Plan, hub: FakeHub) -> Iterator[None]:
    """Yield until the moment of a kill: by time, by requests, or after the last request."""
    rng, start_time, request_count = plan.rng, time.monotonic(), len(hub.requests)
    kind = rng.choice(("clock", "requests", "requests", "afterwards"))
    pages = rng.randrange(1, 1 + plan.models // plan.page_size)
    delay = rng.uniform(0, {"clock": 0.5, "requests": 0.01, "afterwards": 0.25}[kind])
    if kind == "requests":
        while len(hub.requests) < request_count + pages:
            yield
    if kind == "afterwards":
        while len(hub.requests) == request_count or time.monotonic() - hub.requests[-1].at < 0.03:
            yield
    end_time = (start_time if kind == "clock" else time.monotonic()) + delay
    while time.monotonic() < end_time:
        yield


def _damage_files(rng: random.Random, folder: Path) -> int:
    """Damage some files of an unfinished crawl; return how many."""
    files = sorted(file for file in folder.glob("hfscan.duckdb.journal/*/*") if file.is_file())
    files += folder.glob("hfscan.duckdb.cursors")
    damaged_files = rng.sample(files, min(len(files), rng.randrange(0, 4)))
    for file in damaged_files:
        data = bytearray(file.read_bytes())
        kind = rng.choice(("truncated", "flipped", "empty", "gone"))
        if kind == "gone":
            file.unlink()
            continue
        if kind == "flipped" and data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        file.write_bytes(
            b"" if kind == "empty"
            else data[: rng.randrange(len(data) + 1)] if kind == "truncated"
            else data
        )  # fmt: skip
    return len(damaged_files)


def _find_errors(
    rows: list[State], base: set[str] | None, population: TrackedPopulation, plan: Plan
) -> Iterator[str]:
    """Yield errors of a snapshot; `base`: the keys that an update takes over from its base."""
    counts = Counter(row[0] for row in rows)
    if duplicates := [key for key, n in counts.items() if n > 1]:
        yield f"doubled {duplicates[:5]} and more: {len(duplicates)}"
    expected = population.list_required(base)
    if "skipped-row" in plan.faults:  # at the end of a list it cannot be detected
        expected -= _first_and_last(expected)
    if missing := expected - counts.keys():
        yield f"lost {sorted(missing)[:5]} and more: {len(missing)}"
    for row in rows:
        states = population.list_allowed_states(row[0], update=base is not None)
        has_odd_types = "odd-types" in plan.faults and row[2] is row[3] is row[6] is None
        if row not in states and not (has_odd_types and row[1] in {state[1] for state in states}):
            yield f"{row} was never one of {states}"
            break


def _first_and_last(keys: set[str]) -> set[str]:
    return {min(keys), max(keys)} if keys else set()


_process: CrawlProcess | None = None  # of this worker process


def _init_worker() -> None:
    global _process  # noqa: PLW0603 - initialized once per worker process
    _process = CrawlProcess()


def _run_seed(seed: int) -> Outcome:
    assert _process is not None
    return run(_process, seed)


def main() -> None:
    """Run, print the counts, and exit with 1 if there was any error."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument(
        "--seed", type=int, default=1, help="of the first run; each further run adds 1"
    )
    parser.add_argument("--jobs", type=int, default=2, help="runs at once")
    arguments = parser.parse_args()
    start_time, total = time.monotonic(), Counter[str]()
    faults, codes, failed_seeds = Counter[str](), Counter[int](), list[int]()
    seeds = range(arguments.seed, arguments.seed + arguments.runs)
    with multiprocessing.Pool(arguments.jobs, _init_worker) as pool:
        for number, outcome in enumerate(pool.imap(_run_seed, seeds), 1):
            total.update({name: getattr(outcome, name) for name in COUNTERS})
            faults.update(outcome.faults)
            codes.update(outcome.codes)
            if outcome.errors:
                plan = outcome.plan
                failed_seeds.append(plan.seed)
                print(f"seed {plan.seed} failed, plan {vars(plan)}", *outcome.errors, sep="\n  ")
            if number % 25 == 0 or number == arguments.runs or outcome.errors:
                counts = ", ".join(f"{total[name]:,} {name}" for name in COUNTERS)
                print(
                    f"{number:,} runs, {counts}, {faults.total():,} faults, "
                    f"{len(failed_seeds)} failures, {time.monotonic() - start_time:,.0f} s",
                    flush=True,
                )
    print("Faults:", ", ".join(f"{kind} {n:,}" for kind, n in sorted(faults.items())))
    print("Exit codes:", ", ".join(f"{code}: {n:,}" for code, n in sorted(codes.items())))
    print("Failed seeds:", ", ".join(map(str, failed_seeds)) or "none")
    sys.exit(bool(failed_seeds))


if __name__ == "__main__":
    main()
