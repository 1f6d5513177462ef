"""Measure `hfscan import-history`: `python benchmarks/revisions.py [--models N] [--revisions N]`.

A fake Hub serves a dataset of daily dumps in the columns of the public ones. Between two days 0.7 %
of the models change tags or files, 0.3 % are new, as many are deleted and 30 % change their
downloads. Each dump is made when it is asked for. One process imports them all; its memory, CPU
time and disk are read after each. For comparison: the CPU time of bare DuckDB that reads the same
columns of the same files into a table, and the download of a file as a whole. Prints the results.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from history import simulate_days
from huggingface_hub import hf_hub_download

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from testhub import Dataset, FakeHub, Population

TARGETS = {"cpu": 3.0, "memory": 1.1}
REPO, FILE = "owner/stats", "models.parquet"
_START = datetime(2028, 6, 1, tzinfo=UTC)  # after the dates of the models
_COMPARED = 10  # every how many revisions bare DuckDB reads the file, too
_COLUMNS = """
    id, author, downloads, "downloadsAllTime", likes, tags, pipeline_tag, library_name,
    "createdAt", "lastModified", siblings, safetensors.total, config.model_type,
    config.architectures, "baseModels"
"""
_DUMP = """
    SELECT
        id, split_part(id, '/', 1) AS author,
        to_json({'license': 'mit', 'text': array_to_string(
            list_transform(range(8), lambda k: md5(n || 'c' || k)), ' ')})::VARCHAR AS "cardData",
        downloads, "downloadsAllTime", likes, 0.5::DOUBLE AS "trendingScore", tags, pipeline_tag,
        library_name, "createdAt",
        CASE WHEN n % 1000 = 0 THEN $newest ELSE "lastModified" END AS "lastModified",
        siblings, safetensors,
        {
            'model_type': config.model_type, 'architectures': config.architectures,
            'tokenizer_config': {'chat_template': CASE WHEN n % 5 = 0 THEN array_to_string(
                list_transform(range(20), lambda k: md5(n % 1000 || 't' || k)), ' ') END}
        } AS config,
        CASE WHEN hash(n) % 4 = 0 THEN {
            'relation': 'finetune',
            'models': [{'_id': md5(n || ''), 'id': 'google-bert/bert-base-uncased'}]
        } END AS "baseModels"
    FROM hub
