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
-- meaning: what is counted. Models are the same by `_id` where both snapshots have it, else by name or a known rename;
-- then other renamed models count as removed and added, and are NULL (unknown) where none is known. NULL also where a
-- snapshot does not record the column. Frameworks are by the Hub's tags.
WITH frameworks AS (
    SELECT name AS framework, bit FROM frameworks WHERE list_contains($frameworks::VARCHAR[], name)
),
-- by `_id` where both snapshots have it (names change), else by repo id
recorded AS (
    SELECT
        NOT list_contains(columns, '_id') AS ids, NOT list_contains(columns, 'tags') AS tags,
        NOT list_contains(columns, 'files') AS files, NOT list_contains(columns, 'library_name') AS library,
        NOT list_contains(columns, 'pipeline_tag') AS task, NOT list_contains(columns, 'gated') AS gate,
        may_lack_earlier, may_lack_later, 'unknown: not recorded in both' AS not_recorded
    FROM (
        SELECT
            flatten(list(missing_columns)) AS columns,
            bool_or(id = $earlier AND complete IS NOT TRUE) AS may_lack_earlier,
            bool_or(id = $later AND complete IS NOT TRUE) AS may_lack_later
        FROM snapshots WHERE id IN ($earlier::INTEGER, $later::INTEGER)
    )
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
states AS (
    SELECT by_old, key, has_id, id, created_at, tag_mask, tags, files, library_name, pipeline_tag, gated, unreadable
    FROM versions JOIN changed ON version = versions.rowid
),
old AS (
    SELECT
        * REPLACE (CASE WHEN NOT ids THEN coalesce(moved_to, id) WHEN has_id THEN key END AS key),
        ids AS by_id
    FROM (FROM states WHERE by_old) LEFT JOIN known_renames($earlier, $later) USING (id), (SELECT ids FROM recorded)
),
new AS (
    SELECT * REPLACE (CASE WHEN NOT ids THEN id WHEN has_id THEN key END AS key)
    FROM states, (SELECT ids FROM recorded) WHERE NOT by_old
),
pairs AS (
    SELECT
        old.id AS before, new.id AS after, before IS NOT NULL AND after IS NOT NULL AS is_kept,
        old.tag_mask AS mask_before, new.tag_mask AS mask_after,
        list_concat(old.unreadable, new.unreadable) AS not_understood,
        -- unreadable values count as unchanged; tags and files are NULL only when unknown
        is_kept AND recorded.tags AND coalesce(old.tags <> new.tags, false) AS tags,
        is_kept AND recorded.files AND coalesce(old.files <> new.files, false) AS files,
        is_kept AND recorded.library AND old.library_name IS DISTINCT FROM new.library_name
            AND NOT coalesce(list_contains(not_understood, 'library_name'), false) AS library,
        is_kept AND recorded.task AND old.pipeline_tag IS DISTINCT FROM new.pipeline_tag
            AND NOT coalesce(list_contains(not_understood, 'pipeline_tag'), false) AS task,
        is_kept AND recorded.gate AND old.gated IS DISTINCT FROM new.gated
            AND NOT coalesce(list_contains(not_understood, 'gated'), false) AS gate
    FROM old FULL JOIN new ON old.key = new.key
        -- else another model of the same name
        AND (old.by_id OR NOT is_recreated(old.created_at, new.created_at)),
        recorded
),
counted AS (
    SELECT
        count(*) FILTER (is_kept) + (SELECT count(*) FROM held WHERE by_old AND by_new) AS kept,
        count(*) FILTER (before <> after) AS renamed,
        count(*) FILTER (tags OR files OR library OR task OR gate) AS changed,
        count(*) FILTER (tags) AS tags,
        count(*) FILTER (files) AS files,
        count(*) FILTER (library) AS library,
        count(*) FILTER (task) AS task,
        count(*) FILTER (gate) AS gate,
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
SELECT change, framework, models, meaning
FROM (
    SELECT
        1 AS section, NULL AS bit, NULL AS framework, generate_subscripts([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 1) AS place,
        unnest([
            'kept', 'renamed', 'changed', 'changed tags', 'changed files', 'changed library', 'changed task',
            'changed gate', 'removed', 'added'
        ]) AS change,
        unnest([
            kept, CASE WHEN ids OR renamed > 0 THEN renamed END, changed, CASE WHEN recorded.tags THEN counted.tags END,
            CASE WHEN recorded.files THEN counted.files END, CASE WHEN recorded.library THEN counted.library END,
            CASE WHEN recorded.task THEN counted.task END, CASE WHEN recorded.gate THEN counted.gate END, removed, added
        ]) AS models,
        unnest([
            'in both, ' || CASE WHEN ids THEN 'by _id' ELSE 'by name or known rename' END,
            'kept by another name' || CASE WHEN NOT ids THEN '; unknown renames count as removed and added' ELSE '' END,
            'kept; one of the next five changed',
            CASE WHEN recorded.tags THEN 'also those that the Hub adds, such as region:us' ELSE not_recorded END,
            CASE WHEN NOT recorded.files THEN not_recorded END, CASE WHEN NOT recorded.library THEN not_recorded END,
            CASE WHEN NOT recorded.task THEN not_recorded END, CASE WHEN NOT recorded.gate THEN not_recorded END,
            'only in the earlier one: deleted, private' || CASE WHEN NOT ids THEN ', renamed' ELSE '' END
                || CASE WHEN may_lack_later THEN ', or not in the list' ELSE '' END,
            'only in the later one: new, public' || CASE WHEN NOT ids THEN ', renamed' ELSE '' END
                || CASE WHEN may_lack_earlier THEN ', or not in the list before' ELSE '' END
        ]) AS meaning
    FROM counted, recorded
    UNION ALL
    SELECT
        2, bit, framework, CASE change WHEN 'gained' THEN 1 ELSE 2 END, change, models,
        'kept; the Hub''s tag is ' || CASE change WHEN 'gained' THEN 'new' ELSE 'gone' END
    FROM (UNPIVOT framework_changes ON gained, lost INTO NAME change VALUE models)
)
ORDER BY section, bit NULLS FIRST, place
