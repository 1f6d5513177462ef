"""Measure queries about the ecosystem beside bare scans: `python benchmarks/questions.py`.

Makes a snapshot of --models invented models, imports it, and runs each query in turn with a bare
scan of the columns that it reads. Prints medians and ratios, and exits with 1 where a ratio is
above --most.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from string import Template

import duckdb
from timing import compare_with_scan

from hfscan.figures import SnapshotView, load
from hfscan.scope import Scope
from hfscan.store import NewSnapshot, Store, ingest_files

ACCOUNT_GROUPS = json.dumps({f"account{number}": f"country{number % 30}" for number in range(500)})
QUERIES: dict[str, tuple[str, Mapping[str, object], str]] = {
    "concentration, models": ("top_shares", {}, "key downloads"),
    "concentration, accounts": ("top_shares", {"per": "author"}, "author id downloads"),
    "Lorenz curve, models": ("lorenz", {}, "key downloads"),
    "Lorenz curve, accounts": ("lorenz", {"per": "author"}, "author id downloads"),
    "orphans": (
        "orphans", {"weight": "downloads"}, "best_mask tags library_name files downloads",
    ),
    "orphans, by account": (
        "orphans", {"weight": "downloads", "by": "author"},
        "best_mask tags library_name files downloads author",
    ),
    "pickle": ("pickle", {}, "files"),
    "pickle, by downloads": (
        "pickle", {"weight": "downloads", "min_downloads": 100}, "files downloads",
    ),
    "licenses": ("composition", {"by": "license", "weight": "downloads"}, "tags downloads"),
    "licenses, by year": ("composition", {"by": "license", "per": "year"}, "tags created_at"),
    "sizes": ("composition", {"by": "size", "weight": "downloads"}, "parameters downloads"),
    "gated, by year": ("composition", {"by": "gated", "per": "year"}, "gated created_at"),
    "tasks, by year": ("composition", {"by": "task", "per": "year"}, "pipeline_tag created_at"),
    "languages": ("tag_values", {"of": "language", "weight": "downloads"}, "tags downloads"),
    "papers": ("tag_values", {"of": "paper"}, "tags"),
    "groups of accounts": (
        "composition", {"by": "account_group", "account_groups": ACCOUNT_GROUPS}, "author",
    ),
}  # fmt: skip
"""Label -> query, parameters, and the columns that it reads."""

_MODELS = """
COPY (
    SELECT
        'account' || (hash(number) % 200_000)::BIGINT || '/model' || number AS id,
        printf('%08x%016x', 1646263740 + number * $seconds, number) AS _id,
        strftime(
            make_timestamp((1646263740 + number * $seconds) * 1_000_000), '%Y-%m-%dT%H:%M:%S.000Z'
        ) AS createdAt,
        list_concat(
            CASE WHEN r1 < 60 THEN ['safetensors'] WHEN r1 < 75 THEN ['pytorch']
                WHEN r1 < 78 THEN ['tf'] WHEN r1 < 79 THEN ['jax'] ELSE [] END,
            CASE WHEN r2 < 40 THEN [
                'license:' || ['apache-2.0', 'mit', 'llama3', 'other'][r2 % 4 + 1]
            ] ELSE [] END,
            CASE WHEN r3 < 15 THEN [['en', 'zh', 'fr', 'de', 'ja'][r3 % 5 + 1]] ELSE [] END,
            CASE WHEN r4 < 12 THEN ['arxiv:23' || printf('%02d.%05d', r4 + 1, (r5 * 97) % 4000)]
                ELSE [] END,
            ['region:us', 'text-generation-inference', 'endpoints_compatible',
             'base_model:a/b' || r5]
        ) AS tags,
        CASE WHEN r1 < 70 THEN 'transformers' WHEN r1 < 75 THEN 'diffusers' END AS library_name,
        ['text-generation', 'text-classification', 'text-to-image', 'fill-mask', NULL][r3 % 5 + 1]
            AS pipeline_tag,
        CASE WHEN r4 < 50 THEN 0 ELSE (10 ** (r4 / 20.0))::BIGINT + r5 END AS downloads,
        CASE WHEN r5 < 300 THEN 'manual' ELSE 'false' END AS gated,
        CASE WHEN r1 < 60 THEN {'total': (10 ** (6 + r2 / 20.0))::BIGINT} END AS safetensors,
        list_transform(list_concat(
            ['.gitattributes', 'README.md', 'config.json', 'tokenizer.json',
             'special_tokens_map.json'],
            -- as in February 2022
            CASE WHEN r4 < 29 THEN ['training_args.bin'] ELSE [] END,
            -- on the real Hub, about two models in five have files like no other
            CASE WHEN r3 < 40 THEN ['runs/' || number] ELSE [] END,
            CASE WHEN r1 < 60 THEN ['model-0000' || r3 % 9 || '-of-00009.safetensors']
                WHEN r1 < 75 THEN ['pytorch_model.bin'] WHEN r1 < 78 THEN ['tf_model.h5']
                WHEN r1 < 79 THEN ['flax_model.msgpack'] ELSE ['weights-' || r2 || '.gguf'] END
        ), lambda name: {'rfilename': name}) AS siblings
    FROM (
        SELECT
            number,
            (hash(number + 1) % 100)::INTEGER AS r1, (hash(number * 3 + 2) % 100)::INTEGER AS r2,
            (hash(number * 5 + 3) % 100)::INTEGER AS r3,
            (hash(number * 7 + 4) % 100)::INTEGER AS r4,
            (hash(number * 11 + 5) % 10_000)::INTEGER AS r5
        FROM range($models) AS numbers(number)
    )
) TO '$file'
"""


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=3_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--most", type=float, default=4.0, help="highest ratio to the bare scan")
    parser.add_argument("--db", type=Path, help="keep the database here, and use it if it exists")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        database = args.db or Path(name) / "models.duckdb"
        if not database.exists():
            make_database(database, Path(name) / "models.parquet", args.models)
        ratios = _measure(database, args.rounds)
    if max(ratios.values()) > args.most:
        sys.exit(f"Above {args.most} x: {[key for key in ratios if ratios[key] > args.most]}")


def make_database(database: Path, dump: Path, models: int) -> None:
    """Import invented models, by way of the file `dump`."""
    write_dump(dump, models)
    now = datetime.now(UTC)
    with Store.open(database, write=True) as store:
        snapshot = NewSnapshot(
            "import", dump.name, Scope(), now, now, None, synthetic="benchmarks/questions.py"
        )
        ingest_files(store, [dump], snapshot)


def write_dump(dump: Path, models: int) -> None:
    """Write a Parquet file of invented models, created from March 2022 to December 2025."""
    values = {"models": models, "seconds": 120_000_000 // models, "file": dump}
    with duckdb.connect() as connection:
        connection.execute("SET memory_limit = '3GB'")  # leaves the rest to what is measured
        connection.execute(Template(_MODELS).substitute(values))


def _measure(database: Path, rounds: int) -> dict[str, float]:
    ratios: dict[str, float] = {}
    with Store.open(database) as store:
        view = SnapshotView.latest(store)
        view.bind_census()
        print(f"Queries over {view.snapshot.models:,} invented models (ms of all processors)")
        for label, (query, parameters, columns) in QUERIES.items():
            call, bare = partial(load(query).run, store, parameters), partial(_scan, store, columns)
            taken, scan, ratios[label] = compare_with_scan(call, bare, rounds)
            figures = f"{1e3 * taken:8.0f}  scan {1e3 * scan:8.0f}  {ratios[label]:5.2f} x"
            print(f"  {label:26} {figures}", flush=True)
    return ratios


def _scan(store: Store, columns: str) -> None:
    """Read every value of the columns."""
    values = (f"bit_xor(hash({name}))" for name in columns.split())
    store.execute(f"SELECT {', '.join(values)} FROM census").fetchall()


if __name__ == "__main__":
    main()
