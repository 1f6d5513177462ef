-- What `hfscan parity` found. Times are UTC, stored without a zone; NULL: not known or not measured.

CREATE SEQUENCE IF NOT EXISTS parity_run_ids;

CREATE TABLE IF NOT EXISTS parity_runs (  -- one row for every call of the command
    id INTEGER PRIMARY KEY DEFAULT nextval('parity_run_ids'),
    started_at TIMESTAMP NOT NULL,
    finished_at TIMESTAMP NOT NULL,
    hfscan VARCHAR NOT NULL,
    source INTEGER,                       -- sources.id that the models were drawn from
    agree BOOLEAN NOT NULL,               -- each weight file agrees in each lane by some route
    environment JSON NOT NULL             -- platform, settings, and versions of every lane
);

CREATE TABLE IF NOT EXISTS parity_cases ( -- one row for every weight file, lane and route
    run INTEGER NOT NULL,                 -- parity_runs.id
    number INTEGER NOT NULL,              -- place in the run, from 1
    checkpoint VARCHAR NOT NULL,          -- repo id, or the folder's name
    revision VARCHAR,                     -- commit; NULL for a folder
    architecture VARCHAR,                 -- the class the config names, as PyTorch calls it
    file VARCHAR NOT NULL,                -- weight file, or its index
    format VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL,              -- over the file, or its shards in order; '' if unread
    lane VARCHAR NOT NULL,
    device VARCHAR NOT NULL,              -- 'cpu', 'cuda'; 'none' where no lane was asked
    dtype VARCHAR NOT NULL,
    route VARCHAR NOT NULL,               -- 'plain', 'helper', 'none'
    verdict VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    missing VARCHAR[],                    -- keys that the loader reported
    unexpected VARCHAR[],
    mismatched VARCHAR[],
    unset VARCHAR[],                      -- weights that it left without values
    first_divergent_layer VARCHAR,        -- 'embeddings', or a layer's number from 0
    lane_error DOUBLE,                    -- worst relative L2 to a float64 run
    baseline_error DOUBLE,                -- the same of the case it was held to
    off_side VARCHAR,                     -- lane whose own error stands out
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
