-- title: An account or family in short
-- answers: How many models did an account or family have first and last, and how many came, went or were renamed between?
-- param author VARCHAR = NULL : account
-- param family VARCHAR = NULL : or a model (repo id) whose family is meant
-- one of: author, family
-- column first_seen: day
-- column last_seen: day
-- column downloads_at: day
-- column likes_at: day
-- chart: none
-- came, gone, renamed: events of models, between pairs of full snapshots. downloads, likes: the last known ones, of
-- which day, and of how many of the models of that day (with_downloads of downloads_models).
WITH members AS MATERIALIZED (
    SELECT members_of_family($family::VARCHAR) AS members
),
history AS MATERIALIZED (
    SELECT *, row_number() OVER (ORDER BY observed_at, snapshot) AS place  -- snapshots may have the same time
    FROM history_of_group($author::VARCHAR, (SELECT members FROM members))
    WHERE NOT is_partial
),
changes AS (
    SELECT
        count(*) FILTER (event IN ('born', 'appeared', 'back')) AS came,
        count(*) FILTER (event = 'gone') AS gone,
        count(*) FILTER (event IN ('renamed', 'moved here', 'moved away')) AS renamed
    FROM changes_of_group($author, (SELECT members FROM members))
)
SELECT
    $author AS author,
    $family AS family,
    count(*) AS snapshots,
    arg_min(models, place) AS first_models, min(observed_at) AS first_seen,
    arg_max(models, place) AS models, max(observed_at) AS last_seen,
    arg_max(downloads, place) AS downloads, max(observed_at) FILTER (downloads IS NOT NULL) AS downloads_at,
    arg_max(with_downloads, place) FILTER (downloads IS NOT NULL) AS with_downloads,
    arg_max(models, place) FILTER (downloads IS NOT NULL) AS downloads_models,
    arg_max(likes, place) AS likes, max(observed_at) FILTER (likes IS NOT NULL) AS likes_at,
    arg_max(with_likes, place) FILTER (likes IS NOT NULL) AS with_likes,
    arg_max(models, place) FILTER (likes IS NOT NULL) AS likes_models,
    (SELECT count(*) FROM snapshot_pairs) AS pairs,
    (SELECT came FROM changes) AS came,
    (SELECT gone FROM changes) AS gone,
    (SELECT renamed FROM changes) AS renamed
FROM history
HAVING max(models) > 0
