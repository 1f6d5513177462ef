-- title: One model in short
-- answers: Since when is a model known, is it still there, and what was last known of it?
-- param model VARCHAR = openai-community/gpt2 : repo id, also a former one, or `_id`
-- column created_at: day
-- column first_seen: day
-- column last_seen: day
-- column absent_at: day
-- column other_names: names
-- column downloads_at: day
-- column likes_at: day
-- column files_at: day
-- chart: none
-- snapshots: those that hold it, from first_seen to last_seen; absent_at: the newest snapshot, if that shows that the Hub
-- does not have it. downloads, likes, files, tags: the last known ones, and of which day.
WITH sightings AS MATERIALIZED (FROM sightings_of($model::VARCHAR)),
seen AS (
    SELECT *, row_number() OVER (ORDER BY observed_to, snapshot) AS place  -- snapshots may have the same time
    FROM sightings
    WHERE key IS NOT NULL
),
newest AS (SELECT key IS NULL AS is_absent, observed_to FROM sightings ORDER BY observed_to DESC, snapshot DESC LIMIT 1)
SELECT
    arg_max(id, place) AS id,
    list_filter(list_sort(list(DISTINCT id)), lambda name: name <> arg_max(id, place)) AS other_names,
    min(created_at) AS created_at,
    coalesce(bool_or(at_cutoff), false) AS at_cutoff,
    count(*) AS snapshots,
    min(observed_to) AS first_seen,
    max(observed_to) AS last_seen,
    (SELECT observed_to FROM newest WHERE is_absent) AS absent_at,
    arg_max(downloads, place) AS downloads,
    max(observed_to) FILTER (downloads IS NOT NULL) AS downloads_at,
    arg_max(likes, place) AS likes,
    max(observed_to) FILTER (likes IS NOT NULL) AS likes_at,
    arg_max(len(files), place) AS files,
    max(observed_to) FILTER (files IS NOT NULL) AS files_at,
    arg_max(len(tags), place) AS tags
FROM seen
HAVING count(*) > 0
