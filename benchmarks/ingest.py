"""Measure the CPU time of an ingest: `python benchmarks/ingest.py [FILE...]`.

FILE: dumps or pages of a crawl, as `hfscan import` reads them. Default: pages of synthetic models
with the fields that a crawl requests. Prints CPU seconds per million models, and the ratio to
DuckDB alone: `read_json` of the columns that are stored, into a table.
"""

import argparse
import gzip
import json
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from timing import read_cpu_seconds

from hfscan.fakehub import Population
from hfscan.frameworks import masks_sql
from hfscan.hub.plan import FIELDS
from hfscan.scope import Scope
from hfscan.store import NewSnapshot, Store, ingest_files

_MODELS, _PAGE = 300_000, 1_000
_SCHEMA = {
    "_id": "VARCHAR", "id": "VARCHAR", "author": "VARCHAR", "createdAt": "TIMESTAMP",
    "lastModified": "TIMESTAMP", "sha": "VARCHAR", "tags": "VARCHAR[]", "library_name": "VARCHAR",
    "pipeline_tag": "VARCHAR", "downloads": "BIGINT", "downloadsAllTime": "BIGINT",
    "likes": "BIGINT", "gated": "VARCHAR", "disabled": "BOOLEAN",
    "siblings": "STRUCT(rfilename VARCHAR)[]", "safetensors": "STRUCT(total BIGINT)",
    "baseModels": "STRUCT(relation VARCHAR, models STRUCT(id VARCHAR)[])",
    "config": "STRUCT(model_type VARCHAR, architectures VARCHAR[])",
}  # fmt: skip
"""What is stored, in the types of the API."""


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    files = parser.parse_args().files
    with tempfile.TemporaryDirectory() as name:
        files = files or _write_pages(Path(name) / "pages")
        bare = _measure_bare(files, Path(name) / "bare.duckdb")
        now = datetime.now(UTC)
        with Store.open(Path(name) / "h.duckdb", write=True) as store:
            start = read_cpu_seconds()
            models = ingest_files(
                store, files, NewSnapshot("import", "benchmark", Scope(), now, now, None)
            ).models
            ingest = read_cpu_seconds() - start
            start = read_cpu_seconds()
            store.execute(
                "SELECT bit_xor(tag_mask), bit_xor(weights_mask), bit_xor(loadable_5_mask) "
                f"FROM ({masks_sql('versions')})"
            ).fetchall()
            masks = read_cpu_seconds() - start
    for label, seconds in (("ingest", ingest), ("of which masks", masks), ("DuckDB alone", bare)):
        print(f"{label}: {seconds / models * 1e6:.1f} CPU-s per million, {models:,} models")
    print(f"ingest: {ingest / bare:.2f} x DuckDB alone")


def _measure_bare(files: list[Path], database: Path) -> float:
    """Return the CPU seconds that DuckDB takes to read the files and to store them."""
    with duckdb.connect(database) as connection:
        start = read_cpu_seconds()
        connection.execute(
            f"CREATE TABLE models AS FROM read_json({[str(file) for file in files]}, "
            f"columns={_SCHEMA}, maximum_object_size=16777216)"
        )
        connection.execute("CHECKPOINT")
        return read_cpu_seconds() - start


def _write_pages(folder: Path) -> list[Path]:
    folder.mkdir()
    population = Population.synthetic(_MODELS, seed=1)
    rows = [{key: row[key] for key in ("_id", "id", *FIELDS) if key in row} for row in population]
    pages = []
    for start in range(0, _MODELS, _PAGE):
        pages.append(folder / f"{start:07}.json.gz")
        pages[-1].write_bytes(gzip.compress(json.dumps(rows[start : start + _PAGE]).encode()))
    return pages


if __name__ == "__main__":
    main()
