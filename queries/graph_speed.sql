-- title: Static and dynamic graphs
-- answers: How long does a call of each model take with a static or compiled graph, relative to the same framework's eager mode?
-- param run INTEGER = NULL : a run of `hfscan parity`; NULL for the newest result of each variant
-- column inference_ratio: ratio
-- column training_ratio: ratio
-- column backend: framework
-- chart: none
-- eager builds the graph anew in each call (dynamic); function, export, session, float32, default, xnnpack and portable
-- build it once (static); compile, xla, jit and aot-inductor also compile it. float32 and default are OpenVINO, in
-- float32 and in the precision that it chooses itself; xnnpack and portable are ExecuTorch, with the kernels of XNNPACK
-- and with its own; mkldnn is eager, with linear layers by oneDNN. Ratios are medians over rounds, to the eager mode of
-- the same framework; of exports from PyTorch, to PyTorch's.
WITH newest AS (
    FROM parity_timings
    WHERE fault IS NULL AND ($run::INTEGER IS NULL OR run = $run)
    QUALIFY run = max(run) OVER (PARTITION BY checkpoint, mode, backend, variant, device, dtype)
),
ratios AS (
    SELECT run, checkpoint_number, mode, backend, variant, device, dtype, time_ratio
    FROM parity_ratios
    WHERE other_variant = 'eager' AND other_device = device
        AND other_backend = CASE WHEN backend IN ('executorch', 'litert', 'onnx', 'openvino', 'torch-export') THEN 'pytorch' ELSE backend END
),
calls AS (
    SELECT
        newest.*,
        list_aggregate(milliseconds, 'median') AS ms,
        CASE WHEN variant = 'eager' THEN 1 ELSE time_ratio END AS ratio
    FROM newest
    LEFT JOIN ratios USING (run, checkpoint_number, mode, backend, variant, device, dtype)
)
SELECT
    checkpoint, backend, variant, device, dtype,
    any_value(first_call_seconds) FILTER (mode = 'inference') AS inference_first_seconds,
    any_value(ms) FILTER (mode = 'inference') AS inference_ms,
    round(any_value(ratio) FILTER (mode = 'inference'), 6) AS inference_ratio,
    any_value(first_call_seconds) FILTER (mode = 'training') AS training_first_seconds,
    any_value(ms) FILTER (mode = 'training') AS training_ms,
    round(any_value(ratio) FILTER (mode = 'training'), 6) AS training_ratio
FROM calls
GROUP BY checkpoint, checkpoint_number, backend, variant, device, dtype
ORDER BY checkpoint, checkpoint_number, device, dtype, backend, variant <> 'eager', variant
