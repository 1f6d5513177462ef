-- title: An account or family in short
-- answers: How many models did an account or family have first and last, and how many came, went or were renamed between?
-- param author VARCHAR = NULL : account
-- param family VARCHAR = NULL : a model (repo id) whose family is meant
-- chart: none
-- came, gone, renamed: events of models, between full snapshots. before, changes: sentences, or parts of one.
WITH members AS MATERIALIZED (
    SELECT members_of_family($family::VARCHAR) AS members
),
history AS MATERIALIZED (FROM history_of_group($author::VARCHAR, (SELECT members FROM members)) WHERE NOT is_partial),
changes AS (FROM changes_of_group($author, (SELECT members FROM members))),
counts AS (
    SELECT 1 AS place, 'came' AS verb, count(*) FILTER (event IN ('born', 'appeared', 'back')) AS events FROM changes
    UNION ALL
    SELECT 2, 'went away', count(*) FILTER (event = 'gone') FROM changes
    UNION ALL
    SELECT 3, 'were renamed', count(*) FILTER (event IN ('renamed', 'moved here', 'moved away')) FROM changes
)
SELECT
    coalesce($author, 'The family of ' || $family) AS name,
    arg_min(models, observed_at) AS first_models, strftime(min(observed_at), '%-d %B %Y') AS first_seen,
    arg_max(models, observed_at) AS models, strftime(max(observed_at), '%-d %B %Y') AS last_seen,
    arg_max(downloads, observed_at) AS downloads, arg_max(likes, observed_at) AS likes, count(*) AS snapshots,
    (SELECT events FROM counts WHERE place = 1) AS came,
    (SELECT events FROM counts WHERE place = 2) AS gone,
    (SELECT events FROM counts WHERE place = 3) AS renamed,
    CASE WHEN count(*) = 1 THEN ''
        ELSE format('; {:,}', arg_min(models, observed_at)) || strftime(min(observed_at), ' in that of %-d %B %Y')
    END AS before,
    CASE
        WHEN NOT EXISTS (FROM snapshot_pairs) THEN 'Changes show between two complete snapshots of the Hub.'
        ELSE 'Between complete snapshots of the Hub, ' || coalesce('models ' || (
            SELECT string_agg(verb || CASE events WHEN 1 THEN ' once' ELSE format(' {:,} times', events) END, ', ' ORDER BY place)
            FROM counts WHERE events > 0
        ), 'no model came, went away or was renamed') || '.'
    END AS changes
FROM history
HAVING max(models) > 0
