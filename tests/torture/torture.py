"""The real `hfscan crawl` against a Hub where everything goes wrong, until the truth is told.

    python tests/torture/torture.py --runs 1000 --seed 1

A run takes two censuses of a small stand-in Hub into one database, at random: any fault of the
Hub, kill -9 at any moment, damaged journals between starts, one walker or many, models that are
created, edited, renamed, hidden and deleted meanwhile. Each census must then hold each model that
was there all along, once, in a state that it had, and nothing that was not there.

A seed repeats the run's plan; which moment a kill meets depends on the machine as well.
"""

import argparse
import itertools
import json
import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from hfscan.minihub import KINDS, Faults, MiniHub, Population

ROOT = Path(__file__).parents[2]

# the real command; only its waits are shorter, and each process is forked from one that has the
# imports behind it, which would take longer than the crawl
CRAWLS = """
import functools, json, os, sys
import hfscan.hub.client as client
client.Patience = functools.partial(
    client.Patience, first_wait=0.01, longest_wait=0.05, timeout=0.5
)
import hfscan.cli.crawl
from hfscan.cli import main
for line in sys.stdin:
    folder, arguments = json.loads(line)
    pid = os.fork()
    if pid == 0:
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open("told", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        sys.argv = ["hfscan", "crawl", *arguments]
        main()
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""

COSTLY = {"429-spent", "429-spent-retry-after", "429-retry-after", "stall", "stall-midway",
    "gzip-bomb"}  # fmt: skip
"""Faults that cost a run whole seconds, and so are rarer."""

TROUBLE = {3, 4, 5}
"""Exit codes of a Hub that keeps failing: the same command goes on later."""

COUNTED = ("starts", "kills", "damages", "changes", "requests")

COLUMNS = "_id, id, downloads, likes, tags, files, strftime(last_modified, '%Y-%m-%dT%H:%M:%S')"
State = tuple[Any, ...]


@dataclass
class Plan:
    """What a run will meet, drawn from its seed."""

    seed: int

    def __post_init__(self) -> None:
        draw = self.chance = random.Random(self.seed)
        self.models = draw.randrange(100, 500)
        self.page_size = draw.choice((5, 10, 20, 50))
        self.streams = [draw.choice((None, 1, 2, 4, 8)) for _ in range(2)]
        self.kills = draw.randrange(0, 4)
        self.damage = draw.random() < 0.5
        self.changes = draw.random() < 0.5
        self.latency = draw.choice((0.0, 0.0, 0.002))
        kinds = draw.sample(KINDS, draw.randrange(0, 8))
        self.faults = {
            kind: 0.002 if kind in COSTLY else draw.uniform(0.005, 0.05) for kind in kinds
        }


@dataclass
class Outcome:
    """What a run met and what was wrong afterwards."""

    plan: Plan
    starts: int = 0
    kills: int = 0
    damages: int = 0
    changes: int = 0
    requests: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    codes: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class Crawls:
    """Starts crawls, one at a time. Use as a context manager."""

    def __init__(self) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HFSCAN_"))}
        self._server = subprocess.Popen(
            [sys.executable, "-c", CRAWLS],
            env=kept | {"HF_HOME": str(ROOT / "none"), "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._asked, self._said = self._server.stdin, self._server.stdout

    def start(self, folder: Path, *arguments: str) -> None:
        """Run `hfscan crawl` in a folder, in a process of its own."""
        self._folder = folder
        print(json.dumps([str(folder), arguments]), file=self._asked)
        self._pid = int(self._said.readline())

    def running(self, seconds: float) -> bool:
        """Wait so long; return False as soon as the crawl has ended."""
        return not select.select([self._said], [], [], seconds)[0]

    def kill(self) -> None:
        """kill -9; it is not waited for before `ended`, so that the process id stays its own."""
        os.kill(self._pid, signal.SIGKILL)

    def ended(self) -> tuple[int, str]:
        """Return exit code and stderr."""
        return int(self._said.readline()), (self._folder / "told").read_text()

    def __enter__(self) -> "Crawls":
        return self

    def __exit__(self, *_: object) -> None:
        self._asked.close()
        self._said.close()
        self._server.wait()


class World:
    """A population that remembers every state of every model; None: not to be seen."""

    def __init__(self, plan: Plan) -> None:
        self._chance = plan.chance
        self.population = Population.synthetic(plan.models, seed=plan.seed)
        self.states: dict[str, list[State | None]] = {}
        self._created = 0
        self.begin()

    def begin(self) -> None:
        """Forget what was before now."""
        self.states = {model["_id"]: [as_seen(model)] for model in self.population}

    def change(self) -> None:
        """Let something happen to a model."""
        draw, kind = self._chance, self._chance.randrange(6)
        one = draw.choice(self.population.ids)
        if kind == 0:
            self._created += 1
            place = draw.choice(("7", one[:8] if draw.random() < 0.5 else "63"))
            one = (place + f"{self._created:x}".rjust(24 - len(place), "0"))[:24]
            self.population.put(
                {"_id": one, "id": f"new/{one}", "tags": ["pytorch"], "likes": self._created}
            )
        elif kind == 1:
            self.population.delete(one)
        elif kind == 2:
            hidden = bool((self.population.get(one) or {}).get("private"))
            self.population.edit(one, private=not hidden)
        elif kind == 3:
            self.population.edit(one, id=f"moved/{one}-{draw.randrange(1_000)}")
        else:
            tags = draw.sample(("pytorch", "tf", "jax", "onnx", "gguf"), 2)
            self.population.edit(one, likes=draw.randrange(10**6), tags=tags)
        self.states.setdefault(one, [None]).append(as_seen(self.population.get(one)))


def as_seen(model: dict[str, Any] | None) -> State | None:
    """Return a model as a census should hold it, None where it should not."""
    if model is None or model.get("private"):
        return None
    modified = model.get("lastModified")
    return (
        model["_id"],
        model["id"],
        model.get("downloads"),
        model.get("likes"),
        model.get("tags"),
        [one["rfilename"] for one in model["siblings"]] if "siblings" in model else None,
        modified and modified[:19],
    )


def run(crawls: Crawls, seed: int) -> Outcome:
    """Take two censuses under everything that the seed says."""
    plan = Plan(seed)
    outcome, world = Outcome(plan), World(plan)
    faults = Faults(plan.faults, seed=seed, most=2, stall=0.8)
    with (
        tempfile.TemporaryDirectory() as folder,
        MiniHub(
            world.population,
            quota=None,
            page_size=plan.page_size,
            latency=plan.latency,
            faults=faults,
        ) as hub,
    ):
        newest = 0
        for streams in plan.streams:
            world.begin()
            if not _taken(crawls, outcome, world, hub, Path(folder), streams):
                break
            sources = _sources(Path(folder), newest)
            if not sources or (len(sources) > 1 and not plan.kills):
                outcome.wrong.append(f"{len(sources)} new sources after {newest}")
            for newest in sources:
                outcome.wrong += _wrong(Path(folder), newest, world, plan)
            for _ in range(plan.changes * 5):
                world.change()
        outcome.requests = len(hub.requests)
        outcome.faults.update(one.fault for one in hub.requests if one.fault)
    return outcome


def _taken(
    crawls: Crawls, outcome: Outcome, world: World, hub: MiniHub, folder: Path, streams: int | None
) -> bool:
    """Crawl until it is done; return False when it never is, or fails as it must not."""
    plan = outcome.plan
    kills = plan.kills
    for _ in range(100):
        some = ("--streams", str(streams)) if streams else ()
        moment = _moment(plan, hub) if kills else itertools.repeat(None)
        crawls.start(folder, "--endpoint", hub.url, *some)
        outcome.starts += 1
        for _ in moment:
            if not crawls.running(0.003):
                break
            if plan.changes and plan.chance.random() < 0.2:
                world.change()
                outcome.changes += 1
        else:
            crawls.kill()
            kills -= 1
        code, told = crawls.ended()
        outcome.codes[code] += 1
        outcome.kills += code == -signal.SIGKILL
        if code == 0:
            return True
        if code != -signal.SIGKILL and not (code in TROUBLE and told.startswith("Error: ")):
            outcome.wrong.append(f"exit code {code}: {told[-2_000:]}")
            return False
        if plan.damage:
            outcome.damages += _damage(plan.chance, folder)
    outcome.wrong.append(f"not done after {outcome.starts} starts: {told[-500:]}")
    return False


def _moment(plan: Plan, hub: MiniHub) -> Iterator[None]:
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
    files += folder.glob("hfscan.duckdb.waypoints")
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


def _sources(folder: Path, newest: int) -> list[int]:
    """Return the sources after `newest`; a kill right after one is written adds another."""
    with duckdb.connect(folder / "hfscan.duckdb", read_only=True) as connection:
        found = connection.execute("SELECT id FROM sources WHERE id > ? ORDER BY id", [newest])
        return [row[0] for row in found.fetchall()]


def _wrong(folder: Path, source: int, world: World, plan: Plan) -> Iterator[str]:
    """Yield what a source says against the truth."""
    with duckdb.connect(folder / "hfscan.duckdb", read_only=True) as connection:
        counted = connection.execute("SELECT models FROM sources WHERE id = ?", [source]).fetchall()
        rows: list[State] = connection.execute(
            f"SELECT {COLUMNS} FROM observed(?)", [source]
        ).fetchall()
    if counted != [(len(rows),)]:
        yield f"source {source}: says {counted} and holds {len(rows)}"
    seen = Counter(row[0] for row in rows)
    if doubled := [key for key, n in seen.items() if n > 1]:
        yield f"source {source}: doubled {doubled[:5]} and more: {len(doubled)}"
    expected = {key for key, states in world.states.items() if None not in states}
    if "skipped-row" in plan.faults:  # at the very end of a list nothing tells of it
        expected -= _ends(expected)
    if lost := expected - seen.keys():
        yield f"source {source}: lost {sorted(lost)[:5]} and more: {len(lost)}"
    for row in rows:
        states = [state for state in world.states.get(row[0], ()) if state]
        odd = "odd-types" in plan.faults and row[2] is row[3] is row[6] is None
        if row not in states and not (odd and row[1] in {state[1] for state in states}):
            yield f"source {source}: {row} was never one of {states}"
            break
    if left := list(folder.glob("hfscan.duckdb.journal*")):
        yield f"left behind {left}"


def _ends(keys: set[str]) -> set[str]:
    return {min(keys), max(keys)} if keys else set()


def main() -> None:
    """Run, print what was met, and fail when anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1, help="of the first run; each next is one up")
    arguments = parser.parse_args()
    began, total = time.monotonic(), Counter[str]()
    faults, codes, failed = Counter[str](), Counter[int](), list[int]()
    with Crawls() as crawls:
        for number, seed in enumerate(range(arguments.seed, arguments.seed + arguments.runs), 1):
            outcome = run(crawls, seed)
            total.update({name: getattr(outcome, name) for name in COUNTED})
            faults.update(outcome.faults)
            codes.update(outcome.codes)
            if outcome.wrong:
                failed.append(seed)
                print(f"seed {seed} failed, plan {vars(outcome.plan)}", *outcome.wrong, sep="\n  ")
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
