-- The database. Times are UTC, stored without a zone. Every column named after an API field holds
-- that field; NULL means the snapshot does not carry it.

CREATE TABLE IF NOT EXISTS metadata (     -- one row: what made this file
    schema_version INTEGER NOT NULL,
    hfscan_version VARCHAR NOT NULL,
    taxonomy VARCHAR NOT NULL             -- fingerprint of the taxonomy behind the masks below
);

CREATE TABLE IF NOT EXISTS frameworks (   -- the taxonomy the masks below were made with
    name VARCHAR PRIMARY KEY,             -- 'pytorch', 'tensorflow', ...
    title VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,                -- framework, runtime, format or artefact
    parent VARCHAR,                       -- the framework whose own format it is
    bit UTINYINT NOT NULL                 -- a mask holds the framework when (mask >> bit) & 1
);

CREATE TABLE IF NOT EXISTS taxonomy_names ( -- what that taxonomy knows of; see queries/unplaced.sql
    kind VARCHAR NOT NULL,                -- library, tag or ending (of a file)
    name VARCHAR NOT NULL
);

CREATE SEQUENCE IF NOT EXISTS snapshot_ids;

CREATE TABLE IF NOT EXISTS snapshots (      -- one row for every snapshot of the Hub
    id INTEGER PRIMARY KEY DEFAULT nextval('snapshot_ids'),
    kind VARCHAR NOT NULL,                -- 'crawl', 'update' (a crawl of what is new) or 'import'
    origin VARCHAR NOT NULL,              -- the endpoint, or the files' names
    observed_from TIMESTAMP NOT NULL,     -- the snapshot speaks of the Hub from this time
    observed_to TIMESTAMP NOT NULL,       -- up to this one
    complete BOOLEAN,                     -- every model of its period seen; NULL: not known
    since TIMESTAMP,                      -- scope: created_at >= since, NULL: no bound
    until TIMESTAMP,                      -- scope: created_at < until, NULL: no bound
    author VARCHAR,
    task VARCHAR,
    model_limit BIGINT,
    sample DOUBLE,                        -- probability that a model was drawn; NULL: no sample
    sample_design VARCHAR,                -- how it was drawn
    sample_strata TIMESTAMP[],            -- start of each stratum of creation time
    models BIGINT NOT NULL,
    requests INTEGER,                     -- HTTP requests spent; NULL for an import
    synthetic VARCHAR,                    -- how the population was made up; NULL: a real Hub
    missing_columns VARCHAR[] NOT NULL,             -- columns of models_in(id) that no row of it fills
    recorded_at TIMESTAMP NOT NULL,
    base INTEGER,                         -- kind 'update': the snapshot that it carries on from
    digest VARCHAR NOT NULL,              -- of the files it was read from
    unreadable STRUCT(field VARCHAR, models BIGINT, example VARCHAR)[] NOT NULL,  -- not understood
    series_id INTEGER NOT NULL,           -- snapshots that set out to see the same models
    position INTEGER NOT NULL             -- in the series, by observed_to, whenever it came in
);

-- A snapshot is stored as its difference from its neighbours in its series. Intervals
-- of positions are half-open: valid_from <= position < valid_to; NULL: up to the last snapshot.

CREATE TABLE IF NOT EXISTS versions (     -- what rarely changes of a model: one row for each state
    series_id INTEGER NOT NULL,
    model INTEGER NOT NULL,               -- number of `key` within the series
    valid_from INTEGER NOT NULL,
    valid_to INTEGER,
    key VARCHAR NOT NULL,                 -- `_id`, or the repo id where a dump has no `_id`
    has_id BOOLEAN NOT NULL,              -- `key` is the `_id`
    id VARCHAR NOT NULL,
    author VARCHAR,
    created_at TIMESTAMP,
    at_cutoff BOOLEAN,                     -- created_at is the Hub's cutoff: older than anyone knows
    last_modified TIMESTAMP,
    sha VARCHAR,
    tags VARCHAR[],
    library_name VARCHAR,
    pipeline_tag VARCHAR,
    gated VARCHAR,                        -- 'false', 'auto', 'manual'
    disabled BOOLEAN,
    files VARCHAR[],
    base_models VARCHAR[],                -- repo ids
    base_relation VARCHAR,                -- finetune, adapter, quantized, merge
    parameters BIGINT,
    model_type VARCHAR,
    architectures VARCHAR[],
    unreadable VARCHAR[],                 -- columns that are NULL as their values were not understood
    tag_mask UBIGINT,                     -- `frameworks` by the Hub's own tags; NULL: tags unknown
    weights_mask UBIGINT,                 -- by its weight files; NULL: file names not known
    loadable_4_mask UBIGINT,              -- by what can be loaded without conversion, transformers 4
    loadable_5_mask UBIGINT,              -- and transformers 5; NULL: tags unknown, or files could decide
    best_mask UBIGINT                     -- by its files, else library and tags; NULL: no files known, no tag of weights
);

