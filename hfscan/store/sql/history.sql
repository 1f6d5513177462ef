-- Statements of history.py, by name. {state} is a hash of the columns of a version that make its
-- state; `staged` has it as a column. A model has the version or the counts at a position whose
-- interval contains it. 2147483647 stands for no end where ends are compared.

-- name: find_position
SELECT
    this.series_id,
    coalesce(max(other.position) FILTER (other.position < this.position), 0),
    this.position,
    min(other.position) FILTER (other.position > this.position)
FROM snapshots AS this JOIN snapshots AS other USING (series_id)
WHERE this.id = $snapshot
GROUP BY ALL

-- name: find_neighbours
SELECT
    any_value(series_id),
    coalesce(max(position) FILTER (observed_to <= $observed_to), 0),
    min(position) FILTER (observed_to > $observed_to)
FROM snapshots
WHERE since IS NOT DISTINCT FROM $since AND until IS NOT DISTINCT FROM $until
    AND author IS NOT DISTINCT FROM $author AND task IS NOT DISTINCT FROM $task
    AND model_limit IS NOT DISTINCT FROM $model_limit AND sample IS NOT DISTINCT FROM $sample
    AND sample_design IS NOT DISTINCT FROM $sample_design
    AND synthetic IS NOT DISTINCT FROM $synthetic AND missing_columns = $missing_columns

-- name: find_touched_models
-- of an update: those that it fetched, or that changed between its base and the previous snapshot
CREATE TEMP TABLE touched AS
SELECT model FROM versions
WHERE series_id = $series_id AND (
    key IN (SELECT key FROM staged)
    OR valid_from > $base AND valid_from <= $previous OR valid_to > $base AND valid_to <= $previous
)
UNION
SELECT model FROM current_counts
WHERE series_id = $series_id AND valid_from > $base AND valid_from <= $previous
UNION
SELECT model FROM counts_history
WHERE series_id = $series_id AND (
    valid_from > $base AND valid_from <= $previous OR valid_to > $base AND valid_to <= $previous
)

