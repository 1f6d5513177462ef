-- title: Parity by backend
-- answers: Of the weight files checked in each backend, how many agree by at least one load method, and how do the others fail?
-- param run INTEGER = NULL : a run of `hfscan parity`; NULL for the newest result of each case
-- column share: share
-- column backend: framework
-- chart: stack x=share y=backend color=verdict
-- verdict: 'agree' where any load method does, else that of the alphabetically first one. total: files
-- checked in the backend, once for each device and precision, without those that were not
-- ('unsupported', 'not applicable' and 'baseline, unchecked').
WITH newest AS (
    FROM parity_cases
    WHERE $run::INTEGER IS NULL OR run = $run
    QUALIFY run = max(run) OVER (PARTITION BY checkpoint, file, backend, device, dtype, load_method)
),
opened AS (
    SELECT
        checkpoint, file, backend, device, dtype,
        CASE WHEN bool_or(verdict = 'agree') THEN 'agree' ELSE arg_min(verdict, load_method) END AS verdict
    FROM newest
    GROUP BY ALL
    HAVING bool_or(newest.verdict = 'agree') OR NOT bool_or(newest.verdict IN ('unsupported', 'not applicable', 'baseline, unchecked'))
)
SELECT
    backend,
    verdict,
    count(*) AS files,
    sum(count(*)) OVER (PARTITION BY backend)::BIGINT AS total,
    round(files / total, 9) AS share
FROM opened
GROUP BY backend, verdict
ORDER BY backend, verdict <> 'agree', files DESC, verdict
