"""Store parity runs, and draw samples of models to compare. The SQL is in sql/parity_runs.sql."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hfscan.store.database import Store
from hfscan.store.schema import load_statements


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


def record_run(store: Store, report: Mapping[str, Any], snapshot: int | None = None) -> int:
    """Store a parity report (the document of `--format json`), all of it or nothing.

    `snapshot` is the snapshot that its models were drawn from. Return the run's id.
    """
    statements = load_statements("parity_runs")
    environment = report["environment"]
    run = {key: report[key] for key in ("started_at", "finished_at", "agree", "hfscan_version")}
    run |= {"snapshot": snapshot, "environment": json.dumps(environment)}
    with store.transaction():
        (id_,) = store.fetch_one(statements["insert_run"], run)
        cases = {"run": id_, "items": json.dumps(report["cases"])}
        timings = {"run": id_, "items": json.dumps(report["measurements"])}
        timings |= {"threads": environment["threads"]}
        tables = {"insert_cases": cases, "insert_outputs": cases, "insert_timings": timings}
        for name, parameters in tables.items():
            store.execute(statements[name].format(items=statements["items"]), parameters)
    return int(id_)


def count_runs(store: Store) -> int:
    return int(store.fetch_one("SELECT count(*) FROM parity_runs")[0])
