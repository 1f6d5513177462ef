"""Measure the cost of history: `python benchmarks/history.py [--models N] [--days N] [--keep F]`.

Simulates days of a Hub: 0.7 % of the models change tags or files, 0.3 % are new, 0.05 % are deleted
and 30 % change their downloads. Each day is a full snapshot, imported from a Parquet file. Prints
the growth of the database per day relative to a full copy (zstd Parquet), the CPU time to apply a
day, and the CPU time of a report as of an earlier day relative to the current one, run in turn.
"""

import argparse
import itertools
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from hfscan.scope import Scope
from hfscan.store import NewSnapshot, Store, history, ingest_files

TARGETS = {"growth": 0.04, "apply": 5.0, "report": 1.2}
_START = datetime(2026, 1, 1, tzinfo=UTC)
_ROUNDS = 5

# similar to the Hub: about 10 tags and 7 files per model, downloads with a heavy tail
_HUB = """
CREATE TABLE hub AS
SELECT
    i AS n,
    printf('%08x', 1646263740 + i * 140) || left(md5('_' || i), 16) AS _id,
    lower(left(md5('o' || (i % 300007)), 3 + i % 9)) || '/'
        || ['bert-base', 'llama-3-8b', 'whisper-small', 'Qwen2.5-7B', 'ppo-LunarLander'][1 + i % 5]
        || '-' || left(md5('n' || i), 4 + i % 12) AS id,
    make_timestamp((1646263740 + i * 140) * 1000000) AS "createdAt",
    "createdAt" + to_seconds(chance(i, 9000000)) AS "lastModified",
    sha1('s' || i) AS sha,
    list_filter([
        CASE WHEN i % 4 < 3 THEN 'transformers' END, CASE WHEN i % 5 < 3 THEN 'safetensors' END,
        CASE WHEN i % 3 = 0 THEN 'pytorch' END, CASE WHEN i % 31 = 0 THEN 'tf' END,
        CASE WHEN i % 47 = 0 THEN 'onnx' END, CASE WHEN i % 11 = 0 THEN 'gguf' END,
        ['bert', 'llama', 'whisper', 'qwen2', 'gpt2', 'mistral'][1 + chance(i + 1, 6)],
        ['en', 'zh', 'fr', 'de', 'es'][1 + chance(i + 2, 9)],
        'base_model:' || ['meta-llama/Llama-3.1-8B', 'google-bert/bert-base-uncased',
            'Qwen/Qwen2.5-7B'][1 + chance(i + 3, 5)],
        'dataset:d/' || chance(i + 4, 20000), ['license:mit', 'license:apache-2.0'][1 + i % 3],
        'autotrain_compatible', 'endpoints_compatible', 'region:us'
    ], lambda tag: tag IS NOT NULL) AS tags,
    ['transformers', 'diffusers', 'peft', 'gguf'][1 + chance(i + 5, 5)] AS library_name,
    ['text-generation', 'text-classification', 'text-to-image', 'reinforcement-learning']
        [1 + chance(i + 6, 6)] AS pipeline_tag,
    (exp(least(16.0, -2.2 * ln((chance(i + 8, 1000000) + 1) / 1e6))) - 1)::BIGINT AS downloads,
    downloads * 9 + chance(i + 9, 50) AS "downloadsAllTime",
    downloads * chance(i + 10, 100) // 30000 AS likes,
    CASE WHEN i % 50 = 0 THEN 'auto' ELSE 'false' END AS gated,
    false AS disabled,
    ['.gitattributes', 'README.md', 'config.json'] || CASE i % 5
        WHEN 0 THEN ['pytorch_model.bin', 'tokenizer.json', 'vocab.txt', 'tokenizer_config.json']
        WHEN 1 THEN list_transform(range(1, 2 + i % 7),
            lambda k: printf('model-%05d-of-%05d.safetensors', k, 1 + i % 7))
        WHEN 2 THEN ['model.safetensors', 'special_tokens_map.json', 'generation_config.json']
        WHEN 3 THEN list_transform(['Q4_K_M', 'Q5_K_M', 'Q8_0'],
            lambda q: left(md5('n' || i), 6) || '.' || q || '.gguf')
        ELSE ['adapter_model.safetensors', 'adapter_config.json', 'runs/events.out.tfevents.' || i]
    END AS siblings,
    CASE WHEN i % 3 > 0 THEN {'total': chance(i + 7, 40000) * 262144} END AS safetensors,
    CASE WHEN i % 4 < 3 THEN {
        'model_type': ['bert', 'llama', 'whisper', 'qwen2'][1 + chance(i + 1, 4)],
        'architectures': [['BertModel', 'LlamaForCausalLM', 'WhisperModel'][1 + chance(i + 1, 3)]]
    } END AS config
FROM range($from, $to) AS numbers(i)
"""


