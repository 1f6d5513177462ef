-- Lineage: which models of `census` were made from which others, as they declare it.

-- The bases that a model declares, in its order, without empty names; NULL: unknown. A tag is
-- base_model:BASE or base_model:RELATION:BASE; most models have both, some one of them.
CREATE MACRO IF NOT EXISTS declared_bases(base_models, tags) AS
list_filter(
    CASE WHEN len(base_models) > 0 THEN base_models ELSE coalesce(
        list_transform(
            tag_values(tags, 'base_model:'),
            lambda base: regexp_replace(base, '^(finetune|adapter|quantized|merge):', '')
        ),
        base_models
    ) END,
    lambda base: trim(base) <> ''
);

-- The relations that its tags name.
CREATE MACRO IF NOT EXISTS declared_relations(tags) AS
list_filter(
    list_transform(tag_values(tags, 'base_model:'), lambda base: regexp_extract(base, '^(finetune|adapter|quantized|merge):', 1)),
    lambda relation: relation <> ''
);

-- How a model was made from its bases, of the three facts above.
CREATE MACRO IF NOT EXISTS relation_to(bases, base_relation, tag_relations) AS
CASE
    WHEN bases IS NULL THEN '(unknown)'
    WHEN len(bases) = 0 THEN '(none)'
    WHEN base_relation IS NOT NULL THEN base_relation
    WHEN len(tag_relations) > 0 THEN tag_relations[1]
    ELSE '(unnamed)'
END;

-- The relation where a model names none, by what the Hub goes by: adapters, several bases, quantised
-- weights. It stays unnamed where tags are unknown. Of 7,210 models of August 2026 that name one it finds
-- the same for 6,955.
CREATE MACRO IF NOT EXISTS inferred_relation(bases, relation, tags) AS
CASE
    WHEN relation <> '(unnamed)' OR tags IS NULL THEN relation
    WHEN list_has_any(tags, ['lora', 'peft']) THEN 'adapter'
    WHEN len(bases) > 1 THEN 'merge'
    WHEN list_has_any(tags, [
        'gguf', 'gptq', 'awq', 'exl2', 'exl3', 'bitsandbytes', 'compressed-tensors', 'fp8', 'onnx',
        '2-bit', '3-bit', '4-bit', '5-bit', '6-bit', '8-bit'
    ]) THEN 'quantized'
    ELSE 'finetune'
END;

-- The models that had no account in their names until 2024, by the account that has them since.
-- Source: https://github.com/huggingface/transformers/pull/29001
CREATE MACRO IF NOT EXISTS canonical_models() AS TABLE
SELECT account, unnest(string_split(names, ' ')) AS name
FROM (
    VALUES
    ('FacebookAI',
        'roberta-base roberta-large roberta-large-mnli xlm-clm-ende-1024 xlm-clm-enfr-1024 '
        || 'xlm-mlm-100-1280 xlm-mlm-17-1280 xlm-mlm-en-2048 xlm-mlm-ende-1024 xlm-mlm-enfr-1024 '
        || 'xlm-mlm-enro-1024 xlm-mlm-tlm-xnli15-1024 xlm-mlm-xnli15-1024 xlm-roberta-base '
        || 'xlm-roberta-large xlm-roberta-large-finetuned-conll02-dutch '
        || 'xlm-roberta-large-finetuned-conll02-spanish xlm-roberta-large-finetuned-conll03-english '
        || 'xlm-roberta-large-finetuned-conll03-german'),
    ('Salesforce', 'ctrl'),
    ('albert',
        'albert-base-v1 albert-base-v2 albert-large-v1 albert-large-v2 albert-xlarge-v1 '
        || 'albert-xlarge-v2 albert-xxlarge-v1 albert-xxlarge-v2'),
    ('almanach', 'camembert-base'),
    ('distilbert',
        'distilbert-base-cased distilbert-base-cased-distilled-squad distilbert-base-german-cased '
        || 'distilbert-base-multilingual-cased distilbert-base-uncased '
        || 'distilbert-base-uncased-distilled-squad distilbert-base-uncased-finetuned-sst-2-english '
        || 'distilgpt2 distilroberta-base'),
    ('google-bert',
        'bert-base-cased bert-base-cased-finetuned-mrpc bert-base-chinese bert-base-german-cased '
        || 'bert-base-german-dbmdz-cased bert-base-german-dbmdz-uncased bert-base-multilingual-cased '
        || 'bert-base-multilingual-uncased bert-base-uncased bert-large-cased '
        || 'bert-large-cased-whole-word-masking bert-large-cased-whole-word-masking-finetuned-squad '
        || 'bert-large-uncased bert-large-uncased-whole-word-masking '
        || 'bert-large-uncased-whole-word-masking-finetuned-squad'),
    ('google-t5', 't5-11b t5-3b t5-base t5-large t5-small'),
    ('openai-community',
        'gpt2 gpt2-large gpt2-medium gpt2-xl openai-gpt roberta-base-openai-detector '
        || 'roberta-large-openai-detector'),
    ('transfo-xl', 'transfo-xl-wt103'),
    ('xlnet', 'xlnet-base-cased xlnet-large-cased')
) AS accounts(account, names);

