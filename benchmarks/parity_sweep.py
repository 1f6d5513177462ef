"""Try a parity sweep that is killed three times, beside one that is not.

Tiny random models of 20 architectures are served by the fake Hub. `hfscan parity --sample` checks
all of them undisturbed; then again with little disk space, killed with SIGKILL at a tenth, at 40 %
and at three quarters. The verdicts must be the same, none lost, none stored twice. With --actors
the second run uses Ray, and one of its actors is killed instead.

Run `python benchmarks/parity_sweep.py [--models N] [--actors N] [--folder DIR]` with the `parity`
extra installed, and `ray` for --actors. The models in DIR are used again.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tools" / "architecture_survey"))
from model_maker import ModelMaker
from processes import find_descendants
from testhub import FakeHub, Population

ARCHITECTURES = """AlbertForMaskedLM BartForConditionalGeneration BertForMaskedLM CTRLLMHeadModel
    CamembertForMaskedLM ConvBertForMaskedLM DistilBertForMaskedLM ElectraForMaskedLM
    FunnelForMaskedLM GPT2LMHeadModel LayoutLMForMaskedLM MPNetForMaskedLM MobileBertForMaskedLM
    OPTForCausalLM OpenAIGPTLMHeadModel RemBertForMaskedLM RoFormerForMaskedLM
    RobertaForCausalLM T5ForConditionalGeneration XLNetLMHeadModel""".split()
SHA = "1" * 40
BUDGET = "5MB"
KILLED_AT = (0.1, 0.4, 0.75)


def make_models(folder: Path, count: int) -> dict[str, Path]:
    """Return repo id -> folder of tiny models, architecture by architecture."""
    folders = {}
    with ModelMaker() as maker:
        for number in range(count):
            architecture = ARCHITECTURES[number % len(ARCHITECTURES)]
            into = folder / f"{architecture}-{number // len(ARCHITECTURES)}"
            if not (into / "model.safetensors").exists():
                changes = {"vocab_size": 96 + number // len(ARCHITECTURES)}
                maker.call(
                    "make", architecture=architecture, into=str(into), changes=changes, twin=False
                )
            folders[f"tiny/{into.name}"] = into
    return folders


def make_row(number: int, name: str, folder: Path) -> dict[str, Any]:
    """Return the metadata of a model, as the Hub has it."""
    config = json.loads((folder / "config.json").read_text())
    return {
        "_id": f"6220f808000000000000{number:04x}", "id": name, "author": "tiny", "sha": SHA,
        "createdAt": "2023-01-01T00:00:00.000Z", "lastModified": "2023-01-01T00:00:00.000Z",
        "tags": ["transformers", "pytorch", "tf", config["model_type"]], "downloads": number,
        "likes": 0, "private": False,
    }  # fmt: skip


class Sweep:
    """A sweep in a folder of its own, with a database, results and a cache."""

    def __init__(self, home: Path, hub: FakeHub, dump: Path, count: int, options: Sequence[str]):
        self.home, self.results, self.db = home, home / "results.jsonl", home / "h.duckdb"
        home.mkdir()
        self._environment = os.environ | {
            "HF_HOME": str(home / "hf"), "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1",
            "PYTHONPATH": str(Path(__file__).parents[1]),
        }  # fmt: skip
        command = ["import", str(dump), "--observed-at", "2024-05-01", "--db", str(self.db)]
        subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "hfscan", *command],
            env=self._environment, check=True, capture_output=True,
        )  # fmt: skip
        self._command = [
            sys.executable, "-m", "hfscan", "parity", "--sample", str(count), "--db", str(self.db),
            "--results", str(self.results), "--no-measure", "--format", "json", *options,
        ]  # fmt: skip

    def count_lines(self) -> int:
        """Return how many checkpoints the file of results has."""
        return self.results.read_bytes().count(b"\n") if self.results.exists() else 0

    @contextmanager
    def start(self) -> Iterator["subprocess.Popen[bytes]"]:
        """Start it in a process group of its own."""
        with (
            (self.home / "report.json").open("wb") as out,
            (self.home / "log.txt").open("ab") as log,
            subprocess.Popen(  # noqa: S603 - our own command
                self._command,
                env=self._environment, stdout=out, stderr=log, start_new_session=True,
            ) as process,
        ):  # fmt: skip
            yield process

    def wait_for(self, lines: int, process: "subprocess.Popen[bytes]") -> None:
        """Wait until the file of results has this many lines."""
        while self.count_lines() < lines:
            if process.poll() is not None:
                raise SystemExit((self.home / "log.txt").read_text())
            time.sleep(0.02)

    def read_cases(self) -> dict[tuple[str, ...], tuple[Any, ...]]:
        """Return the verdict, its reason and the errors of each case of the report."""
        cases = json.loads((self.home / "report.json").read_bytes())["cases"]
        found: dict[tuple[str, ...], tuple[Any, ...]] = {
            (case["checkpoint"], case["weights"]["file"], case["backend"], case["load_method"]): (
                case["verdict"],
                case["reason"],
                [output["rel_l2"] for output in case["outputs"]],
            )
            for case in cases
        }
        assert len(found) == len(cases)
        return found

    def count_stored(self) -> tuple[int, int, int]:
        """Return the finished runs, and the checkpoints and cases in the database."""
        with duckdb.connect(self.db, read_only=True) as connection:
            row = connection.execute(
                "SELECT (SELECT count(*) FROM parity_runs WHERE finished_at IS NOT NULL), "
                "count(DISTINCT checkpoint), count(*) FROM parity_cases"
            ).fetchone()
        assert row is not None
        return row

    @contextmanager
    def watch_disk(self, sizes: list[int]) -> Iterator[None]:
        """Append the bytes of the sweep's own downloads to `sizes`, again and again."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(0.05):
                size = 0
                for path in (self.home / "hf" / "hfscan-sweep").rglob("*"):
                    with suppress(OSError):  # deleted meanwhile
                        size += 0 if path.is_dir() else path.lstat().st_size
                sizes.append(size)

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def run_killed(sweep: Sweep, count: int) -> list[int]:
    """Kill a sweep three times; return how many checkpoints each continuation found."""
    found = []
    for share in KILLED_AT:
        with sweep.start() as process:
            sweep.wait_for(int(share * count), process)
            os.killpg(process.pid, signal.SIGKILL)
        found.append(sweep.count_lines())
    with sweep.start() as process:
        process.wait()
    return found


