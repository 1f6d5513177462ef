"""Measure fetching and storing a crawl, compared with the official client and with lower bounds.

Run `python benchmarks/fetch.py [--models N] [--pages N] [--large N] [--rounds N] [--from FILE]`
with pyarrow installed. All clients fetch from one fake Hub with prerendered pages. Each client is a
process; they take turns, so that other load on the machine affects all of them. Ratios are medians
of rounds. `--from` serves a recorded dump instead of synthetic models.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hfscan.hub.plan import list_url
from hfscan.scope import Scope

# each client prints JSON: models, and seconds of `cpu` and `wall` without the imports
FETCH = """
from hfscan import hub
from hfscan.scope import Scope
from pathlib import Path
begin()
with hub.fetch(Scope(), endpoint=url, token=None, journal=Path(folder) / "j", resume=False,
        workers=workers, saved_cursors=Path(folder) / "w") as result:
    end(result.models)
    if result.saved_cursors:
        result.saved_cursors.save(Path(folder) / "w")
"""
LIST_MODELS = """
from huggingface_hub import HfApi
begin()
end(sum(1 for _ in HfApi(endpoint=url).list_models(full=True, sort="created_at")))
"""
COPY_FUNCTION = """
import http.client, re
from urllib.parse import urlsplit
def fetch_pages(url, target):
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port)
    while target:
        connection.request("GET", target, headers={"Accept-Encoding": "gzip"})
        response = connection.getresponse()
        yield response.read()
        link = re.search("<http://[^/]+([^>]+)>", response.headers["link"] or "")
        target = link and link[1]
"""
COPY_PAGES = (
    COPY_FUNCTION
    + """
begin()
end(1000 * sum(1 for _ in fetch_pages(url, first)))
"""
)
UNPACK = """
import zlib
from pathlib import Path
pages = [path.read_bytes() for path in Path(folder).glob("j/*/*.gz")]
begin()
for page in pages:
    zlib.decompressobj(wbits=31).decompress(page, 1 << 29)
end(len(pages) * 1000)
"""
INGEST = """
from datetime import datetime, UTC
from hfscan.scope import Scope
from hfscan.store import NewSnapshot, Store, ingest_files
from pathlib import Path
import tempfile
pages, now = sorted(Path(folder).glob("j/*/*.gz")), datetime.now(UTC)
with tempfile.TemporaryDirectory() as name, Store.open(Path(name) / "db", write=True) as store:
    begin()
    result = ingest_files(store, pages, NewSnapshot("crawl", url, Scope(), now, now, True))
    end(result.models)
"""
READ_PAGES = """
def read(pages):
    return "read_json(%s, format='array', columns={%s})" % (list(map(str, pages)), ", ".join(
        f"{name}: '{kind}'" for name, kind in {
            "id": "VARCHAR", "author": "VARCHAR", "createdAt": "TIMESTAMP", "sha": "VARCHAR",
            "lastModified": "TIMESTAMP", "downloads": "BIGINT", "likes": "BIGINT",
            "gated": "VARCHAR", "tags": "VARCHAR[]", "library_name": "VARCHAR",
            "pipeline_tag": "VARCHAR", "siblings": "STRUCT(rfilename VARCHAR)[]",
        }.items()))
"""
SCAN = (
    READ_PAGES
    + """
import duckdb
from pathlib import Path
pages = sorted(Path(folder).glob("j/*/*.gz"))
with duckdb.connect() as connection:
    connection.execute("SET enable_progress_bar = false")
    begin()
    sql = f"SELECT count(COLUMNS(*)) FROM {read(pages)}"
    (models,) = connection.execute(sql).fetchone()[:1]
    end(models)
"""
)
CRAWL = "from hfscan.cli import main; import sys; sys.argv = ['hfscan', 'crawl', '--no-resume', \
'--endpoint', url, '--db', folder + '/db']; main()"
PLAIN_SCRIPT = """
import duckdb, pyarrow
from huggingface_hub import HfApi
models = pyarrow.Table.from_pylist([
    {
        "id": model.id, "author": model.author, "created_at": model.created_at, "sha": model.sha,
        "last_modified": model.last_modified, "downloads": model.downloads, "likes": model.likes,
        "gated": str(model.gated), "tags": model.tags, "library_name": model.library_name,
        "pipeline_tag": model.pipeline_tag, "files": [file.rfilename for file in model.siblings],
    }
    for model in HfApi(endpoint=url).list_models(full=True, sort="created_at")
])
duckdb.connect(folder + "/plain").execute("CREATE OR REPLACE TABLE models AS FROM models")
"""
MINIMAL = (
    COPY_FUNCTION
    + READ_PAGES
    + """
