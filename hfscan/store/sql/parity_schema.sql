-- What `hfscan parity` found. Times are UTC, stored without a zone; NULL: not known or not measured.

CREATE SEQUENCE IF NOT EXISTS parity_run_ids;

CREATE TABLE IF NOT EXISTS parity_runs (  -- one row for every run of the command, continued or not
    id INTEGER PRIMARY KEY DEFAULT nextval('parity_run_ids'),
    started_at TIMESTAMP NOT NULL,
    finished_at TIMESTAMP,                -- NULL: still running, or interrupted
    hfscan_version VARCHAR NOT NULL,
    snapshot INTEGER,                     -- snapshots.id that the models were drawn from
    checkpoints INTEGER NOT NULL,         -- how many it checks
    sweep VARCHAR,                        -- SHA-256 of setup and checkpoints; NULL: cannot be continued
    agree BOOLEAN,                        -- each weight file agrees in each backend by some load method
    environment JSON NOT NULL             -- platform, settings, and versions of every backend
);

CREATE TABLE IF NOT EXISTS parity_cases ( -- one row for every weight file, backend and load method
    run INTEGER NOT NULL,                 -- parity_runs.id
    number INTEGER NOT NULL,              -- place in the run, in the order of storing
    checkpoint_number INTEGER NOT NULL,   -- place of the checkpoint among those of the run, from 1
    checkpoint VARCHAR NOT NULL,          -- repo id, or the folder's name
    revision VARCHAR,                     -- commit; NULL for a folder
    architecture VARCHAR,                 -- the class the config names, as PyTorch calls it
    file VARCHAR NOT NULL,                -- weight file, or its index
    format VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL,              -- over the file, or its shards in order; '' if unread
    backend VARCHAR NOT NULL,
    device VARCHAR NOT NULL,              -- 'cpu', 'cuda'; 'none' where no backend was asked
    dtype VARCHAR NOT NULL,
    load_method VARCHAR NOT NULL,         -- 'direct', 'converted', 'none'
    verdict VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    missing VARCHAR[],                    -- keys that the loader reported
    unexpected VARCHAR[],
    mismatched VARCHAR[],
    unset VARCHAR[],                      -- weights that it left without values
    tf32_rel_l2 DOUBLE,                   -- how far TF32, off for the verdict, moves the outputs
    first_divergent_layer VARCHAR,        -- 'embeddings', or a layer's number from 0
    backend_error DOUBLE,                    -- worst relative L2 to a float64 run
    baseline_error DOUBLE,                -- the same of the case it was held to
    suspect_backend VARCHAR,              -- the backend whose own error stands out
    top1_agreement DOUBLE,                -- share of real positions
    top5_agreement DOUBLE,
    generated_equal BOOLEAN,
    load_seconds DOUBLE,
    first_call_seconds DOUBLE,
    latency_p50_ms DOUBLE,
    latency_p90_ms DOUBLE,
    latency_n INTEGER,
    peak_rss_mb DOUBLE,                   -- MB of 2**20 bytes
    peak_gpu_mb DOUBLE,
    notes VARCHAR[],
    PRIMARY KEY (run, number)
);

CREATE TABLE IF NOT EXISTS parity_outputs (  -- one row for every output tensor of a case
    run INTEGER NOT NULL,
    number INTEGER NOT NULL,              -- parity_cases.number
    name VARCHAR NOT NULL,
    region VARCHAR NOT NULL,              -- 'real' or 'padding' positions
    max_abs DOUBLE,                       -- NULL: not finite
    rel_l2 DOUBLE,
    cosine DOUBLE,
    finite BOOLEAN NOT NULL,              -- on both sides
    dtype VARCHAR NOT NULL,
    tolerance DOUBLE                      -- of rel_l2; NULL: shown, not judged
);

CREATE TABLE IF NOT EXISTS parity_timings (  -- one row for every way that was timed
    run INTEGER NOT NULL,                 -- parity_runs.id
    number INTEGER NOT NULL,              -- place in the run, in the order of storing
    checkpoint_number INTEGER NOT NULL,   -- place of the checkpoint among those of the run, from 1
    checkpoint VARCHAR NOT NULL,
    architecture VARCHAR,
    mode VARCHAR NOT NULL,                -- 'inference', or 'training': forward, backward, AdamW
    backend VARCHAR NOT NULL,
    variant VARCHAR NOT NULL,             -- 'eager', 'compile', 'mkldnn', 'function', 'xla', 'jit', ...
    device VARCHAR NOT NULL,
    dtype VARCHAR NOT NULL,
    threads INTEGER NOT NULL,
    inputs JSON NOT NULL,                 -- name -> shape
    own_process BOOLEAN NOT NULL,         -- nothing else was run in it, so that its peaks are known
    first_call_seconds DOUBLE,            -- with compiling or tracing; NULL: it failed
    milliseconds DOUBLE[],                -- a call of each round; in a round all ways take turns
    cpu_milliseconds DOUBLE[],            -- what the process worked in each, on any thread
    losses DOUBLE[],                      -- of the first training step and of each round's
    load_before DOUBLE,                   -- of the machine, over a minute
    load_after DOUBLE,
    peak_rss_mb DOUBLE,                   -- opening the model included; NULL: no process of its own
    peak_gpu_mb DOUBLE,
    fault VARCHAR,                        -- why it could not be timed
    PRIMARY KEY (run, number)
);

-- Each way beside each other one of its run and checkpoint, round by round: below 1 it is faster
-- than the other, or takes less memory.
CREATE VIEW IF NOT EXISTS parity_ratios AS
WITH pairs AS (
    SELECT
        a.*,
        b.backend AS other_backend,
        b.variant AS other_variant,
        b.device AS other_device,
        b.milliseconds AS other_milliseconds,
        b.peak_rss_mb AS other_peak_rss_mb,
        b.peak_gpu_mb AS other_peak_gpu_mb,
        list_transform(
            list_zip(a.milliseconds, b.milliseconds), lambda pair: pair[1] / pair[2]
        ) AS ratios,
        list_transform(
            list_zip(a.cpu_milliseconds, b.cpu_milliseconds), lambda pair: pair[1] / pair[2]
        ) AS cpu_ratios
    FROM parity_timings AS a
    JOIN parity_timings AS b USING (run, checkpoint_number, checkpoint, mode, dtype)
    WHERE a.number <> b.number AND a.fault IS NULL AND b.fault IS NULL
)
SELECT
    run, checkpoint_number, checkpoint, architecture, mode, dtype, threads,
    backend, variant, device,
    other_backend, other_variant, other_device,
    ratios,
    len(ratios) AS rounds,
    list_aggregate(ratios, 'median') AS time_ratio,
    list_min(ratios) AS time_ratio_min,
    list_max(ratios) AS time_ratio_max,
    -- waiting threads count as work, so that CPU time compares nothing at several threads
    CASE WHEN threads = 1 THEN list_aggregate(cpu_ratios, 'median') END AS cpu_ratio,
    CASE WHEN threads = 1 THEN list_min(cpu_ratios) END AS cpu_ratio_min,
    CASE WHEN threads = 1 THEN list_max(cpu_ratios) END AS cpu_ratio_max,
    first_call_seconds,
    list_aggregate(milliseconds, 'median') AS median_ms,
    list_aggregate(other_milliseconds, 'median') AS other_median_ms,
    peak_rss_mb / other_peak_rss_mb AS memory_ratio,
    peak_rss_mb,
    other_peak_rss_mb,
    peak_gpu_mb / other_peak_gpu_mb AS gpu_memory_ratio,
    peak_gpu_mb,
    other_peak_gpu_mb
FROM pairs;
