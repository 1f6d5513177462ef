"""Documents of parity runs as `hfscan parity --format json` writes them; only stored fields."""

from testhub import FakeHub

from hfscan.pipeline import crawl
from hfscan.scope import Scope
from hfscan.store import Store
from hfscan.store.parity import finish_run, start_run, store_results

REASON = "=x|</script><img src=x onerror=hit=1>`\x1b[31m"
"""Text from a checkpoint, or from an error message about one."""


def make_case(
    checkpoint, backend, verdict="agree", *, load_method="direct", file="m.safetensors", error=3e-7
):
    return {
        "checkpoint": checkpoint, "weights": {"file": file, "format": "safetensors", "sha256": ""},
        "backend": backend, "device": "cpu", "dtype": "float32", "load_method": load_method,
        "verdict": verdict, "reason": REASON, "notes": [],
        "loading": {name: [] for name in ("missing", "unexpected", "mismatched", "unset")},
        "outputs": [
            {"name": "logits", "region": region, "max_abs": 1.0, "rel_l2": rel_l2, "cosine": 1.0,
             "finite": True, "dtype": "float32", "tolerance": 1e-5}
            for region, rel_l2 in (("real", error), ("padding", 1.0))
        ] if verdict in ("agree", "outputs differ") else [],
    }  # fmt: skip


def make_timing(backend, milliseconds):
    return {
        "checkpoint": "ann/bert", "mode": "training", "backend": backend, "variant": "eager",
        "device": "cpu", "dtype": "float32", "inputs": {}, "own_process": True,
        "milliseconds": milliseconds, "cpu_milliseconds": milliseconds, "peak_rss_mb": 100.0,
        "load_average": [0, 0], "losses": [],
    }  # fmt: skip


def make_run(day, *cases, timings=()):
    backends = {"pytorch": {"versions": {"torch": "2.13"}}}
    return {
        "started_at": f"{day}T10:00:00Z", "finished_at": f"{day}T11:00:00Z",
        "hfscan_version": "0", "agree": True, "environment": {"backends": backends, "threads": 1},
        "cases": list(cases), "measurements": list(timings),
    }  # fmt: skip


def record_run(store, document, *, checkpoints=None):
    """Store a document of a run; unfinished if it was to check more checkpoints than it has."""
    rows = [*document["cases"], *document["measurements"]]
    names = [*dict.fromkeys(row["checkpoint"] for row in rows)]
    cases, timings = (
        {
            number: [row for row in document[kind] if row["checkpoint"] == name]
            for number, name in enumerate(names, 1)
        }
        for kind in ("cases", "measurements")
    )
    values = {key: document[key] for key in ("started_at", "hfscan_version")}
    environment = document["environment"]
    run = start_run(store, environment, **values, checkpoints=checkpoints or len(names))
    store_results(store, run, cases, timings, environment)
    if checkpoints is None:
        finish_run(store, run, finished_at=document["finished_at"], agree=document["agree"])


def create_database(path, population, *more_cases):
    """Create a database: a crawl of the population, and a parity run with more cases."""
    with FakeHub(population, quota=None) as hub:
        crawl(Scope(), endpoint=hub.url, token=None, db=path, resume=False)
    cases = [make_case("ann/bert", "pytorch"), make_case("ann/bert", "tensorflow", "does not load")]
    timings = [make_timing("pytorch", [2.0, 2.0]), make_timing("tensorflow", [3.0, 5.0])]
    with Store.open(path, write=True) as store:
        record_run(store, make_run("2026-02-01", *cases, *more_cases, timings=timings))
    return path
