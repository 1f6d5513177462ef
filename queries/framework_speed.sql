-- title: Speed and memory of two frameworks
-- answers: How much time and memory does the same model take in one framework, relative to another?
-- param mode VARCHAR = training : inference (a forward call) or training (forward, backward, AdamW)
-- param dtype VARCHAR = float32 : number format of the model
-- param device VARCHAR = NULL : cpu or cuda, the same for both frameworks; NULL: either
-- param backend VARCHAR = pytorch : the framework
-- param variant VARCHAR = eager : the execution mode
-- param other_backend VARCHAR = tensorflow : the framework to compare with
-- param other_variant VARCHAR = function : the execution mode of that framework; function is the default of Keras
-- values mode: inference, training
-- values dtype: float32, bfloat16, float16
-- values device: cpu, cuda
-- values backend: executorch, flax, keras-jax, keras-torch, litert, onnx, openvino, pytorch, tensorflow, torch-export
-- values variant: eager, aot-inductor, compile, default, export, float32, function, jit, mkldnn, portable, session, xla, xnnpack
-- values other_backend: executorch, flax, keras-jax, keras-torch, litert, onnx, openvino, pytorch, tensorflow, torch-export
-- values other_variant: eager, aot-inductor, compile, default, export, float32, function, jit, mkldnn, portable, session, xla, xnnpack
-- column time_ratio: ratio
-- column time_ratio_min: ratio
-- column time_ratio_max: ratio
-- column memory_ratio: ratio
-- column gpu_memory_ratio: ratio
-- chart: bar x=time_ratio y=checkpoint
-- From the newest run of `hfscan parity` that timed both, for each checkpoint and device. A ratio below 1
-- is less than the other; time ratios are the median, least and largest of the rounds.
SELECT
    checkpoint, architecture, device, threads, rounds,
    time_ratio, time_ratio_min, time_ratio_max, median_ms, other_median_ms,
    memory_ratio, peak_rss_mb, other_peak_rss_mb,
    gpu_memory_ratio, peak_gpu_mb, other_peak_gpu_mb,
    run, started_at, environment ->> '$.processor.name' AS processor
FROM parity_ratios
JOIN parity_runs ON parity_runs.id = run
WHERE
    mode = $mode::VARCHAR AND dtype = $dtype::VARCHAR
    AND backend = $backend::VARCHAR AND variant = $variant::VARCHAR
    AND other_backend = $other_backend::VARCHAR AND other_variant = $other_variant::VARCHAR
    AND device = other_device AND ($device::VARCHAR IS NULL OR device = $device::VARCHAR)
QUALIFY run = max(run) OVER (PARTITION BY checkpoint, device)
ORDER BY checkpoint, device
