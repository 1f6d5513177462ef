-- Turnover: which models came and went between snapshots.

-- The snapshots that hold so many fewer models than their neighbours of the same scope that a part is
-- missing. The Hub grows by thousands of models a day and loses few.
CREATE MACRO IF NOT EXISTS partial_snapshots(earlier_ratio, later_ratio) AS TABLE
WITH neighbours AS (
    SELECT
        id, models, observed_to,
        lag(id) OVER by_time AS earlier,
        lag(models) OVER by_time AS earlier_models,
        lead(id) OVER by_time AS later,
        lead(models) OVER by_time AS later_models,
        lead(observed_to) OVER by_time AS later_at
    FROM snapshots
    WHERE sample IS NULL AND until IS NULL  -- samples differ by chance, closed periods only lose models
    WINDOW by_time AS (
        PARTITION BY since, author, task, model_limit, synthetic ORDER BY observed_to, id
    )
),
compared AS (
    SELECT *, coalesce(models < earlier_ratio * earlier_models, false) AS is_fewer_than_before
    FROM neighbours
)
SELECT
    id AS snapshot, observed_to, models,
    CASE WHEN is_fewer_than_before THEN earlier ELSE later END AS compared_with,
    CASE WHEN is_fewer_than_before THEN earlier_models ELSE later_models END AS compared_models
FROM compared
WHERE
    is_fewer_than_before
    OR (later_at <= observed_to + INTERVAL 7 DAY AND models < later_ratio * later_models);

-- The snapshots that show which models the Hub does not have: complete, of all models, no updates (these
-- do not see removals), not partial. `number` counts them, oldest first. Synthetic ones only if all are.
CREATE VIEW IF NOT EXISTS full_snapshots AS
SELECT
    id, observed_from, observed_to, models, series_id, position,
    NOT list_contains(missing_columns, '_id') AS has_ids,
    row_number() OVER (ORDER BY observed_to, id) AS number
FROM snapshots
WHERE
    complete AND kind <> 'update'
    AND since IS NULL AND until IS NULL AND author IS NULL AND task IS NULL
    AND model_limit IS NULL AND sample IS NULL
    AND synthetic IS NOT DISTINCT FROM (
        SELECT synthetic FROM snapshots ORDER BY synthetic IS NULL DESC, observed_to DESC, id DESC LIMIT 1
    )
    AND id NOT IN (SELECT snapshot FROM partial_snapshots(0.99, 0.9));

-- Each full snapshot with the next one, whose `number` the pair has. `by_id`: both have `_id`, which
-- survives a rename.
CREATE VIEW IF NOT EXISTS snapshot_pairs AS
SELECT
    new.number, old.id AS earlier, new.id AS later,
    old.observed_from AS since, old.observed_to AS earlier_at, new.observed_to AS until,
    old.models AS earlier_models, new.models AS later_models,
    old.series_id AS earlier_series, old.position AS earlier_position,
    new.series_id AS later_series, new.position AS later_position,
    old.has_ids AND new.has_ids AS by_id
FROM full_snapshots AS old JOIN full_snapshots AS new ON new.number = old.number + 1;

-- What became of models from one full snapshot to the next: a row for each model of which the two do not
-- hold the same version. `id_before` is NULL where it was added, and `is_back` where it had been removed
-- before; `id_after` is NULL where it was removed, and `returns` where it was added again later. `model`
-- is its `_id`; without `_id` its name, and a renamed model counts as removed and added unless the Hub
-- redirects the old name (creation_dates).
CREATE VIEW IF NOT EXISTS version_changes AS
WITH within_series AS (  -- only versions that begin or end between the two
    SELECT snapshot_pairs.*, snapshots.position
    FROM snapshot_pairs
    JOIN snapshots ON series_id = earlier_series AND series_id = later_series
        AND snapshots.position > earlier_position AND snapshots.position <= later_position
),
between_series AS (FROM snapshot_pairs WHERE earlier_series <> later_series),
ended AS (
    SELECT number, by_id, key AS model, id, created_at, at_cutoff
    FROM versions JOIN within_series ON series_id = earlier_series AND valid_to = within_series.position
    WHERE valid_from <= earlier_position
    UNION ALL
    SELECT number, by_id, CASE WHEN by_id THEN key ELSE id END, id, created_at, at_cutoff
    FROM versions JOIN between_series ON series_id = earlier_series
    WHERE valid_from <= earlier_position AND (valid_to IS NULL OR valid_to > earlier_position)
),
begun AS (
    SELECT number, by_id, key AS model, id, created_at, at_cutoff
    FROM versions JOIN within_series ON series_id = later_series AND valid_from = within_series.position
    WHERE valid_to IS NULL OR valid_to > later_position
    UNION ALL
    SELECT number, by_id, CASE WHEN by_id THEN key ELSE id END, id, created_at, at_cutoff
    FROM versions JOIN between_series ON series_id = later_series
    WHERE valid_from <= later_position AND (valid_to IS NULL OR valid_to > later_position)
),
paired AS MATERIALIZED (
    SELECT
        number, by_id, model, ended.id AS id_before, begun.id AS id_after,
        ended.created_at AS created_before, begun.created_at AS created_after,
        ended.at_cutoff AS at_cutoff_before, begun.at_cutoff AS at_cutoff_after
    FROM ended FULL JOIN begun USING (number, by_id, model)
),
redirected AS MATERIALIZED (  -- one model, where the Hub redirects the removed name to the added one
    SELECT
        number, false AS by_id, added.model, removed.id_before, added.id_after,
        removed.created_before, added.created_after, removed.at_cutoff_before, added.at_cutoff_after
    FROM creation_dates AS moved
    JOIN paired AS removed ON removed.model = moved.id
    JOIN paired AS added USING (number)
    WHERE added.model = moved.moved_to
        AND removed.id_after IS NULL AND added.id_before IS NULL AND NOT removed.by_id
    QUALIFY row_number() OVER (PARTITION BY number, added.model ORDER BY moved.id) = 1
),
changes AS MATERIALIZED (
    FROM redirected
    UNION ALL
    FROM paired
    WHERE (number, coalesce(id_before, id_after)) NOT IN (
        SELECT (number, unnest([id_before, id_after])) FROM redirected
    )
),
absences AS MATERIALIZED (
    SELECT removed.number AS removed_in, removed.model, min_by((added.number, added.model), added.number) AS addition
    FROM changes AS removed
    JOIN changes AS added ON added.model = removed.model
    WHERE removed.id_after IS NULL AND added.id_before IS NULL AND removed.number < added.number
    GROUP BY ALL
    UNION  -- where `_id` is known at one end only
    SELECT removed.number, removed.model, min_by((added.number, added.model), added.number)
    FROM changes AS removed
    JOIN changes AS added ON added.id_after = removed.id_before AND added.by_id <> removed.by_id
    WHERE removed.id_after IS NULL AND added.id_before IS NULL AND removed.number < added.number
    GROUP BY ALL
)
SELECT
    *,
    (number, model) IN (SELECT addition FROM absences) AS is_back,
    (number, model) IN (SELECT (removed_in, model) FROM absences) AS returns
