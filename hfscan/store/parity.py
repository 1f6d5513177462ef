"""Store parity runs, and draw samples of models to compare. The SQL is in sql/parity_runs.sql."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hfscan.store.database import Store
from hfscan.store.schema import load_statements

Row = Mapping[str, Any]


@dataclass(frozen=True)
class SampledModel:
    """A model of a sample. `size` models are in its stratum, `population` in all strata.

    A stratum is a model type and an order of magnitude of downloads (1 to 9: 0, 10 to 99: 1, ...).
    """

    id: str
    sha: str | None
    model_type: str
    magnitude: int
    size: int
    population: int


def draw_sample(
    store: Store, snapshot: int, count: int, model_types: Sequence[str]
) -> list[SampledModel]:
    """Draw `count` models that support PyTorch and TensorFlow, the same for the same models.

    One model of every stratum, the largest stratum first, then a second one of each, and so on. If
    the snapshot has no model types, a tag that is one of `model_types` counts.
    """
    (mask,) = store.fetch_one(
        "SELECT sum(1 << bit) FROM frameworks WHERE name IN ('pytorch', 'tensorflow')"
    )
    rows = store.execute(
        load_statements("parity_runs")["draw_sample"],
        {"snapshot": snapshot, "count": count, "mask": int(mask), "model_types": [*model_types]},
    )
    return [SampledModel(*row) for row in rows.fetchall()]


@dataclass(frozen=True)
class StoredRun:
    """A run in the database."""

    id: int
    is_finished: bool


def find_run(store: Store, sweep: str) -> StoredRun | None:
    """Return the newest run of a sweep."""
    row = store.execute(load_statements("parity_runs")["find_run"], {"sweep": sweep}).fetchone()
    return StoredRun(*row) if row else None


def start_run(
    store: Store,
    environment: Row,
    *,
    started_at: str,
    hfscan_version: str,
    checkpoints: int,
    snapshot: int | None = None,
    sweep: str | None = None,
) -> int:
    """Store a run that has no results yet, and return its id; see the table for the values."""
    values = {"started_at": started_at, "hfscan_version": hfscan_version, "snapshot": snapshot}
    values |= {"checkpoints": checkpoints, "sweep": sweep, "environment": json.dumps(environment)}
    (id_,) = store.fetch_one(load_statements("parity_runs")["insert_run"], values)
    return int(id_)


def store_results(
    store: Store,
    run: int,
    cases: Mapping[int, Sequence[Row]],
    timings: Mapping[int, Sequence[Row]],
    environment: Row,
) -> None:
    """Store what a run found, all of it or nothing; replace what it has of these checkpoints.

    `cases` and `timings` are those of `--format json`, by the checkpoint's number in the run.
    """
    statements = load_statements("parity_runs")
    tables = {
        "outputs": (cases, "parity_cases"),
        "cases": (cases, "parity_cases"),
        "timings": (timings, "parity_timings"),
    }
    with store.transaction():
        firsts = {
            table: store.fetch_one(
                f"SELECT coalesce(max(number), 0) FROM {numbered_by} WHERE run = ?", [run]
            )[0]
            for table, (_, numbered_by) in tables.items()
        }
        for table in tables:
            values = {"run": run, "checkpoint_numbers": [*cases]}
            store.execute(statements[f"delete_{table}"], values)
        for table, (rows_by_number, _) in tables.items():
            items = [
                {**row, "checkpoint_number": number, "threads": environment["threads"]}
                for number, rows in rows_by_number.items()
                for row in rows
            ]
            values = {"run": run, "first": firsts[table], "items": json.dumps(items)}
            statement = statements[f"insert_{table}"].format(items=statements["items"])
            store.execute(statement, values)
        values = {"run": run, "environment": json.dumps(environment)}
        store.execute(statements["update_environment"], values)


def finish_run(store: Store, run: int, *, finished_at: str, agree: bool) -> None:
    """Mark a run as finished."""
    values = {"run": run, "finished_at": finished_at, "agree": agree}
    store.execute(load_statements("parity_runs")["finish_run"], values)


def count_runs(store: Store) -> int:
    return int(store.fetch_one("SELECT count(*) FROM parity_runs")[0])