_DUMP = "SELECT * EXCLUDE (n) FROM hub"


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--keep", type=Path, help="Keep the database in this file.")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        db = args.keep or Path(name) / "h.duckdb"
        copy, days = _measure_days(Path(name), db, args.models, args.days)
        growth = statistics.mean(day["used"] for day in days)
        apply = statistics.mean(day["apply"] for day in days)
        ingest = statistics.mean(day["ingest"] for day in days)
        file = (days[-1]["file"] - days[0]["file"]) / max(1, len(days) - 1)
        current, earlier = _measure_reports(db, len(days))
    print(f"a full copy: {copy / 1e6:.1f} MB")
    _print_result(
        "a day adds", f"{growth / 1e6:.2f} MB, of a copy", growth / copy, TARGETS["growth"]
    )
    print(f"  (the file, with free blocks: {file / 1e6:.2f} MB a day)")
    _print_result("a day is applied in", "CPU-s", apply, TARGETS["apply"])
    print(f"  (with reading its dump: {ingest:.1f} CPU-s)")
    _print_result(
        "a report as of an earlier day",
        f"{earlier:.2f} CPU-s, the current {current:.2f}, ratio",
        earlier / current,
        TARGETS["report"],
    )


def _print_result(label: str, unit: str, value: float, target: float) -> None:
    verdict = "met" if value <= target else "MISSED"
    print(f"{label}: {unit} {value:.4g} (target {target:g}: {verdict})")


def _measure_days(
    folder: Path, db: Path, models: int, count: int
) -> tuple[int, list[dict[str, float]]]:
    days = []
    with Store.open(db, write=True) as store:
        timer = _Timer(history.insert_intervals)
        history.insert_intervals = timer  # type: ignore[assignment]
        for number, dump in enumerate(simulate_days(folder, models, count, _DUMP, _START)):
            observed_at = _START + timedelta(days=number)
            start = _read_cpu_seconds()
            ingest_files(
                store,
                [dump],
                NewSnapshot("import", dump.name, Scope(), observed_at, observed_at, True),
            )
            ingest = _read_cpu_seconds() - start
            start = _read_cpu_seconds()
            store.execute("CHECKPOINT")
            checkpoint = _read_cpu_seconds() - start
            days.append(
                {
                    "used": _count_used_bytes(store),
                    "file": db.stat().st_size,
                    "ingest": ingest + checkpoint,
                    "apply": timer.seconds + checkpoint,
                }
            )
            print(f"day {number}: {days[-1]}", file=sys.stderr)
        history.insert_intervals = timer.function
    copy = folder / "copy.parquet"
    with Store.open(db) as store:
        store.execute(
            f"COPY (FROM models_in({count + 1}) ORDER BY key) TO '{copy}' (COMPRESSION zstd)"
        )
    added = [
        day | {"used": day["used"] - previous["used"]} for previous, day in itertools.pairwise(days)
    ]
    return copy.stat().st_size, added


class _Timer:
    def __init__(self, function) -> None:
        self.function, self.seconds = function, 0.0

    def __call__(self, *arguments: object) -> None:
        start = _read_cpu_seconds()
        self.function(*arguments)
        self.seconds = _read_cpu_seconds() - start


