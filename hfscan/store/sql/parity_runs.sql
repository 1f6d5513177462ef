-- Statements of parity.py, by name. `$items` is a JSON list; `number` is the position in it.

-- name: items
SELECT unnest(items) AS item, $first + generate_subscripts(items, 1) AS number
FROM (SELECT CAST(CAST($items AS JSON) AS JSON[]) AS items)

-- name: insert_run
INSERT INTO parity_runs BY NAME
SELECT
    CAST($started_at AS TIMESTAMP) AS started_at,
    $hfscan_version AS hfscan_version,
    $snapshot AS snapshot,
    $checkpoints AS checkpoints,
    $sweep AS sweep,
    $environment AS environment
RETURNING id

-- name: find_run
SELECT id, finished_at IS NOT NULL FROM parity_runs WHERE sweep = $sweep ORDER BY id DESC LIMIT 1

-- name: update_environment
UPDATE parity_runs SET environment = $environment WHERE id = $run

-- name: finish_run
UPDATE parity_runs SET finished_at = CAST($finished_at AS TIMESTAMP), agree = $agree WHERE id = $run

-- name: delete_outputs
DELETE FROM parity_outputs
WHERE run = $run AND number IN (
    SELECT number FROM parity_cases
    WHERE run = $run AND list_contains($checkpoint_numbers, checkpoint_number)
)

-- name: delete_cases
DELETE FROM parity_cases WHERE run = $run AND list_contains($checkpoint_numbers, checkpoint_number)

-- name: delete_timings
DELETE FROM parity_timings WHERE run = $run AND list_contains($checkpoint_numbers, checkpoint_number)

-- name: insert_cases
INSERT INTO parity_cases BY NAME
SELECT
    $run AS run,
    number,
    CAST(item ->> '$.checkpoint_number' AS INTEGER) AS checkpoint_number,
    item ->> '$.checkpoint' AS checkpoint,
    item ->> '$.revision' AS revision,
    item ->> '$.architecture' AS architecture,
    item ->> '$.weights.file' AS file,
    item ->> '$.weights.format' AS format,
    item ->> '$.weights.sha256' AS sha256,
    item ->> '$.backend' AS backend,
    item ->> '$.device' AS device,
    item ->> '$.dtype' AS dtype,
    item ->> '$.load_method' AS load_method,
    item ->> '$.verdict' AS verdict,
    item ->> '$.reason' AS reason,
    CAST(item -> '$.loading.missing' AS VARCHAR[]) AS missing,
    CAST(item -> '$.loading.unexpected' AS VARCHAR[]) AS unexpected,
    CAST(item -> '$.loading.mismatched' AS VARCHAR[]) AS mismatched,
    CAST(item -> '$.loading.unset' AS VARCHAR[]) AS unset,
    CAST(item ->> '$.tf32_rel_l2' AS DOUBLE) AS tf32_rel_l2,
    item ->> '$.first_divergent_layer' AS first_divergent_layer,
    CAST(item ->> '$.reference.backend_error' AS DOUBLE) AS backend_error,
    CAST(item ->> '$.reference.baseline_error' AS DOUBLE) AS baseline_error,
    item ->> '$.reference.suspect_backend' AS suspect_backend,
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
FROM ({items})

-- name: insert_outputs
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
FROM (SELECT number, unnest(CAST(item -> '$.outputs' AS JSON[])) AS item FROM ({items}))

-- name: insert_timings
INSERT INTO parity_timings BY NAME
SELECT
    $run AS run,
    number,
    CAST(item ->> '$.checkpoint_number' AS INTEGER) AS checkpoint_number,
    item ->> '$.checkpoint' AS checkpoint,
    item ->> '$.architecture' AS architecture,
    item ->> '$.mode' AS mode,
    item ->> '$.backend' AS backend,
    item ->> '$.variant' AS variant,
    item ->> '$.device' AS device,
    item ->> '$.dtype' AS dtype,
    CAST(item ->> '$.threads' AS INTEGER) AS threads,
    item -> '$.inputs' AS inputs,
    CAST(item ->> '$.own_process' AS BOOLEAN) AS own_process,
    CAST(item ->> '$.first_call_seconds' AS DOUBLE) AS first_call_seconds,
    CAST(item -> '$.milliseconds' AS DOUBLE[]) AS milliseconds,
    CAST(item -> '$.cpu_milliseconds' AS DOUBLE[]) AS cpu_milliseconds,
    CAST(item -> '$.losses' AS DOUBLE[]) AS losses,
    CAST(item ->> '$.load_average[0]' AS DOUBLE) AS load_before,
    CAST(item ->> '$.load_average[1]' AS DOUBLE) AS load_after,
    CAST(item ->> '$.peak_rss_mb' AS DOUBLE) AS peak_rss_mb,
    CAST(item ->> '$.peak_gpu_mb' AS DOUBLE) AS peak_gpu_mb,
    item ->> '$.fault' AS fault
FROM ({items})

-- name: draw_sample
WITH both_frameworks AS (
    SELECT
        id,
        sha,
        coalesce(
            model_type,
            list_filter(tags, lambda tag: list_contains($model_types, tag))[1],
            '(unknown)'
        ) AS model_type,
        CAST(floor(log10(greatest(1, downloads))) AS INTEGER) AS magnitude
    FROM models_in($snapshot)
    WHERE bit_count(tag_mask & $mask) = bit_count($mask::UBIGINT)
        AND coalesce(gated, 'false') = 'false'  -- else its files need a permission
),
ranked AS (
    SELECT
        *,
        -- an order that the ids alone decide
        row_number() OVER (PARTITION BY model_type, magnitude ORDER BY md5(id)) AS place,
        count(*) OVER (PARTITION BY model_type, magnitude) AS size
    FROM both_frameworks
)
SELECT id, sha, model_type, magnitude, size, count(*) OVER () AS population
FROM ranked
ORDER BY place, size DESC, model_type, magnitude DESC
LIMIT $count
