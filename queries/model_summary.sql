-- title: One model in short
-- answers: Since when is a model known, is it still there, and what was last known of it?
-- param model VARCHAR = openai-community/gpt2 : repo id, also a former one, or `_id`
-- chart: none
-- created, presence, names: sentences. The numbers are the last known ones.
WITH sightings AS MATERIALIZED (FROM sightings_of($model::VARCHAR)),
seen AS (FROM sightings WHERE key IS NOT NULL),
latest AS (SELECT key IS NOT NULL AS is_there, observed_to FROM sightings ORDER BY observed_to DESC, snapshot DESC LIMIT 1)
SELECT
    arg_max(id, observed_to) AS id,
    CASE
        WHEN bool_or(at_cutoff) THEN 'The Hub does not know when it was created: before 2 March 2022. '
        WHEN min(created_at) IS NOT NULL THEN strftime(min(created_at), 'It was created on %-d %B %Y. ')
        ELSE ''
    END AS created,
    CASE
        WHEN count(*) = 1 THEN strftime(min(observed_to), 'It is in the snapshot of %-d %B %Y')
        ELSE 'It is in ' || count(*) || strftime(min(observed_to), ' snapshots from %-d %B %Y')
            || strftime(max(observed_to), ' to %-d %B %Y')
    END || CASE
        WHEN (SELECT is_there FROM latest) THEN '. '
        ELSE strftime((SELECT observed_to FROM latest), ', but not in that of %-d %B %Y: deleted, private or renamed. ')
    END AS presence,
    CASE
        WHEN count(DISTINCT id) > 1 THEN 'Other names: ' || array_to_string(
            list_filter(list_sort(list(DISTINCT id)), lambda name: name <> arg_max(id, observed_to)), ', ') || '. '
        ELSE ''
    END AS names,
    arg_max(downloads, observed_to) AS downloads,
    arg_max(likes, observed_to) AS likes,
    arg_max(len(files), observed_to) AS files,
    arg_max(len(tags), observed_to) AS tags,
    max(observed_to) FILTER (downloads IS NOT NULL) AS downloads_at,
    count(*) AS snapshots,
    strftime(max(observed_to), '%-d %B %Y') AS last_seen
FROM seen
HAVING count(*) > 0
