-- title: Speed and memory of two frameworks
-- answers: How long does the same model take in one framework, and how much memory, over the other?
-- param what VARCHAR = training : inference (a forward call) or training (forward, backward, AdamW)
-- param dtype VARCHAR = float32 : the models' numbers
-- param device VARCHAR = NULL : cpu or cuda, both frameworks on the same; NULL for either
-- param backend VARCHAR = pytorch : the framework
-- param variant VARCHAR = eager : how it runs
-- param other_backend VARCHAR = tensorflow : the framework that it is compared with
-- param other_variant VARCHAR = function : how that one runs: function is what Keras does by itself
-- values what: inference, training
-- values dtype: float32, bfloat16, float16
-- values device: cpu, cuda
-- values backend: flax, keras-jax, onnx, pytorch, tensorflow
-- values variant: eager, compile, function, jit, session, xla
-- values other_backend: flax, keras-jax, onnx, pytorch, tensorflow
-- values other_variant: eager, compile, function, jit, session, xla
-- chart: bar x=time_ratio y=checkpoint
-- Of the newest run of `hfscan parity` that timed both, for each checkpoint and device. A ratio below
-- 1: less than the other; the time's is the median of its rounds, with the least and the largest.
SELECT
    checkpoint, architecture, device, threads, rounds,
    time_ratio, time_ratio_min, time_ratio_max, median_ms, other_median_ms,
    memory_ratio, peak_rss_mb, other_peak_rss_mb,
    gpu_memory_ratio, peak_gpu_mb, other_peak_gpu_mb,
    run, started_at, environment ->> '$.processor' AS processor
FROM parity_ratios
JOIN parity_runs ON parity_runs.id = run
WHERE
    what = $what::VARCHAR AND dtype = $dtype::VARCHAR
    AND backend = $backend::VARCHAR AND variant = $variant::VARCHAR
    AND other_backend = $other_backend::VARCHAR AND other_variant = $other_variant::VARCHAR
    AND device = other_device AND ($device::VARCHAR IS NULL OR device = $device::VARCHAR)
QUALIFY run = max(run) OVER (PARTITION BY checkpoint, device)
ORDER BY checkpoint, device
