-- title: Speed and memory of two frameworks
-- answers: How long does the same model take in one framework, and how much memory, over the other?
-- param what VARCHAR = training : inference (a forward call) or training (forward, backward, AdamW)
-- param dtype VARCHAR = float32 : the models' numbers
-- param lane VARCHAR = pytorch : the framework
-- param variant VARCHAR = eager : how it runs
-- param other_lane VARCHAR = tensorflow : the framework that it is compared with
-- param other_variant VARCHAR = function : how that one runs: function is what Keras does by itself
-- chart: bar x=time_ratio y=checkpoint
-- Of the newest run of `hfscan parity` for each checkpoint and device. Below 1: less than the other.
SELECT
    checkpoint, architecture, device, threads, rounds,
    time_ratio, time_ratio_min, time_ratio_max, median_ms, other_median_ms,
    memory_ratio, peak_rss_mb, other_peak_rss_mb
FROM parity_ratios
WHERE
    what = $what::VARCHAR AND dtype = $dtype::VARCHAR
    AND lane = $lane::VARCHAR AND variant = $variant::VARCHAR
    AND other_lane = $other_lane::VARCHAR AND other_variant = $other_variant::VARCHAR
    AND device = other_device
QUALIFY run = max(run) OVER (PARTITION BY checkpoint, device)
ORDER BY checkpoint, device
