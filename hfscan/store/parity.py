"""Keeps the results of parity runs; the only place that writes them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

_SCHEMA = Path(__file__).with_name("parity.sql")

_RUN = """
INSERT INTO parity_runs BY NAME
SELECT
    CAST($started_at AS TIMESTAMP) AS started_at,
    CAST($finished_at AS TIMESTAMP) AS finished_at,
    $hfscan AS hfscan,
    $source AS source,
    $agree AS agree,
    $environment AS environment
RETURNING id
"""

_CASES = """
INSERT INTO parity_cases BY NAME
SELECT
    $run AS run,
    number,
    item ->> '$.checkpoint' AS checkpoint,
    item ->> '$.revision' AS revision,
    item ->> '$.architecture' AS architecture,
    item ->> '$.weights.file' AS file,
    item ->> '$.weights.format' AS format,
    item ->> '$.weights.sha256' AS sha256,
    item ->> '$.lane' AS lane,
    item ->> '$.device' AS device,
    item ->> '$.dtype' AS dtype,
    item ->> '$.route' AS route,
    item ->> '$.verdict' AS verdict,
    item ->> '$.reason' AS reason,
    CAST(item -> '$.loading.missing' AS VARCHAR[]) AS missing,
    CAST(item -> '$.loading.unexpected' AS VARCHAR[]) AS unexpected,
    CAST(item -> '$.loading.mismatched' AS VARCHAR[]) AS mismatched,
    CAST(item -> '$.loading.unset' AS VARCHAR[]) AS unset,
    item ->> '$.first_divergent_layer' AS first_divergent_layer,
    CAST(item ->> '$.reference.lane_error' AS DOUBLE) AS lane_error,
    CAST(item ->> '$.reference.baseline_error' AS DOUBLE) AS baseline_error,
    item ->> '$.reference.off_side' AS off_side,
    CAST(item ->> '$.top1_agreement' AS DOUBLE) AS top1_agreement,
    CAST(item ->> '$.top5_agreement' AS DOUBLE) AS top5_agreement,
    CAST(item ->> '$.generated_equal' AS BOOLEAN) AS generated_equal,
    CAST(item ->> '$.load_seconds' AS DOUBLE) AS load_seconds,
    CAST(item ->> '$.first_call_seconds' AS DOUBLE) AS first_call_seconds,
    CAST(item ->> '$.latency_ms.p50' AS DOUBLE) AS latency_p50_ms,
    CAST(item ->> '$.latency_ms.p90' AS DOUBLE) AS latency_p90_ms,
    CAST(item ->> '$.latency_ms.n' AS INTEGER) AS latency_n,
    CAST(item ->> '$.peak_rss_mb' AS DOUBLE) AS peak_rss_mb,
    CAST(item ->> '$.peak_gpu_mb' AS DOUBLE) AS peak_gpu_mb,
    CAST(item -> '$.notes' AS VARCHAR[]) AS notes
FROM (
    SELECT unnest(items) AS item, generate_subscripts(items, 1) AS number
    FROM (SELECT CAST(CAST($cases AS JSON) AS JSON[]) AS items)
)
"""

_OUTPUTS = """
INSERT INTO parity_outputs BY NAME
SELECT
    $run AS run,
    number,
    item ->> '$.name' AS name,
    item ->> '$.region' AS region,
    CAST(item ->> '$.max_abs' AS DOUBLE) AS max_abs,
    CAST(item ->> '$.rel_l2' AS DOUBLE) AS rel_l2,
    CAST(item ->> '$.cosine' AS DOUBLE) AS cosine,
    CAST(item ->> '$.finite' AS BOOLEAN) AS finite,
    item ->> '$.dtype' AS dtype,
    CAST(item ->> '$.tolerance' AS DOUBLE) AS tolerance
FROM (
    SELECT number, unnest(CAST(parent -> '$.outputs' AS JSON[])) AS item
    FROM (
        SELECT unnest(items) AS parent, generate_subscripts(items, 1) AS number
        FROM (SELECT CAST(CAST($cases AS JSON) AS JSON[]) AS items)
    )
)
"""


def record(
    connection: duckdb.DuckDBPyConnection, report: Mapping[str, Any], source: int | None = None
) -> int:
    """Keep one parity report (the document of `--format json`), all of it or nothing.

    `source` is the observation its models were drawn from. Return the run's id.
    """
    cases = json.dumps(report["cases"])
    connection.execute("BEGIN")
    try:
        connection.execute(_SCHEMA.read_text(encoding="utf-8"))
        run = connection.execute(
            _RUN,
            {name: report[name] for name in ("started_at", "finished_at", "hfscan", "agree")}
            | {"source": source, "environment": json.dumps(report["environment"])},
        ).fetchone()
        assert run is not None
        for statement in (_CASES, _OUTPUTS):
            connection.execute(statement, {"run": run[0], "cases": cases})
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return int(run[0])
