-- title: Speed and memory of two frameworks, over all checkpoints
-- answers: How much time and memory does one framework take relative to another, over all checkpoints and rounds?
-- param mode VARCHAR = training : inference (a forward call) or training (forward, backward, AdamW)
-- param dtype VARCHAR = float32 : number format of the model
-- param device VARCHAR = cpu : cpu or cuda, the same for both frameworks
-- param backend VARCHAR = pytorch : the framework
-- param variant VARCHAR = eager : the execution mode
-- param other_backend VARCHAR = tensorflow : the framework to compare with
-- param other_variant VARCHAR = function : the execution mode of that framework; function is the default of Keras
-- param architectures VARCHAR[] = NULL : only models of these classes, all of which must have been timed; NULL: all models
-- values mode: inference, training
-- values dtype: float32, bfloat16, float16
-- values device: cpu, cuda
-- values backend: executorch, flax, keras-jax, keras-torch, litert, onnx, openvino, pytorch, tensorflow, torch-export
-- values variant: eager, aot-inductor, compile, default, export, float32, function, jit, mkldnn, portable, session, xla, xnnpack
-- values other_backend: executorch, flax, keras-jax, keras-torch, litert, onnx, openvino, pytorch, tensorflow, torch-export
-- values other_variant: eager, aot-inductor, compile, default, export, float32, function, jit, mkldnn, portable, session, xla, xnnpack
-- column ratio: ratio
-- column low: ratio
-- column high: ratio
-- column memory_ratio: ratio
-- column memory_low: ratio
-- column memory_high: ratio
-- column gpu_memory_ratio: ratio
-- column gpu_memory_low: ratio
-- column gpu_memory_high: ratio
-- chart: ratio low=low high=high mark=ratio y=machine
-- From the newest run of `hfscan parity` that timed both, for each checkpoint. ratio: the median over all checkpoints
-- and rounds; below 1 the framework is faster than the other. low, high: its interval of 95 %, by a bootstrap of 1,000
-- samples that draws checkpoints, then rounds of each (Efron and Tibshirani 1993, An Introduction to the Bootstrap).
-- Memory is measured once per checkpoint: the interval draws checkpoints only, and one checkpoint has none.
WITH timed AS (
    SELECT parity_ratios.*, environment
    FROM parity_ratios
    JOIN parity_runs ON parity_runs.id = run
    WHERE
        mode = $mode::VARCHAR AND dtype = $dtype::VARCHAR
        AND backend = $backend::VARCHAR AND variant = $variant::VARCHAR
        AND other_backend = $other_backend::VARCHAR AND other_variant = $other_variant::VARCHAR
        AND device = other_device AND device = $device::VARCHAR
        AND ($architectures::VARCHAR[] IS NULL OR list_contains($architectures::VARCHAR[], architecture))
    QUALIFY run = max(run) OVER (PARTITION BY checkpoint)
),
newest AS (SELECT *, row_number() OVER (ORDER BY checkpoint, run, checkpoint_number) - 1 AS number, count(*) OVER () AS checkpoints FROM timed),
-- a checkpoint for each slot of each sample
draws AS (
    SELECT sample, slot, md5_number_lower(concat_ws(' ', sample, slot)) % checkpoints AS number
    FROM
        (SELECT unnest(range(1000)) AS sample),
        (SELECT checkpoints, unnest(range(checkpoints)) AS slot FROM (SELECT max(checkpoints) AS checkpoints FROM newest))
),
drawn AS (FROM draws JOIN newest USING (number)),
rounds AS (SELECT sample, slot, ratios, unnest(range(rounds)) AS round FROM drawn),
times AS (
    SELECT
        sample,
        median(ratios[1 + (md5_number_lower(concat_ws(' ', sample, slot, round)) % len(ratios))::INTEGER]) AS ratio
    FROM rounds
    GROUP BY sample
),
memories AS (
    SELECT sample, median(memory_ratio) AS memory_ratio, median(gpu_memory_ratio) AS gpu_memory_ratio
    FROM drawn
    GROUP BY sample
),
bounds AS (
    SELECT
        quantile_cont(ratio, [0.025, 0.975]) AS ratio,
        CASE WHEN (SELECT count(memory_ratio) FROM newest) > 1 THEN quantile_cont(memory_ratio, [0.025, 0.975]) END
            AS memory,
        CASE WHEN (SELECT count(gpu_memory_ratio) FROM newest) > 1 THEN quantile_cont(gpu_memory_ratio, [0.025, 0.975]) END
            AS gpu_memory
    FROM times JOIN memories USING (sample)
),
measured AS (
    SELECT
        (SELECT count(*) FROM newest) AS checkpoints,
        count(*) AS measurements,
        median(ratio) AS ratio
    FROM (SELECT unnest(ratios) AS ratio FROM newest)
)
SELECT
    checkpoints, measurements,
    round(measured.ratio, 6) AS ratio, round(bounds.ratio[1], 6) AS low, round(bounds.ratio[2], 6) AS high,
    round((SELECT median(newest.memory_ratio) FROM newest), 6) AS memory_ratio,
    round(memory[1], 6) AS memory_low, round(memory[2], 6) AS memory_high,
    round((SELECT median(newest.gpu_memory_ratio) FROM newest), 6) AS gpu_memory_ratio,
    round(gpu_memory[1], 6) AS gpu_memory_low, round(gpu_memory[2], 6) AS gpu_memory_high,
    (
        SELECT string_agg(DISTINCT concat_ws('; ',
            environment ->> '$.processor.name',
            environment ->> ('$.backends."' || backend || '".math'),
            environment ->> ('$.backends."' || other_backend || '".math')
        ), ' / ') FROM newest
    ) AS machine
FROM measured, bounds
WHERE
    checkpoints > 0
    AND ($architectures::VARCHAR[] IS NULL
        OR (SELECT count(DISTINCT architecture) FROM newest) = len($architectures::VARCHAR[]))