CREATE TABLE IF NOT EXISTS current_counts ( -- what changes daily, as the last snapshot of a series saw it
    series_id INTEGER NOT NULL,
    model INTEGER NOT NULL,               -- as in `versions`
    valid_from INTEGER NOT NULL,
    downloads BIGINT,                     -- last 30 days
    downloads_all_time BIGINT,
    likes BIGINT
);

CREATE TABLE IF NOT EXISTS counts_history (    -- and as it was before; grows at its end alone
    series_id INTEGER NOT NULL,
    model INTEGER NOT NULL,
    valid_from INTEGER NOT NULL,
    valid_to INTEGER NOT NULL,
    downloads BIGINT,
    downloads_all_time BIGINT,
    likes BIGINT
);

-- The models at a position in a series; an error where no snapshot is there.
CREATE MACRO IF NOT EXISTS models_at(series_id, position) AS TABLE
WITH counted AS (
    SELECT model, downloads, downloads_all_time, likes FROM current_counts
    WHERE current_counts.series_id = series_id
        -- never negative; DuckDB guesses that an OR leaves a fifth, as it does of versions below, and
        -- holds these narrow rows in memory, not those
        AND (valid_from <= position OR valid_from < 0)
    UNION ALL
    SELECT model, downloads, downloads_all_time, likes FROM counts_history
    WHERE counts_history.series_id = series_id AND valid_from <= position AND valid_to > position
)
SELECT
    key, CASE WHEN has_id THEN key END AS _id, id, author, created_at, at_cutoff, last_modified, sha,
    tags, library_name, pipeline_tag, downloads, downloads_all_time, likes, gated, disabled, files,
    base_models, base_relation, parameters, model_type, architectures, unreadable,
    tag_mask, weights_mask, loadable_4_mask, loadable_5_mask, best_mask
FROM versions JOIN counted USING (model)
WHERE
    versions.series_id = series_id
    AND valid_from <= position AND (valid_to IS NULL OR valid_to > position)
UNION ALL
SELECT  -- the error is every value, so that no condition rules it out unseen
    missing, missing, missing, missing, missing, missing, missing, missing, missing, missing, missing, missing,
    missing, missing, missing, missing, missing, missing, missing, missing, missing, missing, missing, missing,
    missing, missing, missing, missing
FROM (
    SELECT error(format(
        'There is no snapshot at position {} of series {}.',
        coalesce(position::VARCHAR, 'NULL'), coalesce(series_id::VARCHAR, 'NULL')
    )) AS missing
    FROM (SELECT count(*) AS found FROM snapshots AS known WHERE known.series_id = series_id AND known.position = position)
    WHERE found = 0
)
WHERE missing IS NULL;

-- The id of a snapshot that is in the database; else an error.
CREATE MACRO IF NOT EXISTS existing_snapshot(snapshot_id) AS
(
    SELECT coalesce(max(id), error(coalesce(
        'There is no snapshot ' || snapshot_id || '.', 'No snapshot is named, or the database has none.'
    )))
    FROM snapshots WHERE id = snapshot_id
);