def run_on_ray(sweep: Sweep, count: int) -> list[int]:
    """Kill an actor of a sweep; return its process id."""
    with sweep.start() as process:
        sweep.wait_for(max(1, count // 10), process)
        actor, *_ = find_descendants(process.pid, "ray::Worker")
        os.kill(actor, signal.SIGKILL)
        process.wait()
    return [actor]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--actors", type=int)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--backends", default="pytorch,tensorflow")
    arguments = parser.parse_args()
    count, options = arguments.models, ["--backends", arguments.backends]
    ray = ["--engine", "ray", "--actors", str(arguments.actors)] if arguments.actors else []
    with tempfile.TemporaryDirectory(prefix="hfscan-sweep-") as folder:
        home = Path(folder)
        models = make_models(arguments.folder or home / "models", count)
        rows = [make_row(number, *item) for number, item in enumerate(models.items())]
        dump = home / "dump.json"
        dump.write_text(json.dumps(rows))
        with FakeHub(Population.from_rows(rows, folders=models), quota=None) as hub:
            plain = Sweep(home / "plain", hub, dump, count, options)
            other = Sweep(
                home / "other", hub, dump, count, [*options, "--disk-budget", BUDGET, *ray]
            )
            started = time.monotonic()
            with plain.start() as process:
                process.wait()
            plain_seconds = time.monotonic() - started
            hub.requests.clear()
            sizes: list[int] = [0]
            started = time.monotonic()
            with other.watch_disk(sizes):
                killed = (run_on_ray if ray else run_killed)(other, count)
            seconds = time.monotonic() - started
            downloads = [
                r for r in hub.requests if "resolve-cache" in r.target and r.method == "GET"
            ]
        expected, cases = plain.read_cases(), other.read_cases()
        print(json.dumps({
            "models": count,
            "architectures": len({name.rpartition("-")[0] for name in models}),
            "cases": len(cases),
            "same_verdicts": {key: v[:2] for key, v in cases.items()}
            == {key: v[:2] for key, v in expected.items()},
            "same_errors": cases == expected,
            "verdicts": Counter(verdict for verdict, *_ in cases.values()),
            "lines": other.count_lines(),
            "runs_checkpoints_cases_stored": other.count_stored(),
            "seconds": [round(plain_seconds), round(seconds)],
            "killed": killed,
            "bytes_on_hub": sum(
                path.stat().st_size for model in models.values() for path in model.iterdir()
            ),
            "files_downloaded": len(downloads),
            "peak_bytes": max(sizes),
        }, indent=1))  # fmt: skip


if __name__ == "__main__":
    main()
