-- title: Parity in one row
-- answers: Of the weight files that were checked in each lane, how many agree by one route at least?
-- param run INTEGER = NULL : a run of `hfscan parity`; NULL for the newest result of each case
-- chart: none
-- A lane that opens no such file (verdict 'no lane') checked nothing, and is not counted.
WITH newest AS (
    FROM parity_cases
    WHERE $run::INTEGER IS NULL OR run = $run
    QUALIFY run = max(run) OVER (PARTITION BY checkpoint, file, lane, device, dtype, route)
),
ways AS (
    SELECT checkpoint, file, lane, bool_or(verdict = 'agree') AS agrees
    FROM newest
    WHERE verdict <> 'no lane'
    GROUP BY ALL
),
lanes AS (
    SELECT started_at, unnest(json_keys(environment, '$.lanes')) AS lane, environment
    FROM parity_runs WHERE id IN (SELECT run FROM newest)
),
versions AS (
    SELECT
        unnest(json_keys(environment, '$.lanes.' || lane || '.versions')) AS name,
        environment ->> ('$.lanes.' || lane || '.versions.' || name) AS version
    FROM lanes
)
SELECT
    count(*) AS ways,
    count(*) FILTER (agrees) AS agree,
    count(*) FILTER (NOT agrees) AS differ,
    count(DISTINCT checkpoint) AS checkpoints,
    count(DISTINCT lane) AS lanes,
    (SELECT count(DISTINCT run) FROM newest) AS runs,
    (SELECT strftime(min(started_at), '%Y-%m-%d') FROM parity_runs WHERE id IN (SELECT run FROM newest)) AS since,
    (SELECT strftime(max(finished_at), '%Y-%m-%d') FROM parity_runs WHERE id IN (SELECT run FROM newest)) AS until,
    (SELECT coalesce(string_agg(told, ', ' ORDER BY told), 'not known')
        FROM (SELECT DISTINCT name || ' ' || version AS told FROM versions)) AS versions
FROM ways
HAVING count(*) > 0