import duckdb
from pathlib import Path
pages = []
for body in fetch_pages(url, first):
    pages.append(Path(folder) / f"{len(pages)}.json.gz")
    pages[-1].write_bytes(body)
duckdb.connect(folder + "/least").execute(f"CREATE OR REPLACE TABLE models AS FROM {read(pages)}")
"""
)
"""Lower bound of a crawl: copy the bytes without validation and read them into a table."""
CLOCK = """
import json, sys, time
url, folder, first, workers = json.loads(sys.argv[1])
def begin():
    global at
    at = time.perf_counter(), time.process_time()
def end(models):
    wall, cpu = time.perf_counter() - at[0], time.process_time() - at[1]
    print(json.dumps({"models": models, "wall": wall, "cpu": cpu}))
"""


class Bench:
    """A fake Hub in its own process, and the clients that use it in turn."""

    def __init__(self, population: list[str], folder: Path, latency: float = 0.0) -> None:
        self.folder = folder
        self.first = list_url(Scope(), "", ascending=True)
        self.server = subprocess.Popen(  # noqa: S603 - own command
            [sys.executable, "-m", "hfscan", "fake-hub", *population, "--port", "0",
             "--latency", str(latency), "--prepare", self.first],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self.server.stdout is not None
        self.url = self.server.stdout.readline().strip()

    def run(self, script: str, workers: int | None = 1) -> dict[str, float]:
        """Run a client; return its results, and the seconds and MB of its process."""
        arguments = json.dumps([self.url, str(self.folder), self.first, workers])
        env = {
            name: values
            for name, values in os.environ.items()
            if not name.startswith(("HF_", "HFSCAN_"))
        }
        start_time = time.perf_counter()
        process = subprocess.Popen(  # noqa: S603 - own command
            [sys.executable, "-c", CLOCK + script, arguments],
            stdout=subprocess.PIPE, text=True,
            env=env | {"HF_HOME": str(self.folder / "hf"), "HF_HUB_DISABLE_PROGRESS_BARS": "1"},
        )  # fmt: skip
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"A client failed with {process.returncode}.")
        usage_values = {
            "process_wall": time.perf_counter() - start_time,
            "process_cpu": usage.ru_utime + usage.ru_stime,
            "rss": usage.ru_maxrss / (1 << 10),
        }
        return usage_values | (json.loads(output) if output.startswith("{") else {})

    def close(self) -> None:
        self.server.kill()
        self.server.communicate()


@contextmanager
def start_bench(population: list[str], latency: float = 0.0) -> Iterator[Bench]:
    """Yield a bench in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(population, Path(folder), latency)
        try:
            yield bench
        finally:
            bench.close()


def run_rounds(count: int, **clients: Callable[[], dict[str, float]]) -> dict[str, dict[str, Any]]:
    """Run the clients in turn, after one warm-up; return the median of each value."""
    results: dict[str, list[dict[str, float]]] = {name: [] for name in clients}
    for round_number in range(count + 1):
        for name, client in clients.items():
            result = client()
            if round_number:
                results[name].append(result)
    return {
        name: {key: statistics.median(run[key] for run in runs) for key in runs[0]} | {"runs": runs}
        for name, runs in results.items()
    }


def compute_ratio(client: dict[str, Any], other: dict[str, Any], key: str) -> float:
    """Return the median of `client` / `other` over the rounds."""
    pairs = zip(client["runs"], other["runs"], strict=True)
    return statistics.median(run_a[key] / run_b[key] for run_a, run_b in pairs)


def format_speed(client: dict[str, Any], key: str = "wall") -> str:
    return f"{client['models'] / client[key]:,.0f} models/s"


def print_row(label: str, measured: str, target: str, is_met: bool | None, limit: str = "") -> None:
    verdict = "" if is_met is None else "met" if is_met else "missed"
    print(f"| {label} | {measured} | {target} | {verdict} | {limit} |", flush=True)