-- The parents that models declare, each once: the name as declared, and its place among all `bases`.
CREATE MACRO IF NOT EXISTS declared_parents() AS TABLE
SELECT
    model, downloads, created_at, at_cutoff,
    relation, inferred_relation(bases, relation, tags) AS inferred_relation,
    unnest(names) AS name, generate_subscripts(names, 1) AS position, len(names) AS bases
FROM (
    SELECT
        id AS model, downloads, created_at, at_cutoff, tags, bases, relation_to(bases, base_relation, declared_relations(tags)) AS relation,
        list_filter(bases, lambda base, place: list_position(bases, base) = place) AS names
    FROM (SELECT *, declared_bases(base_models, tags) AS bases FROM census)
    WHERE len(bases) > 0
);

-- The same, with the parent's repo id in the snapshot, and how the name led to it: exact, other case
-- (the Hub's ids do not depend on case), redirect (of the Hub: creation_dates), other snapshot (there
-- the model had that name), canonical name. `parent` is NULL where the model names itself, or else for
-- a reason: not a repo id, only in other snapshots, no account in the name, not in the snapshot. `base`
-- is the parent, or of names that lead to no model the one that most declare, of any case.
CREATE MACRO IF NOT EXISTS resolved_parents() AS TABLE
WITH declared AS MATERIALIZED (FROM declared_parents()),
names AS MATERIALIZED (SELECT name, count(*) AS declarations FROM declared GROUP BY name),
found AS MATERIALIZED (SELECT name FROM names JOIN census ON id = name),
-- the others are few, so that what follows costs little
open_names AS MATERIALIZED (
    SELECT
        name, lower(name) AS lower_name,
        first(name) OVER (PARTITION BY lower_name ORDER BY declarations DESC, name) AS usual_name
    FROM names ANTI JOIN found USING (name)
),
lookups AS MATERIALIZED (  -- preference: as in `resolutions`, 3 is not looked up
    SELECT name, lower_name AS lower_id, 1 AS preference FROM open_names
    UNION ALL
    SELECT name, lower(moved_to), 2 FROM open_names JOIN creation_dates ON lower(id) = lower_name
    WHERE moved_to IS NOT NULL
    UNION ALL
    SELECT open_names.name, lower(account || '/' || canonical.name), 4
    FROM open_names JOIN canonical_models() AS canonical ON canonical.name = lower_name
),
-- the models that have or had these names, in this snapshot or another
sightings AS MATERIALIZED (
    SELECT DISTINCT lower_id, key, has_id
    FROM (SELECT DISTINCT lower_id FROM lookups) JOIN versions ON lower(id) = lower_id
),
here AS MATERIALIZED (SELECT lower_id, id, lower(id) = lower_id AS is_current FROM sightings JOIN census USING (key)),
targets AS (
    SELECT name, arg_min(id, preference) AS id, min(preference) AS preference
    FROM (
        SELECT name, id, preference FROM lookups JOIN here USING (lower_id) WHERE is_current
        UNION ALL
        SELECT name, id, 3
        FROM lookups JOIN here USING (lower_id)
        WHERE preference = 1 AND NOT is_current AND lower_id IN (
            SELECT lower_id FROM sightings GROUP BY lower_id HAVING count(*) = 1 AND bool_and(has_id)
        )
    )
    GROUP BY name
),
resolutions AS (
    SELECT
        name, id, coalesce(id, usual_name) AS base,
        CASE
            WHEN id IS NOT NULL
                THEN ['other case', 'redirect', 'other snapshot', 'canonical name'][preference]
            WHEN NOT regexp_full_match(name, '(\b[\w.-]+\b/)?\b[\w.-]{1,96}\b') THEN 'not a repo id'
            WHEN lower_name IN (SELECT lower_id FROM sightings) THEN 'only in other snapshots'
            WHEN NOT contains(name, '/') THEN 'no account in the name'
            ELSE 'not in the snapshot'
        END AS resolution
    FROM open_names LEFT JOIN targets USING (name)
)
SELECT
    model, downloads, created_at, at_cutoff, relation, inferred_relation, name, position, bases, base,
    CASE WHEN id <> model THEN id END AS parent,
    CASE WHEN id = model THEN 'itself' ELSE resolution END AS resolution
