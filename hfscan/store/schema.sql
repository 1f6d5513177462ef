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

-- The words that queries/ ask in.

-- The frameworks that compete; ['all']: every framework and runtime, formats of one left to it.
CREATE MACRO IF NOT EXISTS universe(names) AS TABLE
SELECT name AS framework, title, bit, 1::UBIGINT << bit AS mask
FROM frameworks
WHERE
    list_contains(names, name)
    OR (list_contains(names, 'all') AND kind IN ('framework', 'runtime') AND of IS NULL);

CREATE MACRO IF NOT EXISTS by_definition(definition, tag, weights, usable) AS
CASE definition WHEN 'tag' THEN tag WHEN 'weights' THEN weights WHEN 'usable' THEN usable END;

-- What a model's tags of the form <prefix><value> say.
CREATE MACRO IF NOT EXISTS tagged(tags, prefix) AS
list_transform(
    list_filter(tags, lambda tag: starts_with(tag, prefix)), lambda tag: tag[len(prefix) + 1:]
);

-- The languages that a model is tagged with: ISO 639-1, as bare tags.
CREATE MACRO IF NOT EXISTS languages(tags) AS
list_filter(tags, lambda tag: len(tag) = 2 AND list_contains(string_split(
    'aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy '
    || 'da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu '
    || 'hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb '
    || 'lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om '
    || 'or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw '
    || 'ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu', ' '
), tag));

-- A group for each model, so that groups add up: models of several values are one of their own.
CREATE MACRO IF NOT EXISTS one_of(vals) AS
CASE len(coalesce(vals, [])) WHEN 0 THEN '(none)' WHEN 1 THEN vals[1] ELSE '(several)' END;

CREATE MACRO IF NOT EXISTS size_class(parameters) AS
CASE
    WHEN parameters IS NULL THEN '(unknown)'
    WHEN parameters < 100_000_000 THEN '<0.1B'
    WHEN parameters < 1_000_000_000 THEN '0.1B-1B'
    WHEN parameters < 10_000_000_000 THEN '1B-10B'
    WHEN parameters < 100_000_000_000 THEN '10B-100B'
    ELSE '>=100B'
END;
