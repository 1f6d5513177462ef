"""Measure the queries on lineage: `python benchmarks/lineage.py --models 3000000`.

Synthetic models of which 28 % declare a base, as on the Hub in 2025: most one of few popular
models, some a recent one, so that chains grow, and some a name that is not there. Prints
medians of the time of all processors, and the ratio to a bare scan of the columns that a query
reads.
"""

import argparse
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import duckdb
from timing import compare_with_scan

from hfscan.figures import SnapshotView
from hfscan.scope import Scope
from hfscan.store import NewSnapshot, Store, ingest_files

SCANS = {
    "id": "sum(strlen(id))",
    "key": "sum(strlen(key))",
    "tags": "sum(len(tags))",
    "base_models": "sum(len(base_models))",
    "base_relation": "sum(strlen(base_relation))",
    "downloads": "sum(downloads)",
    "likes": "sum(likes)",
    "created_at": "max(created_at)",
    "at_cutoff": "count(*) FILTER (at_cutoff)",
    "best_mask": "bit_xor(best_mask)",
}
"""Column -> an aggregate that reads it."""
DECLARED = ("id", "tags", "base_models", "base_relation")
DATED = ("downloads", "created_at", "at_cutoff")
TREE = (*DECLARED, *DATED, "best_mask")
FAMILY = (*DECLARED, "key", "downloads", "likes")
QUERIES: dict[str, tuple[str, Mapping[str, object], tuple[str, ...]]] = {
    "parents": ("lineage_parents", {}, DECLARED),
    "families": ("lineage_families", {}, (*DECLARED, *DATED)),
    "relations": ("lineage_relations", {"relations": "inferred"}, (*DECLARED, *DATED)),
    "growth": ("lineage_growth", {}, (*DECLARED, *DATED)),
    "changes of license": ("lineage_changes", {}, (*DECLARED, "downloads", "best_mask")),
    "drift of framework": (
        "lineage_drift",
        {"of": "framework"},
        (*DECLARED, "downloads", "best_mask"),
    ),
    "tree of 1 %, all": ("lineage_tree", {"model": "org-0/model-1"}, TREE),
    "tree of 4 %, all": ("lineage_tree", {"model": "org-0/model-0"}, TREE),
    "tree of 4 %, as drawn": (
        "lineage_tree",
        {"model": "org-0/model-0", "down": 2, "top": 5},
        TREE,
    ),
    "concentration, families": ("top_shares", {"per": "family"}, (*DECLARED, "downloads")),
    "Lorenz curve, families": ("lorenz", {"per": "family"}, (*DECLARED, "downloads")),
    "family over time": ("group_history", {"family": "org-0/model-0"}, FAMILY),
    "family in short": ("group_summary", {"family": "org-0/model-0"}, FAMILY),
}
"""Label -> query, parameters, and the columns that it reads."""

MODELS = """
COPY (
    WITH numbers AS (
        SELECT
            n, 1646263804 + n * 100_000_000 // {models} AS created,
            hash(n) / 18446744073709551616.0 AS draw,
            hash(n, 1) / 18446744073709551616.0 AS draw2,
            100 + ((n - 100) * (1 - (hash(n, 2) / 18446744073709551616.0) ** 2))::BIGINT AS earlier
        FROM range({models}) AS models(n)
    ),
    related AS (
        SELECT
            *,
            ['finetune', 'adapter', 'quantized', 'merge'][1 + (draw2 * 3.05)::INTEGER] AS relation,
            CASE
                WHEN n < 100 THEN NULL
                WHEN n > 50_000 AND n % 50_000 = 7 THEN printf('org-7/model-%d', n - 50_000)
                WHEN draw > 0.28 THEN NULL
                WHEN draw < 0.01 THEN printf('gone/model-%d', n % 5_000)
                WHEN draw < 0.02 THEN 'gpt2'
                WHEN draw < 0.20 THEN printf('org-0/model-%d', (100 * draw2 ** 3)::INTEGER % 100)
                ELSE printf('org-%d/model-%d', earlier % 50_000, earlier)
            END AS base
        FROM numbers
    )
    SELECT
        printf('%08x36468d709f%06x', created, n % 16_777_216) AS _id,
        printf('org-%d/model-%d', CASE WHEN n < 100 THEN 0 ELSE n % 50_000 END, n) AS id,
        to_timestamp(created) AS "createdAt",
        (1e6 / (1 + n % 100_003))::BIGINT AS downloads,
        [
            'transformers', 'safetensors', ['llama', 'qwen2', 'bert'][1 + n % 3], 'text-generation',
            'en', 'arxiv:2307.09288', 'endpoints_compatible', 'region:us',
            'license:' || ['mit', 'apache-2.0', 'other'][1 + n % 3],
            CASE WHEN base IS NOT NULL THEN 'base_model:' || base END,
            CASE WHEN base IS NOT NULL THEN 'base_model:' || relation || ':' || base END,
            CASE WHEN relation = 'quantized' THEN 'gguf' END
        ] AS tags,
        CASE WHEN base IS NOT NULL
            THEN {{'relation': relation, 'models': [{{'id': base}}]}} END AS "baseModels"
    FROM related
) TO '{path}'
"""
"""Popular models are the first 100. One in 50,000 is made from the one before: a long chain."""


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=3_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--db", type=Path, help="keep the database here, and use it if it exists")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        database = args.db or Path(name) / "hfscan.duckdb"
        if not database.exists():
            _make_database(database, Path(name) / "models.parquet", args.models)
        with Store.open(database) as store:
            _measure(SnapshotView.latest(store), args.rounds)


def _make_database(database: Path, dump: Path, models: int) -> None:
    with duckdb.connect() as connection:
        connection.execute(MODELS.format(models=models, path=dump))
    now = datetime.now(UTC)
    with Store.open(database, write=True) as store:
        ingest_files(store, [dump], NewSnapshot("import", dump.name, Scope(), now, now, None))


def _measure(view: SnapshotView, rounds: int) -> None:
    (derivatives, depth) = view.bind_census().fetch_one(
        "SELECT count(*), max(depth) FROM derivatives()"
    )
    print(
        f"{view.snapshot.models:,} models, {derivatives:,} made from others in up to {depth} steps"
    )
    for label, (query, parameters, columns) in QUERIES.items():
        scan = f"SELECT {', '.join(SCANS[column] for column in columns)} FROM census"
        call, bare = partial(view.run, query, parameters), partial(_scan, view, scan)
        taken, _, ratio = compare_with_scan(call, bare, rounds)
        print(f"  {label:20} {1e3 * taken:8.0f} ms  {ratio:5.2f} x  ({', '.join(columns)})")


def _scan(view: SnapshotView, sql: str) -> None:
    view.bind_census().execute(sql).fetchall()


if __name__ == "__main__":
    main()