FROM (
    SELECT
        declared.*,
        CASE WHEN others.name IS NULL THEN declared.name ELSE id END AS id,
        coalesce(others.base, declared.name) AS base,
        coalesce(others.resolution, 'exact') AS resolution
    FROM declared LEFT JOIN resolutions AS others ON others.name = declared.name
);

-- The models that were made from others. `parents` are all that they declare, as `base` above; `parent` is
-- the first of them that is in the snapshot, or the first where none is there; `root` the first model of the family, following `parent`,
-- `depth` the number of steps to it. `root_kind`: model; missing (a name that is not in the snapshot);
-- cycle (models that name each other: the first by name is the root).
CREATE MACRO IF NOT EXISTS derivatives() AS TABLE
WITH RECURSIVE resolved AS MATERIALIZED (FROM resolved_parents() WHERE resolution <> 'itself'),
first_parents AS MATERIALIZED (
    SELECT  -- most have a single base, and need no grouping
        model, downloads, created_at, at_cutoff, relation, inferred_relation,
        [base] AS parents, parent IS NULL AS is_missing, base AS parent
    FROM resolved
    WHERE bases = 1
    UNION ALL
    SELECT
        model, any_value(downloads) AS downloads, any_value(created_at) AS created_at,
        any_value(at_cutoff) AS at_cutoff, any_value(relation) AS relation,
        any_value(inferred_relation) AS inferred_relation,
        list_distinct(list(base)) AS parents, count(parent) = 0 AS is_missing,
        arg_min(base, position + CASE WHEN parent IS NULL THEN 1_000_000 ELSE 0 END) AS parent
    FROM resolved
    WHERE bases > 1
    GROUP BY model
),
inner_models AS MATERIALIZED (  -- derivatives that have derivatives
    SELECT model, parent, is_missing FROM first_parents WHERE model IN (SELECT parent FROM first_parents)
),
lines AS MATERIALIZED (  -- from models that have no parent in the snapshot
    SELECT model, parent AS root, CASE WHEN is_missing THEN 'missing' ELSE 'model' END AS root_kind, 1 AS depth
    FROM inner_models WHERE parent NOT IN (SELECT model FROM inner_models)
    UNION ALL
    SELECT inner_models.model, root, root_kind, depth + 1
    FROM lines JOIN inner_models ON inner_models.parent = lines.model
),
looped AS MATERIALIZED (SELECT model, parent FROM inner_models ANTI JOIN lines USING (model)),
ancestors AS (
    SELECT model, parent AS ancestor FROM looped
    UNION
    SELECT ancestors.model, looped.parent FROM ancestors JOIN looped ON looped.model = ancestor
),
cycle_roots AS MATERIALIZED (
    SELECT model FROM ancestors GROUP BY model HAVING bool_or(ancestor = model) AND min(ancestor) = model
),
loops AS (  -- from the roots of cycles
    SELECT model, model AS root, 'cycle' AS root_kind, 0 AS depth FROM cycle_roots
    UNION ALL
    SELECT looped.model, root, root_kind, depth + 1
    FROM loops JOIN looped ON looped.parent = loops.model
    WHERE looped.model NOT IN (SELECT model FROM cycle_roots)
),
descent AS (FROM lines UNION ALL FROM loops)
SELECT
    first_parents.model, downloads, created_at, at_cutoff, relation, inferred_relation,
    first_parents.parent, parents,
    CASE WHEN is_root THEN first_parents.model ELSE coalesce(root, first_parents.parent) END AS root,
    CASE WHEN is_root THEN 'cycle' WHEN root_kind IS NOT NULL THEN root_kind WHEN is_missing THEN 'missing' ELSE 'model' END AS root_kind,
    CASE WHEN is_root THEN 0 ELSE coalesce(depth, 0) + 1 END AS depth