def measure_without_latency(population: list[str], number: int) -> None:
    """Measure fetching, ingest and a full crawl without latency."""
    with start_bench(population) as bench:
        runs = run_rounds(
            number,
            fetch=lambda: bench.run(FETCH),
            unpacked=lambda: bench.run(UNPACK),  # pages written by fetch
            eight=lambda: bench.run(FETCH, 8),
            listed=lambda: bench.run(LIST_MODELS),
            copied=lambda: bench.run(COPY_PAGES),
        )
        copy = (
            f"bare copy of the bytes: {format_speed(runs['copied'])}; decompressing only: "
            f"{format_speed(runs['unpacked'])}"
        )
        for name, workers in (("fetch", "one worker"), ("eight", "eight workers")):
            times = compute_ratio(runs["listed"], runs[name], "wall")
            cpu = compute_ratio(runs["listed"], runs[name], "cpu")
            label = f"fetch to journal, {workers}, 0 ms per page"
            print_row(label, f"{format_speed(runs[name])}, {times:.1f} x list_models "
                 f"({format_speed(runs['listed'])}); {cpu:.1f} x in CPU time "
                 f"({format_speed(runs[name], 'cpu')} of CPU, "
                 f"{format_speed(runs['listed'], 'cpu')})",
                 ">= 50 x", times >= 50, copy)  # fmt: skip
        bench.run(FETCH)
        runs = run_rounds(number, ingest=lambda: bench.run(INGEST), scan=lambda: bench.run(SCAN))
        million = {name: values["cpu"] / values["models"] * 1e6 for name, values in runs.items()}
        print_row("ingest", f"{million['ingest']:.1f} CPU-s per million models", "<= 20",
             million["ingest"] <= 20, f"bare read_json: {million['scan']:.1f}")  # fmt: skip
        runs = run_rounds(
            number,
            crawl=lambda: bench.run(CRAWL),
            plain=lambda: bench.run(PLAIN_SCRIPT),
            least=lambda: bench.run(MINIMAL),
        )
        for key, label, target in (("wall", "wall time", 8), ("cpu", "CPU time", 6)):
            times = compute_ratio(runs["plain"], runs["crawl"], f"process_{key}")
            minimal = compute_ratio(runs["plain"], runs["least"], f"process_{key}")
            seconds = {name: f"{client[f'process_{key}']:.1f} s" for name, client in runs.items()}
            print_row(f"crawl to query-ready, {label}",
                 f"1/{times:.1f} of a plain script's: {seconds['crawl']} of {seconds['plain']}",
                 f"<= 1/{target}", times >= target,
                 f"bytes copied and read_json alone: 1/{minimal:.1f}, "
                 f"{seconds['least']}")  # fmt: skip


def measure_slow_hub(pages: int, number: int) -> None:
    """Measure the gain of several workers at one second per page."""
    with start_bench(["--models", str(pages * 1_000)], latency=1.0) as bench:
        runs = run_rounds(
            number,
            two=lambda: bench.run(FETCH, 2),
            eight=lambda: bench.run(FETCH, 8),
            listed=lambda: bench.run(LIST_MODELS),
        )
        for name, label, at_once, target in (
            ("two", "two workers", 2, 2.2), ("eight", "eight workers", 8, 8.0),
        ):  # fmt: skip
            times = compute_ratio(runs["listed"], runs[name], "wall")
            print_row(f"{label}, 1 s per page, {pages} pages", f"{times:.1f} x list_models",
                 f">= {target:g} x", times >= target,
                 f"{runs[name]['wall']:.1f} s against {runs['listed']['wall']:.1f} s; "
                 f"waiting alone: {runs['listed']['wall'] / (pages / at_once):.2f} x")  # fmt: skip


def measure_memory(large: int) -> None:
    """Measure the peak memory of a crawl of `large` models and of a tenth of them."""
    results = {}
    for models in (large // 10, large):
        with start_bench(["--models", str(models)]) as bench:
            results[models] = bench.run(CRAWL)
        usage = results[models]
        print_row(f"memory of a crawl of {models:,} models", f"{usage['rss']:,.0f} MB at most",
             "<= 400 MB", usage["rss"] <= 400,
             f"{usage['process_wall']:.0f} s, {usage['process_cpu']:.0f} CPU-s")  # fmt: skip


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--models", type=int, default=100_000)
    parser.add_argument("--pages", type=int, default=80, help="pages of the slow Hub; 0: skip")
    parser.add_argument(
        "--large", type=int, default=3_000_000, help="models of the memory test; 0: skip"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--from", dest="dump", help="recorded dump to serve")
    arguments = parser.parse_args()
    population = ["--models", str(arguments.models)]
    if arguments.dump:
        population = ["--from", arguments.dump]
    print(f"Load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores at the start.\n")
    print("| what | measured | target | | beside |\n| --- | --- | --- | --- | --- |")
    measure_without_latency(population, arguments.rounds)
    if arguments.pages:
        measure_slow_hub(arguments.pages, arguments.rounds)
    if arguments.large:
        measure_memory(arguments.large)
    print(f"\nLoad {os.getloadavg()[0]:.1f} at the end.")


if __name__ == "__main__":
    main()
