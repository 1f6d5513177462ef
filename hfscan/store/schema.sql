-- The database. Times are UTC, stored without a zone. Every column named after an API field holds
-- that field; NULL means the source does not carry it.

CREATE TABLE IF NOT EXISTS about (        -- one row: what made this file
    schema_version INTEGER NOT NULL,
    hfscan VARCHAR NOT NULL,
    taxonomy VARCHAR NOT NULL             -- fingerprint of the taxonomy behind the masks below
);

CREATE TABLE IF NOT EXISTS frameworks (   -- the taxonomy the masks below were made with
    name VARCHAR PRIMARY KEY,             -- 'pytorch', 'tensorflow', ...
    title VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,                -- framework, runtime, format or artefact
    of VARCHAR,                           -- the framework whose own format it is
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
    sample DOUBLE,                        -- probability that a model was drawn; NULL: no sample
    sample_design VARCHAR,                -- how it was drawn
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
    tag_mask UBIGINT,                     -- `frameworks` by the Hub's own tags
    weights_mask UBIGINT,                 -- by its weight files; NULL: file names not known
    usable_mask UBIGINT                   -- by what a user can load without converting
);

-- The models as one observation saw them: what every question is asked of.
CREATE MACRO IF NOT EXISTS observed(wanted) AS TABLE
SELECT * FROM models WHERE source = wanted;

CREATE TABLE IF NOT EXISTS creation_dates (  -- of models older than the Hub's dates
    id VARCHAR NOT NULL,                  -- the repo id that the date was given for
    created_at TIMESTAMP,                 -- NULL: asked for, and not to be known
    moved_to VARCHAR,                     -- the repo id that the Hub redirects `id` to
    kind VARCHAR NOT NULL,                -- 'first commit' or 'import'
    origin VARCHAR NOT NULL,
    recorded_at TIMESTAMP NOT NULL,
    PRIMARY KEY (id, kind)
);

-- What is known of each floor model's true date. A date is followed through every name that the
-- Hub itself gave the model, never by a mere likeness of names.
CREATE VIEW IF NOT EXISTS floor_dates AS
WITH named AS (
    SELECT DISTINCT key, id FROM models WHERE at_floor
    UNION
    SELECT models.key, moved.id
    FROM creation_dates AS moved JOIN models ON models.id = moved.moved_to
    WHERE at_floor
),
unambiguous AS (
    FROM named QUALIFY min(key) OVER (PARTITION BY id) = max(key) OVER (PARTITION BY id)
)
SELECT
    key,
    -- no repo is younger than its floor (objectid.FLOOR_START): such a date is a conflict, not used
    min(created_at) FILTER (created_at < TIMESTAMP '2022-03-02 23:29:00') AS dated_at,
    dated_at IS NULL AND count(created_at) > 0 AS conflict
FROM unambiguous
JOIN creation_dates USING (id)
GROUP BY key;
