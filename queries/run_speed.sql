-- title: Time and memory relative to PyTorch
-- answers: How long does each way to run or train a checkpoint take, as a multiple of PyTorch's eager mode in the same round?
-- param run INTEGER = NULL : a run of `hfscan parity`; NULL for the newest result of each way
-- column time_ratio: ratio
-- column time_ratio_min: ratio
-- column time_ratio_max: ratio
-- column cpu_ratio: ratio
-- column memory_ratio: ratio
-- column backend: framework
-- chart: ratio low=time_ratio_min high=time_ratio_max mark=time_ratio y=checkpoint+mode+backend+variant
-- A ratio below 1 is faster, or takes less memory. Ratios compare two calls of one round: median,
-- least and largest.
SELECT
    checkpoint, mode, backend, variant, device, dtype, threads, rounds,
    round(time_ratio, 6) AS time_ratio,
    round(time_ratio_min, 6) AS time_ratio_min,
    round(time_ratio_max, 6) AS time_ratio_max,
    round(cpu_ratio, 6) AS cpu_ratio,
    round(memory_ratio, 6) AS memory_ratio,
    run
FROM parity_ratios
WHERE
    other_backend = 'pytorch' AND other_variant = 'eager'
    AND ($run::INTEGER IS NULL OR run = $run)
QUALIFY run = max(run) OVER (PARTITION BY checkpoint, mode, backend, variant, device, dtype)
ORDER BY checkpoint, mode, backend, variant, device