-- The models as one snapshot saw them: what every question is asked of. Half as fast as models_at
-- with the snapshot's series_id and position as literals. An error where there is no such snapshot.
CREATE MACRO IF NOT EXISTS models_in(snapshot_id) AS TABLE
SELECT snapshot_id AS snapshot, *
FROM models_at(
    (SELECT series_id FROM snapshots WHERE id = existing_snapshot(snapshot_id)),
    (SELECT position FROM snapshots WHERE id = snapshot_id)
);

-- Snapshots that are known to lack models, each with the others of its scope that have far more.
CREATE VIEW IF NOT EXISTS snapshot_parts AS
SELECT part.id, other.id AS part_of
FROM snapshots AS part JOIN snapshots AS other
    ON part.complete = false AND part.kind <> 'update'  -- an update has the models of its base
    AND part.models < 0.9 * other.models
    AND (part.since, part.until, part.author, part.task, part.model_limit, part.sample_design, part.synthetic)
    IS NOT DISTINCT FROM (
        other.since, other.until, other.author, other.task, other.model_limit, other.sample_design, other.synthetic
    )
    AND (list_contains(part.missing_columns, 'created_at') OR NOT list_contains(other.missing_columns, 'created_at'));

-- The models of the newest snapshot: of all models if there is one, else of a part of them (as
-- latest_snapshot() in snapshots.py chooses). While hfscan answers, a temporary view of this name
-- stands before it: the snapshot that was asked for.
CREATE VIEW IF NOT EXISTS census AS
FROM models_in((
    SELECT id FROM snapshots
    WHERE id NOT IN (SELECT id FROM snapshot_parts)
    ORDER BY
        since IS NULL AND until IS NULL DESC,
        author IS NULL AND task IS NULL AND model_limit IS NULL AND sample IS NULL DESC,
        observed_to DESC, id DESC
    LIMIT 1
));

-- Models that went away: last seen by one snapshot, then not there for a complete one in whose period
-- they were created. They vanished between the two; `reappeared_in` is the snapshot that saw them again.
-- Without `_id` a renamed model looks gone.
CREATE VIEW IF NOT EXISTS removed_models AS
WITH ordered AS (
    SELECT *, row_number() OVER (ORDER BY observed_to, id) AS number FROM snapshots
),
sightings AS (
    SELECT key, has_id, created_at, versions.id AS repo,
        first.synthetic AS world, first.number AS first_number, first.id AS first_snapshot,
        last.number AS last_number, last.observed_from AS last_from, last.id AS last_snapshot
    FROM versions
    JOIN ordered AS first ON first.series_id = versions.series_id AND first.position = valid_from
    JOIN ordered AS last ON last.series_id = versions.series_id AND last.position = (
        SELECT max(position) FROM snapshots
        WHERE series_id = versions.series_id
            AND position >= valid_from AND (valid_to IS NULL OR position < valid_to)
            AND (kind <> 'update' OR position = valid_from)  -- what it carries on, it did not see
    )
),
outermost AS (  -- a sighting within another series' longer one ends nothing
    FROM sightings
    QUALIFY last_number >= max(last_number) OVER (PARTITION BY key, world ORDER BY first_number, last_number)
),
gaps AS (
    SELECT *, lead(first_number) OVER later AS back_number, lead(first_snapshot) OVER later AS back_snapshot
    FROM outermost
    WINDOW later AS (PARTITION BY key, world ORDER BY first_number, last_number)
)
SELECT
    key, repo AS id, created_at,
    last_from AS removed_after, min(missed.observed_to) AS removed_before,
    last_snapshot AS last_seen, arg_min(missed.id, missed.number) AS first_absent_in,
    back_snapshot AS reappeared_in
FROM gaps
JOIN ordered AS missed
    ON missed.complete
    AND missed.number > last_number AND (back_number IS NULL OR missed.number < back_number)
    AND missed.synthetic IS NOT DISTINCT FROM world
    AND list_contains(missed.missing_columns, '_id') <> has_id
    AND (missed.since IS NULL OR created_at >= missed.since)
    AND (missed.until IS NULL OR created_at < missed.until)
GROUP BY ALL;

