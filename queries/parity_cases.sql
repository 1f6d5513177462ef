-- title: Parity case by case
-- answers: What was found for each checkpoint, weight file, backend and load method, and how large is its largest error?
-- param run INTEGER = NULL : a run of `hfscan parity`; NULL for the newest result of each case
-- param failing BOOLEAN = false : only cases that do not agree
-- column error: error
-- column tolerance: error
-- column backend: framework
-- chart: error x=error mark=tolerance y=checkpoint+format+backend+load_method color=verdict
-- error: the largest relative L2 difference of an output on real (unpadded) positions; tolerance:
-- the limit of that output.
WITH newest AS (
    FROM parity_cases
    WHERE verdict NOT IN ('unsupported', 'not applicable') AND ($run::INTEGER IS NULL OR run = $run)
    QUALIFY run = max(run) OVER (PARTITION BY checkpoint, file, backend, device, dtype, load_method)
),
worst AS (
    SELECT run, number, max(rel_l2) AS error, arg_max(tolerance, rel_l2) AS tolerance
    FROM parity_outputs
    WHERE region = 'real' AND tolerance IS NOT NULL
    GROUP BY ALL
)
SELECT
    checkpoint, architecture, format, backend, device, dtype, load_method, verdict,
    error, tolerance, reason, first_divergent_layer, suspect_backend, generated_equal,
    file, revision, newest.run
FROM newest
LEFT JOIN worst ON worst.run = newest.run AND worst.number = newest.number
WHERE NOT $failing::BOOLEAN OR verdict NOT IN ('agree', 'baseline, unchecked')
ORDER BY verdict = 'agree', checkpoint, backend, format, file, load_method
