-- Turnover: which models came and went between snapshots.

-- The snapshots that hold so many fewer models than their neighbours of the same scope that a part is
-- missing. The Hub grows by thousands of models a day and loses few.
CREATE MACRO IF NOT EXISTS partial_snapshots(earlier_ratio, later_ratio) AS TABLE
WITH ordered AS (  -- those of one time a microsecond apart, as the frames below have times as bounds
    SELECT *, observed_to + to_microseconds(row_number() OVER (PARTITION BY observed_to ORDER BY id) - 1) AS moment
    FROM snapshots
),
neighbours AS (
    SELECT
        id, models, observed_to,
        -- of a week, so that of several partial ones in a row all are found
        coalesce(max_by(id, models) OVER week_before, lag(id) OVER by_time) AS earlier,
        coalesce(max(models) OVER week_before, lag(models) OVER by_time) AS earlier_models,
        max_by(id, models) OVER week_after AS later,
        max(models) OVER week_after AS later_models
    FROM ordered
    WHERE sample IS NULL AND until IS NULL  -- samples differ by chance, closed periods only lose models
    WINDOW
        by_time AS (PARTITION BY since, author, task, model_limit, synthetic ORDER BY moment),
        week_before AS (
            PARTITION BY since, author, task, model_limit, synthetic ORDER BY moment
            RANGE BETWEEN INTERVAL 7 DAY PRECEDING AND CURRENT ROW EXCLUDE GROUP
        ),
        week_after AS (
            PARTITION BY since, author, task, model_limit, synthetic ORDER BY moment
            RANGE BETWEEN CURRENT ROW AND INTERVAL 7 DAY FOLLOWING EXCLUDE GROUP
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
WHERE is_fewer_than_before OR models < later_ratio * later_models;

-- The partial ones by the ratios that queries/partial_snapshots.sql has by default.
CREATE VIEW IF NOT EXISTS implausible_snapshots AS
SELECT snapshot FROM partial_snapshots(0.99, 0.9);

-- The snapshots that show which models the Hub does not have: complete, of all models, no updates (these
-- do not see removals), not partial. `number` counts them, oldest first. Invented data and those of the
-- real Hub are never mixed: all are of the kind of the newest.
CREATE VIEW IF NOT EXISTS full_snapshots AS
WITH of_all_models AS (
    SELECT *
    FROM snapshots
    WHERE
        complete AND kind <> 'update'
        AND since IS NULL AND until IS NULL AND author IS NULL AND task IS NULL
        AND model_limit IS NULL AND sample IS NULL
        AND id NOT IN (SELECT snapshot FROM implausible_snapshots)
)
SELECT
    id, observed_from, observed_to, models, series_id, position,
    NOT list_contains(missing_columns, '_id') AS has_ids,
    row_number() OVER (ORDER BY observed_to, id) AS number
FROM of_all_models
WHERE synthetic IS NOT DISTINCT FROM (SELECT synthetic FROM of_all_models ORDER BY observed_to DESC, id DESC LIMIT 1);

-- Names that lead to another: redirects of the Hub, and models without account that got one in 2024.
CREATE VIEW IF NOT EXISTS redirects AS
SELECT id, moved_to FROM creation_dates WHERE moved_to IS NOT NULL
UNION
SELECT name, account || '/' || name FROM canonical_models();

-- The models that two snapshots, of which one has no `_id`, hold under two names, as far as is known: `id` is only in
-- the earlier one, and leads to `moved_to`, which is only in the later one.
CREATE MACRO IF NOT EXISTS known_renames(earlier_id, later_id) AS TABLE
WITH places AS (
    SELECT old.series_id AS old_series, old.position AS old_position, new.series_id AS new_series, new.position AS new_position
    FROM snapshots AS old, snapshots AS new
    WHERE old.id = existing_snapshot(earlier_id) AND new.id = existing_snapshot(later_id)
        AND list_contains(list_concat(old.missing_columns, new.missing_columns), '_id')
),
names AS MATERIALIZED (
    SELECT
        id,
        bool_or(series_id = old_series AND valid_from <= old_position AND (valid_to IS NULL OR valid_to > old_position)) AS is_old,
        bool_or(series_id = new_series AND valid_from <= new_position AND (valid_to IS NULL OR valid_to > new_position)) AS is_new
    FROM versions, places
    WHERE id IN (SELECT unnest([redirects.id, moved_to]) FROM redirects)
    GROUP BY id
)
SELECT old.id, moved_to
FROM redirects JOIN names AS old ON old.id = redirects.id JOIN names AS new ON new.id = moved_to
WHERE old.is_old AND NOT old.is_new AND new.is_new AND NOT new.is_old
QUALIFY
    row_number() OVER (PARTITION BY moved_to ORDER BY old.id) = 1
    AND row_number() OVER (PARTITION BY old.id ORDER BY moved_to) = 1;

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

-- Whether two dates of creation, of models by one name, are of different models. They are not where one is
-- unknown, or no later than the Hub's cutoff, or a mere day that agrees with the other.
CREATE MACRO IF NOT EXISTS is_recreated(date_before, date_after) AS
coalesce(
    abs(epoch(date_before) - epoch(date_after)) >= 60
    AND least(date_before, date_after) >= TIMESTAMP '2022-03-02 23:30:00'
    AND NOT (
        date_before::DATE = date_after::DATE
        AND (date_before = date_before::DATE OR date_after = date_after::DATE)
    ),
    false
);

-- What became of models from one full snapshot to the next: a row for each model of which the two do not
-- hold the same version. `id_before` is NULL where it was added, and `is_back` where it had been removed
-- before; `id_after` is NULL where it was removed, and `returns` where it was added again later. `model`
-- is its `_id`; without `_id` its name, and a renamed model counts as removed and added unless the Hub
-- redirects the old name.
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
        ended.at_cutoff AS at_cutoff_before, begun.at_cutoff AS at_cutoff_after,
        -- another model of the same name
        NOT by_id AND ended.id = begun.id AND is_recreated(ended.created_at, begun.created_at) AS is_replaced
    FROM ended FULL JOIN begun USING (number, by_id, model)
),
redirected AS MATERIALIZED (  -- one model, where the removed name leads to the added one
    SELECT added.* REPLACE (
        removed.id_before AS id_before, removed.created_before AS created_before,
        removed.at_cutoff_before AS at_cutoff_before
    )
    FROM redirects AS moved
    JOIN paired AS removed ON removed.model = moved.id
    JOIN paired AS added ON added.number = removed.number AND added.model = moved.moved_to
    WHERE removed.id_after IS NULL AND added.id_before IS NULL AND NOT removed.by_id
    QUALIFY row_number() OVER (PARTITION BY added.number, added.model ORDER BY moved.id) = 1
),
changes AS MATERIALIZED (
    FROM redirected
    UNION ALL
    FROM paired
    WHERE NOT coalesce(is_replaced, false) AND (number, coalesce(id_before, id_after)) NOT IN (
        SELECT (number, unnest([id_before, id_after])) FROM redirected
    )
    UNION ALL
    SELECT * REPLACE (NULL AS id_after, NULL AS created_after, NULL AS at_cutoff_after) FROM paired WHERE is_replaced
    UNION ALL
    SELECT * REPLACE (NULL AS id_before, NULL AS created_before, NULL AS at_cutoff_before) FROM paired WHERE is_replaced
),
absences AS MATERIALIZED (
    SELECT removed.number AS removed_in, removed.model, min_by((added.number, added.model), added.number) AS addition
    FROM changes AS removed
    JOIN changes AS added ON added.model = removed.model
    WHERE removed.id_after IS NULL AND added.id_before IS NULL AND removed.number < added.number
        AND (added.by_id OR NOT is_recreated(removed.created_before, added.created_after))
    GROUP BY ALL
    UNION  -- where `_id` is known at one end only
    SELECT removed.number, removed.model, min_by((added.number, added.model), added.number)
    FROM changes AS removed
    JOIN changes AS added ON added.id_after = removed.id_before AND added.by_id <> removed.by_id
    WHERE removed.id_after IS NULL AND added.id_before IS NULL AND removed.number < added.number
        AND NOT is_recreated(removed.created_before, added.created_after)
    GROUP BY ALL
)
SELECT
    * EXCLUDE (is_replaced),
    (number, model) IN (SELECT addition FROM absences) AS is_back,
    (number, model) IN (SELECT (removed_in, model) FROM absences) AS returns
FROM changes;

-- The states of one model, by a repo id that it has or had, or its `_id`. If several models had that id, it is
-- the last of them. Snapshots without `_id` hold it under any of its ids that no other model had; other ids
-- are then known only if they are redirected.
CREATE MACRO IF NOT EXISTS versions_of(sought) AS TABLE
WITH candidates AS (  -- apart, as each is fast alone
    SELECT series_id, valid_from, valid_to, key, has_id FROM versions WHERE id = sought
    UNION ALL
    SELECT series_id, valid_from, valid_to, key, has_id FROM versions WHERE key = sought
    UNION ALL
    SELECT series_id, valid_from, valid_to, key, has_id FROM versions
    WHERE id IN (SELECT moved_to FROM redirects WHERE redirects.id = sought)
),
chosen AS MATERIALIZED (
    SELECT key, has_id
    FROM candidates JOIN snapshots USING (series_id)
    WHERE position >= valid_from AND (valid_to IS NULL OR position < valid_to)
    ORDER BY has_id DESC, observed_to DESC, snapshots.id DESC, key
    LIMIT 1
),
own AS MATERIALIZED (FROM versions WHERE key IN (SELECT key FROM chosen) AND has_id IN (SELECT has_id FROM chosen)),
named AS MATERIALIZED (  -- without `_id`, by a name that it has or had
    FROM versions
    WHERE NOT has_id AND key NOT IN (SELECT key FROM own) AND id IN (
        SELECT id FROM own UNION SELECT redirects.id FROM redirects JOIN own ON moved_to = own.id
    )
)
FROM own
UNION ALL
FROM named
WHERE id NOT IN (  -- nor any other model
    SELECT id FROM versions
    WHERE has_id AND id IN (SELECT id FROM named) AND key NOT IN (SELECT key FROM chosen)
);

-- The counts of each model and when they held; current ones have no `valid_to`.
CREATE VIEW IF NOT EXISTS all_counts AS
SELECT series_id, model, valid_from, NULL AS valid_to, downloads, downloads_all_time, likes FROM current_counts
UNION ALL
FROM counts_history;

-- The snapshots that saw one model, and those that show its absence (where `key` is NULL), oldest first.
-- An update saw only what changed; a partial snapshot shows no absence.
CREATE MACRO IF NOT EXISTS sightings_of(sought) AS TABLE
WITH states AS MATERIALIZED (FROM versions_of(sought)),
seen AS (
    SELECT
        snapshots.id AS snapshot, observed_from, observed_to, missing_columns, synthetic,
        states.* EXCLUDE (series_id, model, valid_from, valid_to), downloads, downloads_all_time, likes
    FROM states
    JOIN snapshots ON snapshots.series_id = states.series_id
        AND position >= states.valid_from AND (states.valid_to IS NULL OR position < states.valid_to)
    JOIN all_counts AS counts ON counts.series_id = states.series_id AND counts.model = states.model
        AND position >= counts.valid_from AND (counts.valid_to IS NULL OR position < counts.valid_to)
    WHERE kind <> 'update' OR position IN (states.valid_from, counts.valid_from)
),
facts AS (
    SELECT min((observed_to, snapshot)) AS first_seen, min(created_at) AS created_at, any_value(synthetic) AS world FROM seen
)
FROM seen
UNION ALL BY NAME
SELECT id AS snapshot, observed_from, observed_to, missing_columns, synthetic
FROM snapshots, facts
WHERE
    snapshots.id NOT IN (SELECT snapshot FROM seen) AND (observed_to, snapshots.id) > first_seen
    AND complete AND kind <> 'update' AND author IS NULL AND task IS NULL AND model_limit IS NULL AND sample IS NULL
    AND (since IS NULL OR created_at >= since) AND (until IS NULL OR created_at < until)
    AND synthetic IS NOT DISTINCT FROM world
    AND id NOT IN (SELECT snapshot FROM implausible_snapshots);

-- A value as a list, empty where the model has none; NULL where that is unknown.
CREATE MACRO IF NOT EXISTS known_list(val, field, missing_columns, not_understood) AS
CASE WHEN val IS NOT NULL THEN [val]
    WHEN NOT list_contains(list_concat(missing_columns, not_understood), field) THEN [] END;

-- The models of an account, or those with the names or `_id`s `members`, in every snapshot that holds them all.
-- Updates are left out: they do not count downloads again.
CREATE MACRO IF NOT EXISTS history_of_group(owner, members) AS TABLE
WITH spans AS (
    SELECT series_id, model, valid_from, valid_to FROM versions
    WHERE starts_with(id, owner || '/') OR key IN (SELECT unnest(members))
),
states AS (
    SELECT
        spans.series_id, greatest(spans.valid_from, counts.valid_from) AS valid_from,
        least(spans.valid_to, counts.valid_to) AS valid_to, downloads, likes
    FROM spans JOIN all_counts AS counts ON counts.series_id = spans.series_id AND counts.model = spans.model
    WHERE (spans.valid_to IS NULL OR counts.valid_from < spans.valid_to)
        AND (counts.valid_to IS NULL OR spans.valid_from < counts.valid_to)
),
covering AS (
    SELECT *
    FROM snapshots
    WHERE kind <> 'update' AND complete IS NOT false AND (author IS NULL OR author = owner) AND task IS NULL
        AND model_limit IS NULL AND sample IS NULL AND since IS NULL AND until IS NULL
)
SELECT
    covering.id AS snapshot, observed_to AS observed_at,
    covering.id IN (SELECT snapshot FROM implausible_snapshots) AS is_partial,
    count(states.series_id) AS models,
    coalesce(sum(downloads), CASE WHEN count(states.series_id) = 0 THEN 0 END) AS downloads,
    count(downloads) AS with_downloads,
    coalesce(sum(likes), CASE WHEN count(states.series_id) = 0 THEN 0 END) AS likes,
    count(likes) AS with_likes
FROM covering LEFT JOIN states ON states.series_id = covering.series_id
    AND position >= valid_from AND (valid_to IS NULL OR position < valid_to)
GROUP BY ALL;

-- The models of an account, or those with the names or `_id`s `members`, that came, went or were renamed.
CREATE MACRO IF NOT EXISTS changes_of_group(owner, members) AS TABLE
SELECT
    since, until, earlier, later,
    CASE
        WHEN id_after IS NULL THEN 'gone'
        WHEN is_back THEN 'back'
        WHEN id_before IS NULL AND created_after >= since AND NOT at_cutoff_after THEN 'born'
        WHEN id_before IS NULL THEN 'appeared'
        WHEN starts_with(id_before, owner || '/') = starts_with(id_after, owner || '/') OR owner IS NULL THEN 'renamed'
        WHEN starts_with(id_after, owner || '/') THEN 'moved here'
        ELSE 'moved away'
    END AS event,
    CASE WHEN id_before <> id_after THEN id_before || ' -> ' || id_after ELSE coalesce(id_before, id_after) END AS name
FROM version_changes JOIN snapshot_pairs USING (number)
WHERE id_before IS DISTINCT FROM id_after AND (
    starts_with(id_before, owner || '/') OR starts_with(id_after, owner || '/') OR model IN (SELECT unnest(members))
);

-- The names and `_id`s of the models of `census` that are in the family of a model, itself included, with
-- the names that are redirected to theirs.
CREATE MACRO IF NOT EXISTS members_of_family(relative) AS
(
    WITH derived AS MATERIALIZED (SELECT model, root, root_kind FROM derivatives() WHERE relative IS NOT NULL),
    family AS (
        SELECT coalesce(
            (SELECT root FROM derived WHERE model = relative),
            -- a base that is not in the snapshot may be declared in another case
            (SELECT any_value(root) FROM derived WHERE root_kind = 'missing' AND lower(root) = lower(relative)),
            relative
        ) AS root
    ),
    members AS (
        SELECT model FROM derived JOIN family USING (root)
        UNION
        SELECT root FROM family
    )
    SELECT list(member)
    FROM (
        SELECT unnest([key, census.id, redirects.id]) AS member
        FROM census JOIN members ON members.model = census.id LEFT JOIN redirects ON moved_to = census.id
    )
);