FROM (SELECT *, model IN (SELECT model FROM cycle_roots) AS is_root FROM first_parents) AS first_parents
LEFT JOIN descent ON descent.model = first_parents.parent;

-- The family of every model. One that declares no parent but itself is the root of its own; the family
-- is unknown (NULL) where the bases are.
CREATE MACRO IF NOT EXISTS families() AS TABLE
SELECT
    known.model, known.downloads, downloads_all_time, likes, known.created_at, known.at_cutoff,
    relation, inferred_relation, parent, parents,
    CASE WHEN derivative.model IS NOT NULL THEN root WHEN are_bases_known THEN known.model END AS root,
    CASE WHEN derivative.model IS NOT NULL THEN root_kind WHEN are_bases_known THEN 'model' END AS root_kind,
    CASE WHEN derivative.model IS NOT NULL THEN depth WHEN are_bases_known THEN 0 END AS depth
FROM (
    SELECT
        id AS model, downloads, downloads_all_time, likes, created_at, at_cutoff,
        base_models IS NOT NULL OR tags IS NOT NULL AS are_bases_known
    FROM census
) AS known
LEFT JOIN derivatives() AS derivative ON derivative.model = known.model;

-- The models created in a period, each with its unit (model, author, library or family; NULL: unknown)
-- and what it counts there.
CREATE MACRO IF NOT EXISTS weighted_units(ranked, counted, first_date, end_date, with_cutoff) AS TABLE
SELECT
    CASE ranked
        WHEN 'model' THEN key
        WHEN 'author' THEN counted_author(author, id)
        WHEN 'library' THEN library_name
    END AS unit,
    weight_of(counted, downloads, downloads_all_time, likes) AS n
FROM census
WHERE ranked <> 'family' AND is_created_in(first_date, end_date, with_cutoff, created_at, at_cutoff)
UNION ALL
SELECT root, weight_of(counted, downloads, downloads_all_time, likes)
FROM families()
WHERE ranked = 'family' AND is_created_in(first_date, end_date, with_cutoff, created_at, at_cutoff);

