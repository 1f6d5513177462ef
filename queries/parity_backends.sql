-- title: Parity by backend
-- answers: Of the weight files that were checked in each backend, how many agree by one route at least, and how do the others fail?
-- param run INTEGER = NULL : a run of `hfscan parity`; NULL for the newest result of each case
-- chart: stack x=share y=backend color=verdict
-- verdict: 'agree' where one route does, else that of the route that comes first by its name. `of`:
-- files checked in the backend; a backend that opens no such file checked nothing.
WITH newest AS (
    FROM parity_cases
    WHERE verdict <> 'no backend' AND ($run::INTEGER IS NULL OR run = $run)
    QUALIFY run = max(run) OVER (PARTITION BY checkpoint, file, backend, device, dtype, route)
),
ways AS (
    SELECT
        checkpoint, file, backend,
        CASE WHEN bool_or(verdict = 'agree') THEN 'agree' ELSE arg_min(verdict, route) END AS verdict
    FROM newest
    GROUP BY ALL
)
SELECT
    backend,
    verdict,
    count(*) AS files,
    sum(count(*)) OVER (PARTITION BY backend)::BIGINT AS "of",
    round(files / "of", 9) AS share
FROM ways
GROUP BY backend, verdict
ORDER BY backend, verdict <> 'agree', files DESC, verdict
