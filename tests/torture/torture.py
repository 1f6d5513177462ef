"""The real `hfscan crawl` against a Hub where everything goes wrong, until the database is right.

    python tests/torture/torture.py --runs 1000 --seed 1

A run takes two censuses of a small fake Hub into one database, and carries the last on with up
to two updates, at random: any fault of the Hub, kill -9 at any moment, damaged journals between
starts, one walker or many, a second process that crawls into the same database, models that are
created, edited, renamed, hidden and deleted meanwhile. Each census must then be complete and hold
each model that was there all along, once, in a state that it had, and nothing that was not there.
An update must hold what was created or committed to before it began as it was then or later, and
each other model as some census since the last full one saw it.

A seed repeats the run's plan; which moment a kill meets depends on the machine as well.
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

import duckdb

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from crawl_processes import Crawls
from testhub import KINDS, FakeHub, Faults
from world import COLUMNS, State, World

COSTLY = {"429-spent", "429-spent-retry-after", "429-retry-after", "stall", "stall-midway",
    "gzip-bomb"}  # fmt: skip
"""Faults that cost a run whole seconds, and so are rarer."""

TROUBLE = {3, 4, 5}
"""Exit codes of a Hub that keeps failing: the same command goes on later."""

BUSY = 6
"""Exit code of a crawl that meets another one at work on the same database."""

COUNTED = ("censuses", "updates", "starts", "kills", "damages", "changes", "requests", "rivals")


@dataclass
class Plan:
    """What a run will meet, drawn from its seed."""

    seed: int

    def __post_init__(self) -> None:
        draw = self.chance = random.Random(self.seed)
        self.models = draw.randrange(100, 500)
        self.page_size = draw.choice((5, 10, 20, 50))
        self.workers = [draw.choice((None, 1, 2, 4, 8)) for _ in range(2)]
        self.updates = draw.randrange(3)
        self.kills = draw.randrange(4)
        self.update_kills = draw.randrange(3)
        self.damage = draw.random() < 0.5
        self.changes = draw.random() < 0.5
        self.latency = draw.choice((0.0, 0.0, 0.002))
        kinds = draw.sample(KINDS, draw.randrange(0, 8))
        self.faults = {
            kind: 0.002 if kind in COSTLY else draw.uniform(0.005, 0.05) for kind in kinds
        }
        self.rivals = draw.random() < 0.3  # a second process crawls into the same database


@dataclass
class Outcome:
    """What a run met and what was wrong afterwards."""

    plan: Plan
    censuses: int = 0
    updates: int = 0
    starts: int = 0
    kills: int = 0
    damages: int = 0
    changes: int = 0
    requests: int = 0
    rivals: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def run(crawls: Crawls, seed: int) -> Outcome:
    """Take two censuses, and updates, under everything that the seed says."""
    plan = Plan(seed)
    outcome, world = Outcome(plan), World(plan.chance, plan.models, seed)
    faults = Faults(plan.faults, seed=seed, most=2, stall=0.8)
    with (
        tempfile.TemporaryDirectory() as folder,
        FakeHub(
            world.population,
            quota=None,
            page_size=plan.page_size,
            latency=plan.latency,
            faults=faults,
        ) as hub,
    ):
        _take(Taking(crawls, outcome, world, hub, Path(folder)))
        outcome.requests = len(hub.requests)
        outcome.faults.update(request.fault for request in hub.requests if request.fault)
    return outcome


def _take(taking: "Taking") -> None:
    plan = taking.plan
    for workers in plan.workers:
        taking.world.begin()
        options = ("--workers", str(workers)) if workers else ()
        if not taking.census(plan.kills, *options):
            return
        for _ in range(plan.changes * 5):
            taking.world.change()
    for _ in range(plan.updates):
        if not taking.census(plan.update_kills, "--incremental"):
            return
        for _ in range(plan.changes * 5):
            taking.world.change()


@dataclass
class Taking:
    """The censuses of a run, one after the other; `newest` is the last snapshot."""

    crawls: Crawls
    outcome: Outcome
    world: World
    hub: FakeHub
    folder: Path
    newest: int = 0

    @property
    def plan(self) -> Plan:
        return self.outcome.plan

    def census(self, kills: int, *arguments: str) -> bool:
        """Crawl until it is done and look; return False when it never is, or fails as it must not.

        Killed or failed, a full crawl goes on, and an update begins anew.
        """
        update, began, stderr = "--incremental" in arguments, self.newest, ""
        for _ in range(100):
            if update:
                self.world.begin(update=True)
            code, stderr = self._start(kills > 0, *arguments)
            kills -= code == -signal.SIGKILL
            if code == 0 or update:  # a kill right after one is written leaves a snapshot, too
                self._look()
            if code == 0:
                self.outcome.censuses += 1
                self.outcome.updates += update
                break
            if not self._is_expected(code, stderr):
                self.outcome.wrong.append(f"exit code {code}: {stderr[-2_000:]}")
                return False
            if self.plan.damage:
                self.outcome.damages += _damage(self.plan.chance, self.folder)
        else:
            self.outcome.wrong.append(
                f"not done after {self.outcome.starts} starts: {stderr[-500:]}"
            )
            return False
        if self.newest == began:
            self.outcome.wrong.append(f"no new snapshot after {began}")
        if left := list(self.folder.glob("hfscan.duckdb.journal*")):
            self.outcome.wrong.append(f"left behind {left}")
        return True

    def _is_expected(self, code: int, stderr: str) -> bool:
        """Return whether a crawl ended by a kill, or with an error that passes."""
        error = next((line for line in stderr.splitlines() if line.startswith("Error: ")), None)
        passes = code in TROUBLE or (code == BUSY and self.plan.rivals)
        return code == -signal.SIGKILL or (passes and error is not None)

    def _start(self, kill: bool, *arguments: str) -> tuple[int, str]:
        """Start the command once, and let it end or kill it; return exit code and stderr.

        A rival, where there is one, ends by itself.
        """
        plan, outcome = self.plan, self.outcome
        rival = self.crawls.rival if plan.rivals and "--incremental" not in arguments else None
        if rival:
            rival.start(self.folder, "--endpoint", self.hub.url, *arguments)
            outcome.rivals += 1
        try:
            return self._start_crawl(kill, *arguments)
        finally:
            if rival:
                code, stderr = rival.ended()
                if code and not self._is_expected(code, stderr):
                    outcome.wrong.append(f"rival's exit code {code}: {stderr[-2_000:]}")

    def _start_crawl(self, kill: bool, *arguments: str) -> tuple[int, str]:
        plan, outcome = self.plan, self.outcome
        moment = _moment(plan, self.hub) if kill else itertools.repeat(None)
        self.crawls.start(self.folder, "--endpoint", self.hub.url, *arguments)
        outcome.starts += 1
        try:
            for _ in moment:
                if not self.crawls.running(0.003):
                    break
                if plan.changes and plan.chance.random() < 0.2:
                    self.world.change()
                    outcome.changes += 1
            else:
                self.crawls.kill()
        finally:
            code, stderr = self.crawls.ended()
        outcome.codes[code] += 1
        outcome.kills += code == -signal.SIGKILL
        return code, stderr

    def _look(self) -> None:
        """Hold the new snapshots against the truth."""
        with duckdb.connect(self.folder / "hfscan.duckdb", read_only=True) as connection:
            found = connection.execute(
                "SELECT id, models, base, complete FROM snapshots WHERE id > ? ORDER BY id",
                [self.newest],
            ).fetchall()
            if len(found) > 1 and not (self.plan.kills or self.plan.rivals):
                self.outcome.wrong.append(f"{len(found)} new snapshots after {self.newest}")
            for self.newest, models, base, complete in found:
                if complete is not (base is None):
                    self.outcome.wrong.append(f"snapshot {self.newest}: complete is {complete}")
                rows, old = (
                    connection.execute(f"SELECT {COLUMNS} FROM models_in(?)", [snapshot]).fetchall()
                    for snapshot in (self.newest, base)
                )
                if models != len(rows):
                    self.outcome.wrong.append(f"says {models} and holds {len(rows)}")
                carried = None if base is None else {row[0] for row in old}
                self.outcome.wrong += [
                    f"snapshot {self.newest}: {difference}"
                    for difference in _wrong(rows, carried, self.world, self.plan)
                ]


def _moment(plan: Plan, hub: FakeHub) -> Iterator[None]:
    """Go on until the moment of a kill: by the clock, by requests, or once the asking is over."""
    draw, began, before = plan.chance, time.monotonic(), len(hub.requests)
    kind = draw.choice(("clock", "requests", "requests", "afterwards"))
    pages = draw.randrange(1, 1 + plan.models // plan.page_size)
    later = draw.uniform(0, {"clock": 0.5, "requests": 0.01, "afterwards": 0.25}[kind])
    if kind == "requests":
        while len(hub.requests) < before + pages:
            yield
    if kind == "afterwards":
        while len(hub.requests) == before or time.monotonic() - hub.requests[-1].at < 0.03:
            yield
    until = (began if kind == "clock" else time.monotonic()) + later
    while time.monotonic() < until:
        yield


def _damage(chance: random.Random, folder: Path) -> int:
    """Spoil some files that a crawl left; return how many."""
    files = sorted(file for file in folder.glob("hfscan.duckdb.journal/*/*") if file.is_file())
    files += folder.glob("hfscan.duckdb.cursors")
    chosen = chance.sample(files, min(len(files), chance.randrange(0, 4)))
    for file in chosen:
        data = bytearray(file.read_bytes())
        kind = chance.choice(("truncated", "flipped", "empty", "gone"))
        if kind == "gone":
            file.unlink()
            continue
        if kind == "flipped" and data:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        file.write_bytes(
            b"" if kind == "empty"
            else data[: chance.randrange(len(data) + 1)] if kind == "truncated"
            else data
        )  # fmt: skip
    return len(chosen)


def _wrong(rows: list[State], base: set[str] | None, world: World, plan: Plan) -> Iterator[str]:
    """Yield how a snapshot differs from the truth; `base`: the models that an update carries."""
    counts = Counter(row[0] for row in rows)
    if doubled := [key for key, n in counts.items() if n > 1]:
        yield f"doubled {doubled[:5]} and more: {len(doubled)}"
    expected = world.expected(base)
    if "skipped-row" in plan.faults:  # at the very end of a list nothing tells of it
        expected -= _ends(expected)
    if lost := expected - counts.keys():
        yield f"lost {sorted(lost)[:5]} and more: {len(lost)}"
    for row in rows:
        states = world.allowed(row[0], update=base is not None)
        odd = "odd-types" in plan.faults and row[2] is row[3] is row[6] is None
        if row not in states and not (odd and row[1] in {state[1] for state in states}):
            yield f"{row} was never one of {states}"
            break


def _ends(keys: set[str]) -> set[str]:
    return {min(keys), max(keys)} if keys else set()


_crawls: Crawls | None = None  # of this process


def _begin() -> None:
    global _crawls  # noqa: PLW0603 - how a pool hands things to its workers
    _crawls = Crawls()


def _run(seed: int) -> Outcome:
    assert _crawls is not None
    return run(_crawls, seed)


def main() -> None:
    """Run, print what was met, and fail when anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1, help="of the first run; each next is one up")
    parser.add_argument("--jobs", type=int, default=2, help="runs at once")
    arguments = parser.parse_args()
    began, total = time.monotonic(), Counter[str]()
    faults, codes, failed = Counter[str](), Counter[int](), list[int]()
    seeds = range(arguments.seed, arguments.seed + arguments.runs)
    with multiprocessing.Pool(arguments.jobs, _begin) as pool:
        for number, outcome in enumerate(pool.imap(_run, seeds), 1):
            total.update({name: getattr(outcome, name) for name in COUNTED})
            faults.update(outcome.faults)
            codes.update(outcome.codes)
            if outcome.wrong:
                plan = outcome.plan
                failed.append(plan.seed)
                print(f"seed {plan.seed} failed, plan {vars(plan)}", *outcome.wrong, sep="\n  ")
            if number % 25 == 0 or number == arguments.runs or outcome.wrong:
                met = ", ".join(f"{total[name]:,} {name}" for name in COUNTED)
                print(
                    f"{number:,} runs, {met}, {faults.total():,} faults, {len(failed)} failures, "
                    f"{time.monotonic() - began:,.0f} s",
                    flush=True,
                )
    print("Faults:", ", ".join(f"{kind} {n:,}" for kind, n in sorted(faults.items())))
    print("Exit codes:", ", ".join(f"{code}: {n:,}" for code, n in sorted(codes.items())))
    print("Failed seeds:", ", ".join(map(str, failed)) or "none")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