-- What each of these units counts, where it is known; coverage: the share of the models whose unit and count are.
CREATE MACRO IF NOT EXISTS unit_counts(ranked, counted, first_date, end_date, with_cutoff) AS TABLE
WITH units AS (FROM weighted_units(ranked, counted, first_date, end_date, with_cutoff)),
known AS (SELECT count(n) FILTER (unit IS NOT NULL) / nullif(count(*), 0) AS coverage FROM units)
SELECT n, coverage FROM units, known WHERE ranked = 'model' AND n IS NOT NULL  -- each is a unit
UNION ALL
SELECT sum(n), any_value(coverage)
FROM units, known
WHERE ranked <> 'model' AND unit IS NOT NULL
GROUP BY unit
HAVING count(n) > 0;

-- The licenses that a model is tagged with, as one text; NULL: unknown.
CREATE MACRO IF NOT EXISTS licenses(tags) AS
CASE
    WHEN len(tag_values(tags, 'license:')) > 1 THEN array_to_string(list_sort(tag_values(tags, 'license:')), ' + ')
    -- one license, as most have, needs no sorting and joining
    WHEN tags IS NOT NULL THEN coalesce(list_filter(tag_values(tags, 'license:'), lambda name: name <> '')[1], '(none)')
END;

-- The models and their parents with what each has: those of the frameworks or formats to distinguish,
-- or its license (`of`: framework, format or license). `change`: same, added (the model has all of its
-- parent's and more), dropped (less), replaced; NULL where either is unknown.
CREATE MACRO IF NOT EXISTS parent_traits(of, distinguished) AS TABLE
WITH resolved AS MATERIALIZED (FROM resolved_parents() WHERE parent IS NOT NULL),
pairs AS MATERIALIZED (  -- most have a single base, and need no grouping
    SELECT model, parent, relation, inferred_relation, downloads FROM resolved WHERE bases = 1
    UNION ALL
    SELECT model, parent, any_value(relation), any_value(inferred_relation), any_value(downloads)
    FROM resolved WHERE bases > 1 GROUP BY model, parent
),
masks AS (
    SELECT
        bit_or(mask) FILTER (list_contains(distinguished, framework)) AS compared,
        bit_or(mask) AS all_formats, bit_or(mask) FILTER (kind <> 'format') AS all_frameworks
    FROM (SELECT name AS framework, kind, 1::UBIGINT << bit AS mask FROM frameworks WHERE kind <> 'artefact')
),
traits AS MATERIALIZED (
    SELECT
        id,
        CASE of
            WHEN 'license' THEN licenses(tags)
            -- a format alone does not tell the framework
            WHEN 'framework' THEN CASE WHEN best_mask & all_frameworks <> 0 THEN (best_mask & compared)::VARCHAR END
            WHEN 'format' THEN CASE WHEN best_mask & all_formats <> 0 THEN (best_mask & compared)::VARCHAR END
        END AS trait
    FROM census, masks
    WHERE id IN (SELECT model FROM pairs UNION ALL SELECT parent FROM pairs)
),
named AS (
    SELECT
        trait, of <> 'license' AS is_set,
        CASE WHEN is_set THEN TRY_CAST(trait AS UBIGINT) END AS mask,
        CASE WHEN is_set THEN coalesce(
            (SELECT string_agg(name, ' + ' ORDER BY bit) FROM frameworks WHERE (mask >> bit) & 1 = 1), 'none'
        ) ELSE trait END AS text
    FROM (SELECT DISTINCT trait FROM traits WHERE trait IS NOT NULL)
)
SELECT
    pairs.*, old.text AS before, new.text AS after,
    CASE
        WHEN old.text IS NULL OR new.text IS NULL THEN NULL
        WHEN old.text = new.text THEN 'same'
        WHEN old.text = '(none)' OR old.mask & new.mask = old.mask THEN 'added'
        WHEN new.text = '(none)' OR old.mask & new.mask = new.mask THEN 'dropped'
        ELSE 'replaced'
    END AS change
FROM pairs
JOIN traits AS child ON child.id = pairs.model
JOIN traits AS base ON base.id = pairs.parent
LEFT JOIN named AS old ON old.trait = base.trait
LEFT JOIN named AS new ON new.trait = child.trait;
