"""Measure the CPU time of an ingest: `python benchmarks/ingest.py [FILE...]`.

FILE: dumps or pages of a crawl, as `hfscan import` reads them. Default: pages of synthetic models
with the fields that a crawl requests. Prints CPU seconds per million models.
"""

import argparse
import gzip
import json
import resource
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from hfscan.fakehub import Population
from hfscan.frameworks import masks_sql
from hfscan.hub.plan import FIELDS
from hfscan.scope import Scope
from hfscan.store import NewSnapshot, Store, ingest_files

_MODELS, _PAGE = 200_000, 1_000


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    files = parser.parse_args().files
    with tempfile.TemporaryDirectory() as name:
        files = files or _write_pages(Path(name) / "pages")
        now = datetime.now(UTC)
        with Store.open(Path(name) / "h.duckdb", write=True) as store:
            start = _read_cpu_seconds()
            models = ingest_files(
                store, files, NewSnapshot("import", "benchmark", Scope(), now, now, None)
            ).models
            ingest = _read_cpu_seconds() - start
            start = _read_cpu_seconds()
            store.execute(
                "SELECT bit_xor(tag_mask), bit_xor(weights_mask), bit_xor(loadable_5_mask) "
                f"FROM ({masks_sql('versions')})"
            ).fetchall()
            masks = _read_cpu_seconds() - start
    for label, seconds in (("ingest", ingest), ("of which masks", masks)):
        print(f"{label}: {seconds / models * 1e6:.1f} CPU-s per million, {models:,} models")


def _write_pages(folder: Path) -> list[Path]:
    folder.mkdir()
    population = Population.synthetic(_MODELS, seed=1)
    rows = [{key: row[key] for key in ("_id", "id", *FIELDS) if key in row} for row in population]
    pages = []
    for start in range(0, _MODELS, _PAGE):
        pages.append(folder / f"{start:07}.json.gz")
        pages[-1].write_bytes(gzip.compress(json.dumps(rows[start : start + _PAGE]).encode()))
    return pages


def _read_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
