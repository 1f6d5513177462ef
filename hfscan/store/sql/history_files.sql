-- Statements of history_files.py, by name.

-- name: list_snapshots
SELECT id, lag(id, 1, 0) OVER (PARTITION BY series_id ORDER BY position), observed_to
FROM {snapshots}

-- name: versions
WITH saved AS (SELECT id AS snapshot, series_id, position FROM snapshots WHERE id IN ({ids}))
SELECT snapshot, false AS gone, * EXCLUDE (
    snapshot, series_id, position, valid_from, valid_to,
    tag_mask, weights_mask, loadable_4_mask, loadable_5_mask, best_mask
)
FROM versions JOIN saved USING (series_id) WHERE position = valid_from
UNION ALL BY NAME
SELECT snapshot, true AS gone, model, key  -- of a removed model, only these
FROM versions JOIN saved USING (series_id)
ANTI JOIN (  -- not a part of its own: all columns would be held in memory
    SELECT snapshot, model FROM versions JOIN saved USING (series_id) WHERE position = valid_from
) AS begun USING (snapshot, model)
WHERE position = valid_to

-- name: counts
WITH saved AS (SELECT id AS snapshot, series_id, position FROM snapshots WHERE id IN ({ids}))
SELECT snapshot, model, downloads, downloads_all_time, likes
FROM current_counts JOIN saved ON saved.series_id = current_counts.series_id AND position = valid_from
UNION ALL
SELECT snapshot, model, downloads, downloads_all_time, likes
FROM counts_history JOIN saved ON saved.series_id = counts_history.series_id AND position = valid_from

-- name: create_intervals
-- wide columns stay out of the window
CREATE TEMP TABLE intervals AS
SELECT snapshot, model, gone, position AS valid_from,
    lead(position) OVER (PARTITION BY series_id, model ORDER BY position) AS valid_to,
    combination
FROM (SELECT snapshot, model, gone FROM {versions}) AS events
JOIN (SELECT id AS snapshot, series_id, position FROM snapshots) USING (snapshot)
LEFT JOIN (
    SELECT snapshot, unnest(models) AS model, combination FROM {masks}
) USING (snapshot, model)

-- name: insert_versions
INSERT INTO versions BY NAME
SELECT series_id, valid_from, valid_to, seen.* EXCLUDE (snapshot, gone),
    masks.* EXCLUDE (snapshot, models, combination)
FROM {versions} AS seen
JOIN intervals USING (snapshot, model)
JOIN (SELECT id AS snapshot, series_id FROM snapshots) USING (snapshot)
LEFT JOIN {masks} AS masks USING (combination)
WHERE NOT seen.gone

-- name: masks
SELECT snapshot, tag_mask, weights_mask, loadable_4_mask, loadable_5_mask, best_mask,
    list(model ORDER BY model) AS models
FROM versions JOIN (
    SELECT id AS snapshot, series_id, position AS valid_from FROM snapshots
) USING (series_id, valid_from)
GROUP BY ALL
ORDER BY snapshot, min(model)

-- name: choose_versions
-- those without masks, and some of the others
CREATE TEMP TABLE chosen AS
WITH known AS (
    SELECT series_id, model, valid_from, combination
    FROM intervals JOIN (SELECT id AS snapshot, series_id FROM snapshots) USING (snapshot)
    WHERE NOT gone
)
SELECT versions.rowid, combination IS NULL AS is_new, id, tags, library_name, files, model_type,
    architectures, tag_mask, weights_mask, loadable_4_mask, loadable_5_mask, best_mask
FROM versions JOIN (
    FROM known WHERE combination IS NULL
    UNION ALL
    FROM (FROM known WHERE combination IS NOT NULL) USING SAMPLE {checked} ROWS
) USING (series_id, model, valid_from)

-- name: create_count_intervals
CREATE TEMP TABLE count_intervals AS
SELECT * EXCLUDE (snapshot, position, gone), position AS valid_from,
    lead(position) OVER (PARTITION BY series_id, model ORDER BY position) AS valid_to, gone
FROM (
    SELECT *, false AS gone FROM {counts}
    UNION ALL BY NAME SELECT snapshot, model, gone FROM intervals WHERE gone
) JOIN (SELECT id AS snapshot, series_id, position FROM snapshots) USING (snapshot)

-- name: insert_current_counts
INSERT INTO current_counts BY NAME
SELECT * EXCLUDE (gone, valid_to) FROM count_intervals WHERE NOT gone AND valid_to IS NULL
ORDER BY {packed}

-- name: insert_counts_history
INSERT INTO counts_history BY NAME
SELECT * EXCLUDE (gone) FROM count_intervals WHERE NOT gone AND valid_to IS NOT NULL
ORDER BY {packed}

-- name: find_wrong_snapshot
WITH intervals AS (
    SELECT 'versions' AS part, series_id, valid_from, valid_to FROM versions
    UNION ALL SELECT 'counts', series_id, valid_from, NULL FROM current_counts
    UNION ALL SELECT 'counts', series_id, valid_from, valid_to FROM counts_history
),
moves AS (
    SELECT part, series_id, valid_from AS position, 1 AS models FROM intervals
    UNION ALL
    SELECT part, series_id, valid_to, -1 FROM intervals WHERE valid_to IS NOT NULL
),
changes AS (SELECT part, series_id, position, sum(models) AS change FROM moves GROUP BY ALL),
parts AS (
    SELECT id, models, series_id, position, unnest(['versions', 'counts']) AS part FROM snapshots
)
SELECT id FROM parts LEFT JOIN changes USING (part, series_id, position)
QUALIFY models
    <> sum(coalesce(change, 0)) OVER (PARTITION BY part, series_id ORDER BY position)
