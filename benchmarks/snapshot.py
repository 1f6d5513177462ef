"""Measure daily snapshots: `python benchmarks/snapshot.py [--models N] [--days N]`.

A fake Hub hosts the models and the dataset of snapshots. Each day, a new process in an empty folder
updates the dataset as GitHub Actions would: it restores the history, crawls, exports, reports and
publishes. Between two days, 0.7 % of the models change tags, 30 % change downloads, 0.3 % are new
and 0.05 % are deleted; every seventh crawl is full. Prints the resources of each day and the bytes
added to the dataset.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from array import array
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from hfscan.fakehub.synthetic import SyntheticPopulation

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
from testhub import FakeHub, Population

CHANGED, COUNTED, NEW, DELETED = 0.007, 0.3, 0.003, 0.0005
LIMITS = {"wall": 6 * 3600, "rss": 16e9, "disk": 14e9}
TOKEN = "hf_benchmark"  # noqa: S105 - the fake Hub's
UPDATE = """
import json, re, sys
from datetime import datetime, timedelta, UTC
from pathlib import Path
from hfscan.hub.datasets import HubDataset
from hfscan.sync import DatasetTarget, SyncOptions
url, token, work, day = sys.argv[1:]
dataset = HubDataset("census", endpoint=url, token=token)
now = datetime.now(UTC) + timedelta(days=int(day))
# the simulated days are minutes apart, so the age of the last full crawl is not meaningful
sys.modules["hfscan.sync.local"].FULL_CRAWL_INTERVAL = timedelta.max
options = SyncOptions({"endpoint": url, "token": token}, now=now, full=int(day) % 7 == 0)
state, _ = DatasetTarget(dataset, Path(work)).update(options)
# ru_maxrss would start at the parent's memory
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
print(json.dumps({"message": state.message, "rss": int(peak) * 1024}))
"""


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=3_000_000)
    parser.add_argument("--days", type=int, default=10)
    args = parser.parse_args()
    new = round(args.models * NEW)
    changing = _ChangingHub(SyntheticPopulation(args.models + args.days * new, seed=1))
    port, datasets = 0, {}
    for day in range(args.days + 1):
        if day:
            changing.pass_day(args.models + (day - 1) * new)
        population = changing.create_population(args.models + day * new)
        with FakeHub(population, port=port, quota=None, tokens={TOKEN: "me"}) as hub:
            port = int(hub.url.rpartition(":")[2])
            hub.datasets.update(datasets)
            # the fake Hub sorts once for each account, the Hub has an index
            listed = f"{hub.url}/api/models?sort=lastModified&limit=1"
            with urlopen(Request(listed, headers={"Authorization": f"Bearer {TOKEN}"})):  # noqa: S310
                pass
            _measure_day(day, hub)
            datasets = dict(hub.datasets)


class _ChangingHub:
    """Apply the daily changes to the models; the same in each run, except for the time of day."""

    def __init__(self, models: SyntheticPopulation) -> None:
        self._models = models
        self._random = random.Random(1)  # noqa: S311 - of no secret
        self._stamps = [""]  # of each day
        self._changed = bytearray(len(models.ids))  # the day of each model's last change, or 0
        self._counted = bytearray(len(models.ids))
        self._deleted = bytearray(len(models.ids))

    def pass_day(self, models: int) -> None:
        self._stamps.append(datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"))
        day = len(self._stamps) - 1
        for share, last in (
            (CHANGED, self._changed), (COUNTED, self._counted), (DELETED, self._deleted),
        ):  # fmt: skip
            for number in self._random.sample(range(models), round(models * share)):
                last[number] = day

    def create_population(self, models: int) -> Population:
        existing = array("I", (number for number in range(models) if not self._deleted[number]))

        def read(index: int) -> dict[str, Any]:
            number = existing[index]
            model = self._models.model(number)
            if day := self._changed[number]:
                model["tags"] = [*model["tags"], f"day:{day}"]
                model["lastModified"] = self._stamps[day]
            model["downloads"] += self._counted[number]
            return model

        ids = [self._models.ids[number] for number in existing]
        return Population(ids, read, lambda: self._models.find, "for a benchmark")


def _measure_day(day: int, hub: FakeHub) -> None:
    earlier = len(hub.requests)
    files_before = dict(hub.datasets["me/census"].files) if hub.datasets else {}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "work"
        start = time.monotonic()
        process = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-c", UPDATE, hub.url, TOKEN, str(work), str(day)],
            stdout=subprocess.PIPE,
            env=os.environ | {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"},
            text=True,
        )
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0, f"day {day} failed"
        wall = time.monotonic() - start
        disk = sum(file.stat().st_size for file in work.rglob("*") if file.is_file())
        base = (work / "hfscan.duckdb").stat().st_size
    files_after = hub.datasets["me/census"].files
    parts = {
        part: sum(len(body) for name, body in files_after.items() if name.startswith(part))
        for part in ("history/", "models/", "daily/")
    }
    added_bytes = sum(
        len(body) for name, body in files_after.items() if files_before.get(name) != body
    )
    list_requests = sum(
        request.target.startswith("/api/models") for request in hub.requests[earlier:]
    )
    result = {
        "day": day, **json.loads(output), "wall": round(wall),
        "cpu": round(usage.ru_utime + usage.ru_stime),
        "disk": disk, "database": base, "dataset": sum(map(len, files_after.values())), **parts,
        "added": added_bytes, "list requests": list_requests,
        "requests": len(hub.requests) - earlier,
    }  # fmt: skip
    is_within = all(result[key] <= limit for key, limit in LIMITS.items())
    print(
        json.dumps(result),
        "within a free runner" if is_within else "BEYOND a free runner",
        flush=True,
    )


if __name__ == "__main__":
    main()