CREATE TABLE IF NOT EXISTS creation_dates (  -- of models older than the Hub's dates
    id VARCHAR NOT NULL,                  -- the repo id that the date was given for
    created_at TIMESTAMP,                 -- NULL: asked for, and not to be known
    moved_to VARCHAR,                     -- the repo id that the Hub redirects `id` to
    kind VARCHAR NOT NULL,                -- 'first commit' or 'import'
    origin VARCHAR NOT NULL,
    recorded_at TIMESTAMP NOT NULL,
    PRIMARY KEY (id, kind)
);

-- What is known of each cutoff model's true date. A date is followed through every name that the
-- Hub itself gave the model, never by a mere likeness of names.
CREATE VIEW IF NOT EXISTS cutoff_dates AS
WITH named AS (
    SELECT DISTINCT key, id FROM versions WHERE at_cutoff
    UNION
    SELECT versions.key, moved.id
    FROM creation_dates AS moved JOIN versions ON versions.id = moved.moved_to
    WHERE at_cutoff
),
unambiguous AS (
    FROM named QUALIFY min(key) OVER (PARTITION BY id) = max(key) OVER (PARTITION BY id)
)
SELECT
    key,
    -- no repo is younger than its cutoff (objectid.CUTOFF_START): such a date is a conflict, not used
    min(created_at) FILTER (created_at < TIMESTAMP '2022-03-02 23:29:00') AS dated_at,
    dated_at IS NULL AND count(created_at) > 0 AS conflict
FROM unambiguous
JOIN creation_dates USING (id)
GROUP BY key;

-- The words that queries/ ask in.

-- The frameworks that compete; ['all']: every framework and runtime, formats of one left to it.
CREATE MACRO IF NOT EXISTS frameworks_compared(names) AS TABLE
SELECT name AS framework, title, bit, 1::UBIGINT << bit AS mask
FROM frameworks
WHERE
    list_contains(names, name)
    OR (list_contains(names, 'all') AND kind IN ('framework', 'runtime') AND parent IS NULL);

-- The frameworks that a model supports by a definition, of its masks; `transformers`: 4 or 5.
CREATE MACRO IF NOT EXISTS mask_by_definition(definition, transformers, tag, weights, loadable_4, loadable_5, best) AS
CASE definition WHEN 'tag' THEN tag WHEN 'weights' THEN weights WHEN 'best' THEN best
    WHEN 'loadable' THEN CASE transformers WHEN 4 THEN loadable_4 WHEN 5 THEN loadable_5 END END;

-- Whether a mask has weights, but shows no framework or runtime: only a format that several can have.
CREATE MACRO IF NOT EXISTS is_framework_unknown(shown) AS
shown & (SELECT bit_or(1::UBIGINT << bit) FROM frameworks WHERE kind IN ('framework', 'runtime')) = 0
AND shown & (SELECT bit_or(1::UBIGINT << bit) FROM frameworks WHERE kind = 'format') <> 0;

-- Which of the frameworks in `sought` a mask has; NULL: not known. The Hub's tags are complete as they are.
CREATE MACRO IF NOT EXISTS known_support(definition, shown, sought) AS
CASE WHEN definition = 'tag' OR shown & sought <> 0 OR NOT is_framework_unknown(shown) THEN shown & sought END;

-- The same, of a model by a definition.
CREATE MACRO IF NOT EXISTS support_by_definition(
    definition, transformers, tag, weights, loadable_4, loadable_5, best, sought
) AS
known_support(
    definition, mask_by_definition(definition, transformers, tag, weights, loadable_4, loadable_5, best), sought
);

-- The names in a mask; `frameworks`: a list of their names and bits.
CREATE MACRO IF NOT EXISTS names_of_mask(mask, frameworks) AS
CASE WHEN mask IS NOT NULL THEN list_transform(
    list_filter(frameworks, lambda framework: (mask >> framework.bit) & 1 = 1),
    lambda framework: framework.name
) END;

-- What a model's tags of the form <prefix><value> say.
CREATE MACRO IF NOT EXISTS tag_values(tags, prefix) AS
list_transform(
    list_filter(tags, lambda tag: starts_with(tag, prefix)), lambda tag: tag[len(prefix) + 1:]
);

