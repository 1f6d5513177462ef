-- title: Events in the life of one model
-- answers: When was a model created, renamed, changed, gone and back?
-- param model VARCHAR = openai-community/gpt2 : repo id, also a former one, or `_id`
-- column since: time
-- column until: time
-- column added: names
-- column removed: names
-- chart: none
-- An event lies between `since`, the last snapshot before it, and `until`, the first one after it. created: the
-- Hub's date, or NULL and the cutoff, or when it was first seen if that was before; a second one is of another model by the same name. added, removed: what the
-- model has since then, and what it had before. What one of two snapshots does not know did not change. gone:
-- deleted, private, or without `_id` renamed. tags: those that no other event names.
WITH seen AS MATERIALIZED (FROM sightings_of($model::VARCHAR)),
bits AS (SELECT list({'name': name, 'bit': bit} ORDER BY bit) AS frameworks FROM frameworks),
states AS (
    SELECT
        snapshot, observed_from, observed_to,
        unnest([  -- a list is NULL where it is unknown
            {'event': 'renamed', 'evidence': '', 'value': [id]},
            {'event': 'license', 'evidence': '', 'value': tag_values(tags, 'license:')},
            {'event': 'task', 'evidence': '', 'value': known_list(pipeline_tag, 'pipeline_tag', missing_columns, unreadable)},
            {'event': 'library', 'evidence': '', 'value': known_list(library_name, 'library_name', missing_columns, unreadable)},
            {'event': 'gate', 'evidence': '', 'value': known_list(gated, 'gated', missing_columns, unreadable)},
            -- only by the same evidence
            {'event': 'frameworks', 'evidence': (files IS NULL)::VARCHAR, 'value': names_of_mask(best_mask, frameworks)},
            {'event': 'files', 'evidence': '', 'value': files},
            {'event': 'tags', 'evidence': '', 'value': list_filter(tags, lambda tag:
                NOT starts_with(tag, 'license:') AND tag IS DISTINCT FROM pipeline_tag AND tag IS DISTINCT FROM library_name)}
        ], recursive := true)
    FROM seen, bits
    WHERE key IS NOT NULL
),
steps AS (
    SELECT
        event, snapshot, lag(observed_from) OVER before AS since, observed_to AS until,
        value, lag(value) OVER before AS value_before
    FROM states
    WHERE value IS NOT NULL
    WINDOW before AS (PARTITION BY event, evidence ORDER BY observed_to, snapshot)
),
changes AS (
    SELECT
        event, snapshot, since, until,
        list_filter(value, lambda item: NOT list_contains(value_before, item)) AS added,
        list_filter(value_before, lambda item: NOT list_contains(value, item)) AS removed
    FROM steps WHERE value_before IS NOT NULL
),
presence AS (
    SELECT
        snapshot, lag(observed_from) OVER by_time AS since, observed_to AS until,
        key IS NULL AS is_absent, lag(key IS NULL) OVER by_time AS was_absent
    FROM seen WINDOW by_time AS (ORDER BY observed_to, snapshot)
),
creations AS (
    SELECT
        created_at, at_cutoff, row_number() OVER by_time AS place, lag(created_at) OVER by_time AS created_before
    FROM seen WHERE created_at IS NOT NULL
    WINDOW by_time AS (ORDER BY observed_to, snapshot)
),
first_seen AS (FROM seen WHERE key IS NOT NULL QUALIFY row_number() OVER (ORDER BY observed_to, snapshot) = 1),
events AS (
    SELECT
        'created' AS event, NULL::INTEGER AS snapshot, CASE WHEN NOT at_cutoff THEN created_at END AS since,
        CASE WHEN at_cutoff AND place = 1 THEN least(created_at, seen_at) ELSE created_at END AS until,
        NULL::VARCHAR[] AS added, NULL::VARCHAR[] AS removed
    FROM creations, (SELECT observed_to AS seen_at FROM first_seen) WHERE place = 1 OR is_recreated(created_before, created_at)
    UNION ALL
    SELECT 'first seen', snapshot, NULL, observed_to, NULL, NULL FROM first_seen
    UNION ALL
    SELECT CASE WHEN is_absent THEN 'gone' ELSE 'back' END, snapshot, since, until, NULL, NULL
    FROM presence WHERE is_absent <> was_absent
    UNION ALL
    FROM changes WHERE len(added) > 0 OR len(removed) > 0
)
SELECT event, since, until, snapshot, added, removed
FROM events
ORDER BY event <> 'created' OR until > (SELECT observed_to FROM first_seen), until, snapshot, list_position(
    ['created', 'first seen', 'gone', 'back', 'renamed', 'license', 'task', 'library', 'gate', 'frameworks', 'files', 'tags'],
    event
)