def simulate_days(
    folder: Path, models: int, count: int, dump_sql: str, start: datetime, deleted: float = 0.0005
) -> Iterator[Path]:
    """Yield the dump of each day from `start`, the unchanged Hub, until `count` days later.

    `dump_sql` selects it from the table `hub`; `$newest`, if it has that, is the day (UTC).
    `deleted`: the share of the models that each day deletes.
    """
    with duckdb.connect(folder / "hub.duckdb") as hub:
        hub.execute("SELECT setseed(0.5)")
        hub.execute("CREATE TEMP MACRO chance(i, n) AS (hash(i) % n)::BIGINT")
        hub.execute("SET threads = 1")  # makes random() reproducible
        hub.execute("SET memory_limit = '3GB'")  # leaves the rest to what is measured
        hub.execute(_HUB, {"from": 0, "to": models})
        total = models
        for day in range(count + 1):
            if day:
                new = round(models * 0.003)
                _change(hub, deleted)
                hub.execute(
                    _HUB.replace("CREATE TABLE hub AS", "INSERT INTO hub"),
                    {"from": total, "to": total + new},
                )
                total += new
            dump = folder / f"day-{day}.parquet"
            newest = (start + timedelta(days=day)).replace(tzinfo=None)
            parameters = {"newest": newest} if "$newest" in dump_sql else None
            hub.execute(f"COPY ({dump_sql}) TO '{dump}'", parameters)
            yield dump
            dump.unlink()


def _change(hub: duckdb.DuckDBPyConnection, deleted: float) -> None:
    hub.execute("DELETE FROM hub WHERE random() < ?", [deleted])
    hub.execute(
        """
        CREATE OR REPLACE TABLE hub AS SELECT * EXCLUDE (moved, edited) REPLACE (
            CASE WHEN moved THEN greatest(0,
                downloads + ((random() - 0.5) * (6 + downloads * 0.2))::BIGINT)
                ELSE downloads END AS downloads,
            CASE WHEN moved THEN "downloadsAllTime" + (random() * (6 + downloads * 0.1))::BIGINT
                ELSE "downloadsAllTime" END AS "downloadsAllTime",
            CASE WHEN moved AND random() < 0.02 THEN likes + 1 ELSE likes END AS likes,
            CASE WHEN edited THEN md5(sha) || left(sha, 8) ELSE sha END AS sha,
            CASE WHEN edited THEN "lastModified" + INTERVAL 1 DAY ELSE "lastModified" END
                AS "lastModified",
            CASE WHEN edited AND n % 2 = 0 THEN list_append(tags, 'license:other') ELSE tags END
                AS tags,
            CASE WHEN edited AND n % 2 = 1 THEN list_append(siblings, 'model.onnx')
                ELSE siblings END AS siblings
        )
        FROM (SELECT *, random() < 0.3 AS moved, random() < 0.007 AS edited FROM hub)
        """
    )


def _measure_reports(db: Path, days: int) -> tuple[float, float]:
    """Return the median CPU seconds of a current report and of one as of the middle day."""
    middle_day = _START + timedelta(days=days // 2)
    seconds_by_age: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(_ROUNDS):
        for earlier, seconds in seconds_by_age.items():
            as_of = ["--as-of", f"{middle_day:%Y-%m-%d}"] if earlier else []
            start = _read_cpu_seconds(resource.RUSAGE_CHILDREN)
            command = [sys.executable, "-m", "hfscan", "report", "--db", str(db), "--format=json"]
            subprocess.run(  # noqa: S603 - our own command
                [*command, *as_of],
                check=True,
                stdout=subprocess.DEVNULL,
                env=os.environ | {"NO_COLOR": "1"},
            )
            seconds.append(_read_cpu_seconds(resource.RUSAGE_CHILDREN) - start)
    return statistics.median(seconds_by_age[False]), statistics.median(seconds_by_age[True])


def _count_used_bytes(store: Store) -> int:
    row = store.execute("SELECT block_size * used_blocks FROM pragma_database_size()").fetchone()
    assert row is not None
    return int(row[0])


def _read_cpu_seconds(who: int = resource.RUSAGE_SELF) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