FROM changes;

-- The states of one model, by a repo id that it has or had, or its `_id`. If several models had that id, it is
-- the last of them. Snapshots without `_id` hold it under any of its ids that no other model had; other ids
-- are then known only if the Hub redirects them.
CREATE MACRO IF NOT EXISTS versions_of(sought) AS TABLE
WITH candidates AS (
    SELECT series_id, valid_from, valid_to, key, has_id FROM versions
    WHERE id = sought OR key = sought OR id IN (SELECT moved_to FROM creation_dates WHERE creation_dates.id = sought)
),
chosen AS MATERIALIZED (
    SELECT key, has_id
    FROM candidates JOIN snapshots USING (series_id)
    WHERE position >= valid_from AND (valid_to IS NULL OR position < valid_to)
    ORDER BY has_id DESC, observed_to DESC, key
    LIMIT 1
),
current_ids AS MATERIALIZED (SELECT DISTINCT versions.id FROM versions JOIN chosen USING (key, has_id)),
ids AS MATERIALIZED (
    SELECT id FROM (FROM current_ids UNION SELECT id FROM creation_dates WHERE moved_to IN (FROM current_ids))
    WHERE id NOT IN (
        SELECT versions.id FROM versions, chosen
        WHERE versions.has_id AND versions.key <> chosen.key
            AND versions.id IN (SELECT id FROM creation_dates WHERE moved_to IN (FROM current_ids) UNION FROM current_ids)
    )
)
SELECT versions.*
FROM versions
WHERE (key, has_id) IN (FROM chosen) OR (NOT has_id AND id IN (FROM ids));

-- The snapshots that saw one model, and those that show its absence (where `key` is NULL), oldest first.
-- An update saw only what changed; a partial snapshot shows no absence.
CREATE MACRO IF NOT EXISTS sightings_of(sought) AS TABLE
WITH states AS MATERIALIZED (FROM versions_of(sought)),
counts AS (
    SELECT series_id, model, valid_from, NULL AS valid_to, downloads, downloads_all_time, likes FROM current_counts
    UNION ALL
    FROM counts_history
),
seen AS (
    SELECT
        snapshots.id AS snapshot, observed_from, observed_to, missing_columns, synthetic,
        states.* EXCLUDE (series_id, model, valid_from, valid_to), downloads, downloads_all_time, likes
    FROM states
    JOIN snapshots ON snapshots.series_id = states.series_id
        AND position >= states.valid_from AND (states.valid_to IS NULL OR position < states.valid_to)
    JOIN counts ON counts.series_id = states.series_id AND counts.model = states.model
        AND position >= counts.valid_from AND (counts.valid_to IS NULL OR position < counts.valid_to)
    WHERE kind <> 'update' OR position IN (states.valid_from, counts.valid_from)
),
facts AS (
    SELECT min(observed_to) AS first_seen, min(created_at) AS created_at, any_value(synthetic) AS world FROM seen
)
FROM seen
UNION ALL BY NAME
SELECT id AS snapshot, observed_from, observed_to, missing_columns, synthetic
FROM snapshots, facts
WHERE
    snapshots.id NOT IN (SELECT snapshot FROM seen) AND observed_to > first_seen
    AND complete AND kind <> 'update' AND author IS NULL AND task IS NULL AND model_limit IS NULL AND sample IS NULL
    AND (since IS NULL OR created_at >= since) AND (until IS NULL OR created_at < until)
    AND synthetic IS NOT DISTINCT FROM world
    AND id NOT IN (SELECT snapshot FROM partial_snapshots(0.99, 0.9));

-- A value as a list, empty where the model has none; NULL where that is unknown.
CREATE MACRO IF NOT EXISTS known_list(val, field, missing_columns, not_understood) AS
CASE WHEN val IS NOT NULL THEN [val]
    WHEN NOT list_contains(list_concat(missing_columns, not_understood), field) THEN [] END;
