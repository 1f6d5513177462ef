-- The database. Times are UTC, stored without a zone. Every column named after an API field holds
-- that field; NULL means the source does not carry it.

CREATE TABLE IF NOT EXISTS about (        -- one row: what made this file
    schema_version INTEGER NOT NULL,
    hfscan VARCHAR NOT NULL
);

CREATE TABLE IF NOT EXISTS frameworks (   -- the taxonomy the masks below were made with
    name VARCHAR PRIMARY KEY,             -- 'pytorch', 'tensorflow', ...
    title VARCHAR NOT NULL,
    bit UTINYINT NOT NULL                 -- a mask holds the framework when (mask >> bit) & 1
);

CREATE SEQUENCE IF NOT EXISTS source_ids;

CREATE TABLE IF NOT EXISTS sources (      -- one row for every observation of the Hub
    id INTEGER PRIMARY KEY DEFAULT nextval('source_ids'),
    kind VARCHAR NOT NULL,                -- 'crawl' or 'import'
    origin VARCHAR NOT NULL,              -- the endpoint, or the files' names
    observed_from TIMESTAMP NOT NULL,     -- the observation speaks of the Hub between these
    observed_to TIMESTAMP NOT NULL,
    complete BOOLEAN,                     -- every model of its period seen; NULL: not known
    since TIMESTAMP,                      -- scope: created_at >= since, NULL: no bound
    until TIMESTAMP,                      --        created_at < until
    author VARCHAR,
    task VARCHAR,
    model_limit BIGINT,
    models BIGINT NOT NULL,
    requests INTEGER,                     -- HTTP requests spent; NULL for an import
    synthetic VARCHAR,                    -- how the population was made up; NULL: a real Hub
    lacks VARCHAR[] NOT NULL,             -- columns of `models` that no row of this source fills
    recorded_at TIMESTAMP NOT NULL
);

CREATE TABLE IF NOT EXISTS models (       -- one row for every model of every observation
    source INTEGER NOT NULL,              -- sources.id
    key VARCHAR NOT NULL,                 -- `_id`, or the repo id where a dump has no `_id`
    _id VARCHAR,
    id VARCHAR NOT NULL,
    author VARCHAR,
    created_at TIMESTAMP,
    at_floor BOOLEAN,                     -- created_at is the Hub's floor: older than anyone knows
    last_modified TIMESTAMP,
    sha VARCHAR,
    tags VARCHAR[],
    library_name VARCHAR,
    pipeline_tag VARCHAR,
    downloads BIGINT,                     -- last 30 days
    downloads_all_time BIGINT,
    likes BIGINT,
    gated VARCHAR,                        -- 'false', 'auto', 'manual'
    disabled BOOLEAN,
    files VARCHAR[],
    base_models VARCHAR[],                -- repo ids
    base_relation VARCHAR,                -- finetune, adapter, quantized, merge
    parameters BIGINT,
    model_type VARCHAR,
    architectures VARCHAR[],
    tag_mask UBIGINT                      -- `frameworks` by the Hub's own tags
);