-- The languages that a model is tagged with: ISO 639-1, as bare tags.
CREATE MACRO IF NOT EXISTS languages(tags) AS
list_filter(tags, lambda tag: CASE WHEN len(tag) = 2 THEN list_contains(string_split(
    'aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy '
    || 'da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu '
    || 'hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb '
    || 'lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om '
    || 'or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw '
    || 'ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu', ' '
), tag) ELSE false END);

-- A group for each model, so that groups add up: models of several values are one of their own.
CREATE MACRO IF NOT EXISTS single_value(vals) AS
CASE WHEN vals IS NULL THEN '(unknown)' WHEN len(coalesce(vals, [])) = 0 THEN '(none)'
    WHEN len(coalesce(vals, [])) = 1 THEN vals[1] ELSE '(several)' END;

-- The group of a model by a column that may be NULL for two reasons.
CREATE MACRO IF NOT EXISTS named_or_none(val, field, not_understood) AS
CASE WHEN val IS NOT NULL THEN val WHEN list_contains(not_understood, field) THEN '(unknown)'
    ELSE '(none)' END;

-- Whether a model was created in [since, until), NULL for no bound; cutoff: what to do with the models at
-- the creation-date cutoff (included, excluded or only).
CREATE MACRO IF NOT EXISTS is_created_in(since, until, cutoff, created_at, at_cutoff) AS
(since IS NULL OR created_at >= since)
AND (until IS NULL OR created_at < until)
AND CASE cutoff WHEN 'included' THEN true WHEN 'excluded' THEN NOT at_cutoff WHEN 'only' THEN at_cutoff END;

-- What a model counts: 1, or its downloads or likes; NULL where these are unknown.
CREATE MACRO IF NOT EXISTS weight_of(weight, downloads, downloads_all_time, likes) AS
CASE weight WHEN 'models' THEN 1 WHEN 'downloads' THEN downloads
    WHEN 'downloads_all_time' THEN downloads_all_time WHEN 'likes' THEN likes END;

-- Whether a few models more or less would change a share much.
CREATE MACRO IF NOT EXISTS is_small(numerator, denominator) AS
denominator > 0 AND least(numerator, denominator) < 100;

-- The group of a model by its number of parameters.
CREATE MACRO IF NOT EXISTS size_class(parameters) AS
CASE
    WHEN parameters IS NULL THEN '(unknown)'
    WHEN parameters < 100_000_000 THEN '<0.1B'
    WHEN parameters < 1_000_000_000 THEN '0.1B-1B'
    WHEN parameters < 10_000_000_000 THEN '1B-10B'
    WHEN parameters < 100_000_000_000 THEN '10B-100B'
    ELSE '>=100B'
END;

-- What counts as the author of a model: its account, or, without one, the model itself; no account has a slash.
CREATE MACRO IF NOT EXISTS counted_author(author, id) AS
coalesce(author, '/' || id);

-- The group of a model in a grouping, NULL without one. By date, (older) are the models at the Hub's
-- cutoff, whose date of creation it does not know.
CREATE MACRO IF NOT EXISTS group_of(
    grouping, created_at, at_cutoff, author, pipeline_tag, library_name, model_type, tags, parameters, gated, unreadable
) AS
CASE grouping
    WHEN 'month' THEN CASE WHEN at_cutoff THEN '(older)' ELSE coalesce(strftime(created_at, '%Y-%m'), '(unknown)') END
    WHEN 'year' THEN CASE WHEN at_cutoff THEN '(older)' ELSE coalesce(strftime(created_at, '%Y'), '(unknown)') END
    WHEN 'task' THEN named_or_none(pipeline_tag, 'pipeline_tag', unreadable)
    WHEN 'library' THEN named_or_none(library_name, 'library_name', unreadable)
    WHEN 'author' THEN coalesce(author, '(no account)')
    WHEN 'license' THEN single_value(tag_values(tags, 'license:'))
    WHEN 'architecture' THEN named_or_none(model_type, 'model_type', unreadable)
    WHEN 'language' THEN single_value(languages(tags))
    WHEN 'size' THEN size_class(parameters)
    WHEN 'gated' THEN named_or_none(gated, 'gated', unreadable)
    WHEN 'storage_region' THEN single_value(tag_values(tags, 'region:'))
END;
