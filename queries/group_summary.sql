-- title: An account or family in short
-- answers: How many models did an account or family have first and last, and how many came, went or were renamed between?
-- param author VARCHAR = NULL : account
-- param family VARCHAR = NULL : a model (repo id) whose family is meant
-- chart: none
-- came, gone, renamed: events of models, between full snapshots.
WITH members AS MATERIALIZED (
    SELECT members_of_family($family::VARCHAR) AS members
),
history AS MATERIALIZED (FROM history_of_group($author::VARCHAR, (SELECT members FROM members)) WHERE NOT is_partial),
changes AS (FROM changes_of_group($author, (SELECT members FROM members)))
SELECT
    coalesce($author, 'The family of ' || $family) AS name,
    arg_min(models, observed_at) AS first_models, strftime(min(observed_at), '%-d %B %Y') AS first_seen,
    arg_max(models, observed_at) AS models, strftime(max(observed_at), '%-d %B %Y') AS last_seen,
    arg_max(downloads, observed_at) AS downloads, arg_max(likes, observed_at) AS likes, count(*) AS snapshots,
    (SELECT count(*) FROM changes WHERE event IN ('born', 'appeared', 'back')) AS came,
    (SELECT count(*) FROM changes WHERE event = 'gone') AS gone,
    (SELECT count(*) FROM changes WHERE event IN ('renamed', 'moved here', 'moved away')) AS renamed
FROM history
HAVING max(models) > 0