"""
_BARE = """
import duckdb, resource, sys
connection = duckdb.connect(sys.argv[2], config={"threads": 2})
connection.execute("SET enable_progress_bar = false")
connection.execute(f"CREATE TABLE models AS SELECT {sys.argv[3]} FROM '{sys.argv[1]}'")
connection.execute("CHECKPOINT")
usage = resource.getrusage(resource.RUSAGE_SELF)
print(usage.ru_utime + usage.ru_stime)
"""


@dataclass
class Sample:
    """Of one revision: CPU and wall time (s), memory (bytes), size of the database (bytes)."""

    cpu: float
    wall: float
    memory: int
    database: int


class LazyDataset(Dataset):
    """A dataset whose commits are dumps of days, each made when it is first read, in order."""

    def __init__(self, folder: Path, models: int, revisions: int) -> None:
        super().__init__()
        self._folder, self._blobs = folder, {}
        self._days = simulate_days(folder, models, revisions - 1, _DUMP, _START, deleted=0.003)
        self.bare: list[float] = []
        for day in range(revisions):
            self.add_commit({}, f"Upload {FILE}", _START + timedelta(days=day, hours=1))
        self._order = [commit["id"] for commit in reversed(self.list_commits())]
        self._place, self._made, self._body = -1, 0, b""
        self._maker = ThreadPoolExecutor(1)  # makes each dump while the one before is imported
        self._next = self._maker.submit(self._make_dump)

    def find_revision(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        """Return a commit with its dump; the dumps before it are gone."""
        place = self._order.index(self.sha if revision == "main" else revision)
        while self._place < place:
            self._body, self._place = self._next.result(), self._place + 1
            self._blobs.clear()
            if self._place + 1 < len(self._order):
                self._next = self._maker.submit(self._make_dump)
        return self._order[place], {FILE: self._body}

    def _make_dump(self) -> bytes:
        dump = next(self._days)
        if self._made % _COMPARED == 1:
            self.bare.append(_measure_bare(dump, self._folder))
        self._made += 1
        return dump.read_bytes()

    def close(self) -> None:
        """Wait for the dump that is being made."""
        self._maker.shutdown()


def _measure_bare(dump: Path, folder: Path) -> float:
    """Return the CPU seconds in which bare DuckDB reads the stored columns into a table."""
    database = folder / "bare.duckdb"
    command = [sys.executable, "-c", _BARE, str(dump), str(database), _COLUMNS]
    seconds = float(subprocess.check_output(command))  # noqa: S603 - our own command
    database.unlink()
    return seconds


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=1_000_000)
    parser.add_argument("--revisions", type=int, default=100)
    parser.add_argument("--seconds", type=float, help="Stop after the revision at this time.")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        dataset = LazyDataset(folder, args.models, args.revisions)
        with FakeHub(Population.synthetic(5, seed=1), quota=None) as hub:
            hub.datasets[REPO] = dataset
            dataset._blobs = hub._routes.datasets._blobs
            whole = _measure_download(hub, dataset, folder)
            before = len(hub.requests)
            samples, output = _run_import(hub, folder, args.seconds)
            requests = len(hub.requests) - before
            dataset.close()
    _print_results(samples, dataset.bare, output, whole, requests)


def _measure_download(hub: FakeHub, dataset: LazyDataset, folder: Path) -> tuple[int, float]:
    """Return the bytes of the first dump, and the seconds in which it is downloaded."""
    start = time.monotonic()
    file = hf_hub_download(
        REPO, FILE, repo_type="dataset", revision=dataset._order[0], endpoint=hub.url,
        cache_dir=folder / "cache", token=False,
    )  # fmt: skip
    return Path(file).stat().st_size, time.monotonic() - start


def _run_import(
    hub: FakeHub, folder: Path, seconds: float | None
) -> tuple[list[Sample], list[str]]:
    """Return a sample after each revision, and the output of the command."""
    db = folder / "h.duckdb"
    command = [sys.executable, "-u", "-m", "hfscan", "import-history", f"hf://datasets/{REPO}"]
    process = subprocess.Popen(  # noqa: S603 - our own command
        [*command, "--endpoint", hub.url, "--db", str(db)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"HF_HOME": str(folder / "hf"), "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    started, samples, output = time.monotonic(), [], []
    cpu = wall = 0.0
    for line in process.stdout:
        output.append(line.rstrip())
        print(output[-1], file=sys.stderr, flush=True)
        if ": snapshot " not in line:
            continue
        now, used = time.monotonic() - started, _read_cpu_seconds(process.pid)
        samples.append(
            Sample(used - cpu, now - wall, _read_peak_memory(process.pid), db.stat().st_size)
        )
        cpu, wall = used, now
        if seconds is not None and now > seconds:
            process.terminate()
    process.wait()
    return samples, output


def _read_cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _read_peak_memory(pid: int) -> int:
    """Return the peak memory (bytes) of a process since the last call."""
    status = Path(f"/proc/{pid}/status").read_text()
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def _print_results(
    samples: list[Sample], bare: list[float], output: list[str], whole: tuple[int, float],
    requests: int,
) -> None:  # fmt: skip
    later = samples[1:]
    cpu, plain = statistics.mean(sample.cpu for sample in later), statistics.mean(bare)
    tenth = max(1, len(later) // 10)
    first, last = (
        statistics.mean(sample.memory for sample in part)
        for part in (later[:tenth], later[-tenth:])
    )
    fetched = [float(line.split(" MB")[0].split()[-1]) for line in output if ": snapshot " in line]
    print(f"{len(samples)} revisions; the first took {samples[0].cpu:.1f} CPU-s")
    _print_result(
        "CPU of a later one", f"{cpu:.1f} s, bare DuckDB {plain:.1f} s", cpu / plain, "cpu"
    )
    for part, plain, name in (
        (later[:tenth], bare[0], "first"),
        (later[-tenth:], bare[-1], "last"),
    ):
        cpu = statistics.mean(sample.cpu for sample in part)
        print(f"  of the {name} {tenth}: {cpu:.1f} CPU-s, ratio {cpu / plain:.2f}")
    print(f"wall time of a later one: {statistics.median(sample.wall for sample in later):.1f} s")
    _print_result(
        "peak memory of the last, relative to the first",
        f"{last / 1e6:.0f} MB, {first / 1e6:.0f} MB", last / first, "memory",
    )  # fmt: skip
    print(
        f"fetched of the last {tenth}, relative to the first: "
        f"{statistics.mean(fetched[-tenth:]) / statistics.mean(fetched[1 : 1 + tenth]):.2f}"
    )
    growth = (samples[-1].database - samples[0].database) / len(later)
    print(f"database: {samples[0].database / 1e6:.1f} MB, and {growth / 1e6:.2f} MB a revision")
    print(
        f"fetched: {statistics.mean(fetched):.1f} MB of {whole[0] / 1e6:.1f} MB a revision, in "
        f"{requests / len(samples):.1f} requests with redirects; the file as a whole: "
        f"{whole[1]:.1f} s from this machine"
    )


def _print_result(label: str, values: str, ratio: float, target: str) -> None:
    verdict = "met" if ratio <= TARGETS[target] else "MISSED"
    print(f"{label}: {values}, ratio {ratio:.2f} (target {TARGETS[target]:g}: {verdict})")


if __name__ == "__main__":
    main()