-- name: number_first_models
-- of a series without snapshots: nothing to match. Numbers follow the rows of each part of `staged`,
-- which needs no sort and no update.
CREATE TEMP TABLE seen AS
WITH parts AS (
    SELECT part, coalesce(sum(max(row) - (part << 32) + 1) OVER earlier, 0) AS models_before
    FROM staged
    GROUP BY part
    WINDOW earlier AS (ORDER BY part ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
)
SELECT
    row, NULL::BIGINT AS version, (models_before + row - (part << 32) + 1)::INTEGER AS model,
    state, false AS is_same, downloads, downloads_all_time, likes
FROM staged JOIN parts USING (part)

-- name: match_models
CREATE TEMP TABLE seen AS
WITH old AS (
    SELECT rowid AS version, key, model, {state} AS state
    FROM versions
    WHERE series_id = $series_id AND {is_touched}
        AND valid_from <= $previous AND (valid_to IS NULL OR valid_to > $previous)
)
SELECT
    staged.row, version, model, staged.state, old.state IS NOT DISTINCT FROM staged.state AS is_same,
    CASE WHEN model IS NULL THEN key END AS new_key,
    staged.downloads, staged.downloads_all_time, staged.likes
FROM staged FULL JOIN old USING (key)

-- name: number_models
UPDATE seen SET model = numbered.model
FROM (
    SELECT row, coalesce(
        known.model, (SELECT coalesce(max(model), 0) FROM versions WHERE series_id = $series_id)
            + row_number() OVER (PARTITION BY known.model IS NULL)
    )::INTEGER AS model
    FROM seen LEFT JOIN (
        SELECT DISTINCT key, model FROM versions
        WHERE series_id = $series_id AND key IN (SELECT new_key FROM seen)
    ) AS known ON key = new_key
    WHERE new_key IS NOT NULL
) AS numbered
WHERE seen.row = numbered.row

-- name: find_new_versions
CREATE TEMP TABLE new_versions AS SELECT row, version, model, state FROM seen WHERE NOT is_same

-- name: forget_gone_models
DELETE FROM seen WHERE row IS NULL

-- name: split_old_versions
INSERT INTO versions
SELECT * REPLACE ($next AS valid_from) FROM versions
WHERE rowid IN (SELECT version FROM new_versions) AND coalesce(valid_to > $next, true)

-- name: end_old_versions
UPDATE versions SET valid_to = $position WHERE rowid IN (SELECT version FROM new_versions)

-- name: find_reused_versions
CREATE TEMP TABLE reused AS
WITH later AS (
    SELECT rowid AS version, model, {state} AS state
    FROM versions WHERE series_id = $series_id AND valid_from = $next
)
SELECT later.version, model FROM new_versions JOIN later USING (model, state)

-- name: extend_reused_versions
UPDATE versions SET valid_from = $position WHERE rowid IN (SELECT version FROM reused)

-- name: skip_reused_versions
DELETE FROM new_versions WHERE model IN (SELECT model FROM reused)

-- name: list_batches
SELECT min(part), max(part), min(low), max(high)
FROM (
    SELECT part, min(row) AS low, max(row) AS high,
        (sum(count(*)) OVER (ORDER BY part) - 1) // $rows AS batch
    FROM staged JOIN new_versions USING (row)
    GROUP BY part
)
GROUP BY batch

-- name: create_batch
CREATE TEMP {kind} batch AS
SELECT * RENAME (row AS rowid)
FROM staged_parts({first}, {last})
JOIN (SELECT row, model FROM new_versions WHERE row BETWEEN {low} AND {high}) USING (row)

-- name: insert_batch
INSERT INTO versions BY NAME
SELECT $series_id AS series_id, model, $position AS valid_from, $next AS valid_to,
    {columns}, tag_mask, weights_mask, loadable_4_mask, loadable_5_mask, best_mask
FROM batch JOIN ({masks}) AS masks ON masks.row = batch.rowid

-- name: delete_versions
DELETE FROM versions
WHERE series_id = $series_id AND valid_from = $position AND valid_to IS NOT DISTINCT FROM $next

-- name: delay_versions
UPDATE versions SET valid_from = $next WHERE series_id = $series_id AND valid_from = $position

-- name: extend_versions
UPDATE versions SET valid_to = $next WHERE series_id = $series_id AND valid_to = $position

-- name: find_joined_versions
CREATE TEMP TABLE joined AS
WITH states AS (
    SELECT rowid AS version, model, valid_from, valid_to, {state} AS state
    FROM versions WHERE series_id = $series_id AND ($next IN (valid_from, valid_to))
)
SELECT earlier.version AS earlier, later.version AS later, later.valid_to
FROM states AS earlier JOIN states AS later USING (model, state)
WHERE earlier.valid_to = $next AND later.valid_from = $next

-- name: join_versions
UPDATE versions SET valid_to = joined.valid_to FROM joined WHERE versions.rowid = joined.earlier

-- name: delete_joined_versions
DELETE FROM versions WHERE rowid IN (SELECT later FROM joined)

-- name: find_changed_counts
CREATE TEMP TABLE changed_models AS
WITH old AS (
    SELECT model, downloads, downloads_all_time, likes FROM current_counts
    WHERE series_id = $series_id AND {is_touched} AND valid_from <= $previous
    UNION ALL
    SELECT model, downloads, downloads_all_time, likes FROM counts_history
    WHERE $next IS NOT NULL AND {is_touched}
        AND series_id = $series_id AND valid_from <= $previous AND valid_to > $previous
)
SELECT model FROM seen FULL JOIN old USING (model)
WHERE seen.model IS NULL OR old.model IS NULL
    OR seen.downloads IS DISTINCT FROM old.downloads
    OR seen.downloads_all_time IS DISTINCT FROM old.downloads_all_time
    OR seen.likes IS DISTINCT FROM old.likes

-- name: find_removed_counts
CREATE TEMP TABLE changed_models AS
SELECT model FROM current_counts WHERE series_id = $series_id AND valid_from = $position
UNION
SELECT model FROM counts_history
WHERE series_id = $series_id AND $position IN (valid_from, valid_to)

-- name: find_overlapping_counts
CREATE TEMP TABLE overlapping AS
SELECT * EXCLUDE (series_id) FROM (
    SELECT *, 2147483647 AS valid_to FROM current_counts
    UNION ALL BY NAME
    FROM counts_history WHERE $with_history
) JOIN changed_models USING (model)
WHERE series_id = $series_id AND (
    valid_from <= $previous AND valid_to > $previous
    OR valid_from <= $position AND valid_to > $position
    OR valid_from <= $next AND valid_to > $next
)

-- name: delete_overlapping_current_counts
DELETE FROM current_counts
WHERE series_id = $series_id AND valid_from <= coalesce($next, $position)
    AND model IN (SELECT model FROM overlapping)

-- name: delete_overlapping_counts_history
DELETE FROM counts_history
WHERE series_id = $series_id AND model IN (SELECT model FROM overlapping) AND (
    valid_from <= $previous AND valid_to > $previous
    OR valid_from <= $position AND valid_to > $position
    OR valid_from <= $next AND valid_to > $next
)

-- name: cut_intervals
CREATE TEMP TABLE pieces AS
SELECT model, valid_from, $until AS valid_to, downloads, downloads_all_time, likes
FROM overlapping WHERE valid_from <= $previous AND valid_to > $previous
UNION ALL
SELECT model, $position, coalesce($next, 2147483647), downloads, downloads_all_time, likes
FROM seen JOIN changed_models USING (model)
UNION ALL
SELECT model, $next, valid_to, downloads, downloads_all_time, likes
FROM overlapping WHERE valid_from <= $next AND valid_to > $next

-- name: merge_intervals
CREATE TEMP TABLE intervals AS
WITH marked AS (
    SELECT *,
        lag(valid_to) OVER earlier IS NOT DISTINCT FROM valid_from
        AND lag(downloads) OVER earlier IS NOT DISTINCT FROM downloads
        AND lag(downloads_all_time) OVER earlier IS NOT DISTINCT FROM downloads_all_time
        AND lag(likes) OVER earlier IS NOT DISTINCT FROM likes AS continues
    FROM pieces WINDOW earlier AS (PARTITION BY model ORDER BY valid_from)
),
runs AS (
    SELECT *, count(*) FILTER (NOT continues) OVER (PARTITION BY model ORDER BY valid_from) AS run
    FROM marked
)
SELECT
    model, min(valid_from) AS valid_from, max(valid_to) AS valid_to,
    downloads, downloads_all_time, likes
FROM runs GROUP BY model, run, downloads, downloads_all_time, likes

-- name: insert_current_counts
INSERT INTO current_counts BY NAME
SELECT $series_id AS series_id, model, valid_from, downloads, downloads_all_time, likes
FROM intervals WHERE valid_to = 2147483647
ORDER BY {packed}

-- name: insert_counts_history
INSERT INTO counts_history BY NAME
SELECT $series_id AS series_id, model, valid_from, valid_to, downloads, downloads_all_time, likes
FROM intervals WHERE valid_to < 2147483647
ORDER BY {packed}
