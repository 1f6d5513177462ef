-- title: Changes between two snapshots
-- answers: How many models were kept, added, removed, renamed or changed, and how many gained or lost a framework?
-- param earlier INTEGER = NULL : the snapshot to start from; NULL: the one before `later`
-- param later INTEGER = NULL : the snapshot to compare with; NULL: the newest
-- param frameworks VARCHAR[] = pytorch,tensorflow : the frameworks, formats or runtimes to distinguish
-- values earlier: <snapshots>
-- values later: <snapshots>
-- values frameworks: <frameworks>
-- column framework: framework
-- chart: none
-- changed: of those that stayed, with other tags, files, library, task or gate; not by downloads.
WITH frameworks AS (
    SELECT name AS framework, bit FROM frameworks WHERE list_contains($frameworks::VARCHAR[], name)
),
-- by `_id` where both snapshots have it (names change), else by repo id
both_have_ids AS (
    SELECT NOT bool_or(list_contains(missing_columns, '_id')) AS yes
    FROM snapshots WHERE id IN ($earlier::INTEGER, $later::INTEGER)
),
missing AS (  -- a column that either snapshot lacks counts as unchanged
    SELECT unnest(missing_columns) FROM snapshots WHERE id IN ($earlier::INTEGER, $later::INTEGER)
),
places AS (
    SELECT earlier.series_id AS old_series, earlier.position AS old_position, later.series_id AS new_series, later.position AS new_position
    FROM snapshots AS earlier, snapshots AS later
    WHERE earlier.id = $earlier AND later.id = $later
),
-- within a series, most models have the same version in both snapshots: only the others are compared
held AS (
    SELECT
        versions.rowid AS version,
        series_id = old_series AND valid_from <= old_position AND coalesce(valid_to > old_position, true) AS by_old,
        series_id = new_series AND valid_from <= new_position AND coalesce(valid_to > new_position, true) AS by_new
    FROM versions, places
),
changed AS (FROM held WHERE by_old <> by_new),
-- else a rename is known where the Hub redirected the old name (`hfscan backfill-dates`)
moved AS (
    SELECT id, any_value(moved_to) AS moved_to FROM creation_dates
    WHERE moved_to IS NOT NULL AND id NOT IN (SELECT id FROM models_in($later::INTEGER))
    GROUP BY id
),
states AS (
    SELECT by_old, key, has_id, id, tag_mask, tags, files, library_name, pipeline_tag, gated, unreadable
    FROM versions JOIN changed ON version = versions.rowid
),
old AS (
    SELECT * REPLACE (
        CASE WHEN NOT (SELECT yes FROM both_have_ids) THEN coalesce(moved_to, id) WHEN has_id THEN key END AS key
    )
    FROM states LEFT JOIN moved USING (id) WHERE by_old
),
new AS (
    SELECT * REPLACE (CASE WHEN NOT (SELECT yes FROM both_have_ids) THEN id WHEN has_id THEN key END AS key)
    FROM states WHERE NOT by_old
),
pairs AS (
    SELECT old.id AS before, new.id AS after, old.tag_mask AS mask_before, new.tag_mask AS mask_after,
        -- unreadable values count as unchanged, too; tags and files are NULL only when unknown
        (coalesce(old.tags <> new.tags, false) AND 'tags' NOT IN (FROM missing))
        OR (coalesce(old.files <> new.files, false) AND 'files' NOT IN (FROM missing))
        OR (old.library_name IS DISTINCT FROM new.library_name AND 'library_name' NOT IN (FROM missing)
            AND NOT list_contains(list_concat(old.unreadable, new.unreadable), 'library_name'))
        OR (old.pipeline_tag IS DISTINCT FROM new.pipeline_tag AND 'pipeline_tag' NOT IN (FROM missing)
            AND NOT list_contains(list_concat(old.unreadable, new.unreadable), 'pipeline_tag'))
        OR (old.gated IS DISTINCT FROM new.gated AND 'gated' NOT IN (FROM missing)
            AND NOT list_contains(list_concat(old.unreadable, new.unreadable), 'gated')) AS differs
    FROM old FULL JOIN new USING (key)
),
counted AS (
    SELECT
        count(*) FILTER (before IS NOT NULL AND after IS NOT NULL)
            + (SELECT count(*) FROM held WHERE by_old AND by_new) AS kept,
        count(*) FILTER (before <> after) AS renamed,
        count(*) FILTER (differs AND before IS NOT NULL AND after IS NOT NULL) AS changed,
        count(*) FILTER (after IS NULL) AS removed,
        count(*) FILTER (before IS NULL) AS added
    FROM pairs
),
framework_changes AS (
    SELECT
        framework, bit,
        count(*) FILTER ((mask_before >> bit) & 1 = 0 AND (mask_after >> bit) & 1 = 1) AS gained,
        count(*) FILTER ((mask_before >> bit) & 1 = 1 AND (mask_after >> bit) & 1 = 0) AS lost
    FROM frameworks LEFT JOIN pairs ON true  -- none, where nothing changed
    GROUP BY ALL
)
SELECT change, framework, models
FROM (
    SELECT 1 AS section, NULL AS bit, change, NULL AS framework, models
    FROM (UNPIVOT counted ON kept, renamed, changed, removed, added INTO NAME change VALUE models)
    UNION ALL
    SELECT 2, bit, change, framework, models
    FROM (UNPIVOT framework_changes ON gained, lost INTO NAME change VALUE models)
)
ORDER BY section, bit NULLS FIRST, list_position(['kept', 'renamed', 'changed', 'removed', 'added', 'gained', 'lost'], change)
