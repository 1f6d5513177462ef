-- title: One author over time
-- answers: How many models, downloads and likes did an author have in each snapshot?
-- param author VARCHAR = openai-community : account
-- chart: none
-- A row for each snapshot that should hold all models of the author; is_partial: it lacks a part of the Hub's.
-- downloads are those of the 30 days before, of the models with_downloads; NULL: all unknown. Updates are left
-- out, as they do not count downloads again.
WITH members AS (
    SELECT series_id, model, valid_from, valid_to FROM versions WHERE starts_with(id, $author::VARCHAR || '/')
),
counts AS (
    SELECT series_id, model, valid_from, NULL AS valid_to, downloads, likes FROM current_counts
    UNION ALL
    SELECT series_id, model, valid_from, valid_to, downloads, likes FROM counts_history
),
states AS (
    SELECT
        series_id, greatest(members.valid_from, counts.valid_from) AS valid_from,
        least(members.valid_to, counts.valid_to) AS valid_to, downloads, likes
    FROM members JOIN counts USING (series_id, model)
    WHERE (members.valid_to IS NULL OR counts.valid_from < members.valid_to)
        AND (counts.valid_to IS NULL OR members.valid_from < counts.valid_to)
),
covering AS (
    SELECT *
    FROM snapshots
    WHERE kind <> 'update' AND (author IS NULL OR author = $author) AND task IS NULL AND model_limit IS NULL
        AND sample IS NULL AND since IS NULL AND until IS NULL
)
SELECT
    covering.id AS snapshot, observed_to AS observed_at,
    covering.id IN (SELECT snapshot FROM partial_snapshots(0.99, 0.9)) AS is_partial,
    count(states.series_id) AS models,
    sum(downloads)::BIGINT AS downloads, count(downloads) AS with_downloads,
    sum(likes)::BIGINT AS likes, count(likes) AS with_likes
FROM covering LEFT JOIN states ON states.series_id = covering.series_id
    AND position >= valid_from AND (valid_to IS NULL OR position < valid_to)
GROUP BY ALL
ORDER BY observed_at, snapshot
