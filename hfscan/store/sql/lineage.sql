-- Lineage: which models of `census` were made from which others, as they declare it.

-- The bases that a model declares, in its order; NULL: unknown. A tag is base_model:BASE or
-- base_model:RELATION:BASE; most models have both, some one of them.
CREATE MACRO IF NOT EXISTS declared_bases(base_models, tags) AS
CASE WHEN len(base_models) > 0 THEN base_models ELSE coalesce(
    list_transform(tag_values(tags, 'base_model:'), lambda base: regexp_replace(base, '^[a-z_]{2,}:', '')),
    base_models
) END;

-- The relations that its tags name.
CREATE MACRO IF NOT EXISTS declared_relations(tags) AS
list_filter(
    list_transform(tag_values(tags, 'base_model:'), lambda base: regexp_extract(base, '^([a-z_]{2,}):', 1)),
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
-- weights. Of 7,210 models of August 2026 that name one it finds the same for 6,955.
CREATE MACRO IF NOT EXISTS inferred_relation(bases, relation, tags) AS
CASE
    WHEN relation <> '(unnamed)' THEN relation
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

-- The parents that models declare, each once: the name as declared, and its place among them.
CREATE MACRO IF NOT EXISTS declared_parents() AS TABLE
SELECT model, relation, inferred_relation, name, min(position) AS position
FROM (
    SELECT
        id AS model, relation, inferred_relation(bases, relation, tags) AS inferred_relation,
        unnest(bases) AS name, generate_subscripts(bases, 1) AS position
    FROM (
        SELECT id, tags, bases, relation_to(bases, base_relation, declared_relations(tags)) AS relation
        FROM (SELECT *, declared_bases(base_models, tags) AS bases FROM census)
        WHERE len(bases) > 0
    )
)
GROUP BY ALL;

-- The same, with the parent's repo id in the snapshot, and how the name led to it: exact, other case
-- (the Hub's ids do not depend on case), redirect (of the Hub: creation_dates), other snapshot (there
-- the model had that name), canonical name. `parent` is NULL where the model names itself, or else for
-- a reason: not a repo id, only in other snapshots, no account in the name, not in the snapshot.
CREATE MACRO IF NOT EXISTS resolved_parents() AS TABLE
WITH declared AS MATERIALIZED (FROM declared_parents()),
names AS MATERIALIZED (SELECT DISTINCT name, lower(name) AS lower_name FROM declared),
-- what other snapshots, and this one, know by these names
sightings AS MATERIALIZED (
    SELECT lower_name, CASE WHEN min(key) = max(key) AND bool_and(has_id) THEN min(key) END AS key
    FROM (SELECT DISTINCT lower_name FROM names) JOIN versions ON lower(id) = lower_name
    GROUP BY lower_name
),
candidates AS (
    SELECT name, lower_name AS lower_id, 1 AS preference FROM names
    UNION ALL
    SELECT name, lower(moved_to), 2 FROM names JOIN creation_dates ON lower(id) = lower_name
    WHERE moved_to IS NOT NULL
    UNION ALL
    SELECT name, lower(id), 3 FROM names JOIN sightings USING (lower_name) JOIN census USING (key)
    UNION ALL
    SELECT names.name, lower(account || '/' || canonical.name), 4
    FROM names JOIN canonical_models() AS canonical ON canonical.name = lower_name
),
targets AS (
    SELECT name, arg_min(id, 2 * preference + (id <> name)::INTEGER) AS id, min(preference) AS preference
    FROM candidates JOIN census ON lower(id) = lower_id
    GROUP BY name
),
resolutions AS (
    SELECT
        name, id,
        CASE
            WHEN id = name THEN 'exact'
            WHEN id IS NOT NULL
                THEN ['other case', 'redirect', 'other snapshot', 'canonical name'][preference]
            WHEN NOT regexp_full_match(name, '(\b[\w.-]+\b/)?\b[\w.-]{1,96}\b') THEN 'not a repo id'
            WHEN lower_name IN (SELECT lower_name FROM sightings) THEN 'only in other snapshots'
            WHEN NOT contains(name, '/') THEN 'no account in the name'
            ELSE 'not in the snapshot'
        END AS resolution
    FROM names LEFT JOIN targets USING (name)
)
SELECT
    model, relation, inferred_relation, name, position,
    CASE WHEN id <> model THEN id END AS parent,
    CASE WHEN id = model THEN 'itself' ELSE coalesce(resolution, 'not a repo id') END AS resolution
FROM declared LEFT JOIN resolutions USING (name);

-- The models that were made from others. `parents` are those in the snapshot, `parent` is the first of
-- them, or the first name where none is there; `root` the first model of the family, following `parent`,
-- `depth` the number of steps to it. `root_kind`: model; missing (a name that is not in the snapshot);
-- cycle (models that name each other: the first by name is the root).
CREATE MACRO IF NOT EXISTS derivatives() AS TABLE
WITH RECURSIVE first_parents AS MATERIALIZED (
    SELECT
        model, any_value(relation) AS relation, any_value(inferred_relation) AS inferred_relation,
        coalesce(list(DISTINCT parent) FILTER (parent IS NOT NULL), []) AS parents, count(parent) = 0 AS is_missing,
        arg_min(coalesce(parent, name), position + CASE WHEN parent IS NULL THEN 1_000_000 ELSE 0 END)
            AS parent
    FROM resolved_parents()
    WHERE resolution <> 'itself'
    GROUP BY model
),
inner_models AS MATERIALIZED (  -- derivatives that have derivatives
    SELECT model, parent, is_missing FROM first_parents WHERE model IN (SELECT parent FROM first_parents)
),
ancestors AS (
    SELECT model, parent AS ancestor FROM inner_models
    UNION
    SELECT ancestors.model, inner_models.parent FROM ancestors JOIN inner_models ON inner_models.model = ancestor
),
cycle_roots AS MATERIALIZED (
    SELECT model FROM ancestors GROUP BY model HAVING bool_or(ancestor = model) AND min(ancestor) = model
),
descent AS (
    SELECT model, parent AS root, CASE WHEN is_missing THEN 'missing' ELSE 'model' END AS root_kind, 1 AS depth
    FROM inner_models WHERE parent NOT IN (SELECT model FROM inner_models)
    UNION ALL
    SELECT model, model, 'cycle', 0 FROM cycle_roots
    UNION ALL
    SELECT inner_models.model, root, root_kind, depth + 1
    FROM descent JOIN inner_models ON inner_models.parent = descent.model
    WHERE inner_models.model NOT IN (SELECT model FROM cycle_roots)
)
SELECT
    first_parents.model, relation, inferred_relation, first_parents.parent, parents,
    CASE WHEN is_root THEN first_parents.model ELSE coalesce(root, first_parents.parent) END AS root,
    CASE WHEN is_root THEN 'cycle' WHEN root_kind IS NOT NULL THEN root_kind WHEN is_missing THEN 'missing' ELSE 'model' END AS root_kind,
    CASE WHEN is_root THEN 0 ELSE coalesce(depth, 0) + 1 END AS depth
FROM (SELECT *, model IN (SELECT model FROM cycle_roots) AS is_root FROM first_parents) AS first_parents
LEFT JOIN descent ON descent.model = first_parents.parent;

-- The family of every model. One that declares no parent but itself is the root of its own; the family
-- is unknown (NULL) where the bases are.
CREATE MACRO IF NOT EXISTS families() AS TABLE
SELECT
    known.model, relation, inferred_relation, parent, parents,
    CASE WHEN derivative.model IS NOT NULL THEN root WHEN are_bases_known THEN known.model END AS root,
    CASE WHEN derivative.model IS NOT NULL THEN root_kind WHEN are_bases_known THEN 'model' END AS root_kind,
    CASE WHEN derivative.model IS NOT NULL THEN depth WHEN are_bases_known THEN 0 END AS depth
FROM (SELECT id AS model, base_models IS NOT NULL OR tags IS NOT NULL AS are_bases_known FROM census) AS known
LEFT JOIN derivatives() AS derivative ON derivative.model = known.model;

-- The licences that a model is tagged with; NULL: unknown.
CREATE MACRO IF NOT EXISTS licenses(tags) AS
CASE WHEN tags IS NOT NULL
    THEN coalesce(nullif(array_to_string(list_sort(tag_values(tags, 'license:')), ' + '), ''), '(none)') END;

-- The models and their parents with what each has: those of the frameworks or formats to distinguish,
-- or its licence (`of`: framework, format or license). `change`: same, added (the model has all of its
-- parent's and more), dropped (less), replaced; NULL where either is unknown.
CREATE MACRO IF NOT EXISTS parent_traits(of, distinguished) AS TABLE
WITH pairs AS MATERIALIZED (
    SELECT DISTINCT model, parent, relation, inferred_relation FROM resolved_parents() WHERE parent IS NOT NULL
),
masks AS (
    SELECT
        bit_or(mask) FILTER (list_contains(distinguished, framework)) AS compared,
        bit_or(mask) AS all_formats, bit_or(mask) FILTER (kind <> 'format') AS all_frameworks
    FROM (SELECT name AS framework, kind, 1::UBIGINT << bit AS mask FROM frameworks WHERE kind <> 'artefact')
),
traits AS MATERIALIZED (
    SELECT
        id, downloads,
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
    pairs.*, child.downloads, old.text AS before, new.text AS after,
    CASE
        WHEN old.text = new.text THEN 'same'
        WHEN old.text = '(none)' OR old.mask & new.mask = old.mask THEN 'added'
        WHEN new.text = '(none)' OR old.mask & new.mask = new.mask THEN 'dropped'
        WHEN old.text IS NOT NULL AND new.text IS NOT NULL THEN 'replaced'
    END AS change
FROM pairs
JOIN traits AS child ON child.id = pairs.model
JOIN traits AS base ON base.id = pairs.parent
LEFT JOIN named AS old ON old.trait = base.trait
LEFT JOIN named AS new ON new.trait = child.trait;
