-- title: Machines of the timings
-- answers: On which processor, with which libraries and how fast did each backend multiply matrices when it was timed?
-- param run INTEGER = NULL : a run of `hfscan parity`; NULL for all runs that timed something
-- column gemm_gflops: ratio
-- chart: none
-- gemm_gflops: billions of operations per second, in products of two float32 matrices of 1,024 x 1,024 on the CPU, at
-- the run's number of threads. libraries: each with its version and the instruction set that it reports to use.
WITH backends AS (
    SELECT
        id AS run,
        started_at,
        environment -> '$.processor' AS processor,
        unnest(json_keys(environment, '$.backends')) AS backend,
        environment
    FROM parity_runs
    WHERE id IN (SELECT run FROM parity_timings) AND ($run::INTEGER IS NULL OR id = $run)
)
SELECT
    run, started_at, backend,
    processor ->> '$.name' AS processor,
    (processor ->> '$.family')::INTEGER AS family,
    (processor ->> '$.model')::INTEGER AS model,
    (processor ->> '$.stepping')::INTEGER AS stepping,
    array_to_string((processor -> '$.instruction_sets')::VARCHAR[], ' ') AS instruction_sets,
    environment ->> ('$.backends."' || backend || '".math') AS libraries,
    (environment ->> '$.threads')::INTEGER AS threads,
    round((environment ->> ('$.backends."' || backend || '".gemm_gflops'))::DOUBLE, 1) AS gemm_gflops
FROM backends
ORDER BY run DESC, backend
