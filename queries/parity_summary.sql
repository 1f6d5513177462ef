-- title: Parity in one row
-- answers: Of the weight files checked in each backend, how many agree by at least one load method?
-- param run INTEGER = NULL : a run of `hfscan parity`; NULL for the newest result of each case
-- chart: none
-- Files count once for each backend, device and precision. Those that were not checked (verdicts
-- 'unsupported', 'not applicable' and 'baseline, unchecked') are not counted. unfinished: runs among
-- them that were interrupted, or still run.
WITH newest AS (
    FROM parity_cases
    WHERE $run::INTEGER IS NULL OR run = $run
    QUALIFY run = max(run) OVER (PARTITION BY checkpoint, file, backend, device, dtype, load_method)
),
opened AS (
    SELECT checkpoint, file, backend, device, dtype, bool_or(verdict = 'agree') AS agrees
    FROM newest
    GROUP BY ALL
    HAVING agrees OR NOT bool_or(verdict IN ('unsupported', 'not applicable', 'baseline, unchecked'))
),
backends AS (
    SELECT started_at, unnest(json_keys(environment, '$.backends')) AS backend, environment
    FROM parity_runs WHERE id IN (SELECT run FROM newest)
),
versions AS (
    SELECT
        unnest(json_keys(environment, '$.backends.' || backend || '.versions')) AS name,
        environment ->> ('$.backends.' || backend || '.versions.' || name) AS version
    FROM backends
),
unfinished AS (
    SELECT id, checkpoints, count(DISTINCT checkpoint_number) AS checked
    FROM parity_runs
    JOIN newest ON newest.run = id
    WHERE finished_at IS NULL
    GROUP BY ALL
)
SELECT
    count(*) AS files,
    count(*) FILTER (agrees) AS agree,
    count(*) FILTER (NOT agrees) AS differ,
    count(DISTINCT checkpoint) AS checkpoints,
    count(DISTINCT backend) AS backends,
    (SELECT count(DISTINCT run) FROM newest) AS runs,
    (SELECT strftime(min(started_at), '%Y-%m-%d') FROM parity_runs WHERE id IN (SELECT run FROM newest)) AS first_run,
    (SELECT strftime(max(coalesce(finished_at, started_at)), '%Y-%m-%d') FROM parity_runs WHERE id IN (SELECT run FROM newest)) AS last_run,
    (SELECT coalesce(string_agg(package, ', ' ORDER BY package), 'not known')
        FROM (SELECT DISTINCT name || ' ' || version AS package FROM versions)) AS versions,
    (SELECT coalesce(
        string_agg(format(' Run {} has not finished: the results of {:,} of its {:,} checkpoints are stored.', id, checked, checkpoints), '' ORDER BY id),
        ''
    ) FROM unfinished) AS unfinished
FROM opened
HAVING count(*) > 0
