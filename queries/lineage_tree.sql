-- title: Lineage of one model
-- answers: Which models was a model made from, and which were made from it?
-- param model VARCHAR = openai-community/gpt2 : repo id, or the name of a base that is not in the snapshot
-- param up INTEGER = 100 : steps to follow to the models that it was made from
-- param down INTEGER = 100 : steps to follow to the models that were made from it
-- chart: none
-- One row for each model, by the shortest way: direction: up, itself or down; steps: from the model; via: the next model
-- on the way to it. parents: as declared, in the snapshot's names where they are there. siblings: models of the same
-- direction and via; place: among them, by downloads. children: models that name it as a base. in_snapshot: false for a
-- base that is only named. bases_known: false where the model may declare bases that could not be read. in_cycle: it is
-- made from the model and the model from it. models, total_downloads: of all models of the direction.
WITH RECURSIVE declared AS MATERIALIZED (
    SELECT model, coalesce(parent, name) AS parent, relation, inferred_relation, position
    FROM resolved_parents()
    WHERE resolution <> 'itself'
),
ancestors(model, steps) USING KEY (model) AS (
    SELECT $model::VARCHAR, 0
    UNION
    SELECT parent, min(steps + 1)
    FROM ancestors JOIN declared USING (model)
    WHERE steps < $up::INTEGER AND parent NOT IN (SELECT model FROM recurring.ancestors)
    GROUP BY parent
),
descendants(model, steps) USING KEY (model) AS (
    SELECT $model::VARCHAR, 0
    UNION
    SELECT declared.model, min(steps + 1)
    FROM descendants JOIN declared ON parent = descendants.model
    WHERE steps < $down::INTEGER AND declared.model NOT IN (SELECT model FROM recurring.descendants)
    GROUP BY declared.model
),
reached AS (
    SELECT 'itself' AS direction, $model AS model, 0 AS steps, NULL AS via
    UNION ALL
    SELECT 'up', far.model, far.steps, arg_min(declared.model, (near.steps, position, declared.model))
    FROM ancestors AS far JOIN declared ON parent = far.model JOIN ancestors AS near ON near.model = declared.model
    WHERE near.steps = far.steps - 1
    GROUP BY far.model, far.steps
    UNION ALL
    SELECT 'down', far.model, far.steps, arg_min(parent, position)
    FROM descendants AS far JOIN declared ON declared.model = far.model JOIN descendants AS near ON near.model = parent
    WHERE near.steps = far.steps - 1
    GROUP BY far.model, far.steps
),
known_frameworks AS (
    SELECT list({'name': name, 'bit': bit} ORDER BY bit) AS frameworks FROM frameworks WHERE kind <> 'artefact'
),
bases AS (
    SELECT
        model, any_value(relation) AS relation, any_value(inferred_relation) AS inferred_relation,
        list(parent ORDER BY position) AS parents
    FROM declared WHERE model IN (SELECT model FROM reached) GROUP BY model
),
children AS (  -- a base may be named twice, by an old name and the new one
    SELECT parent AS model, count(DISTINCT model) AS children
    FROM declared WHERE parent IN (SELECT model FROM reached) GROUP BY parent
)
SELECT
    direction, steps, reached.model, via,
    row_number() OVER nearest AS place,
    count(*) OVER (PARTITION BY direction, via) AS siblings,
    coalesce(children, 0) AS children,
    relation, inferred_relation,
    list_filter(parents, lambda parent, nth: list_position(parents, parent) = nth) AS parents,
    census.id IS NOT NULL AS in_snapshot,
    steps > 0 AND reached.model IN (SELECT model FROM ancestors) AND reached.model IN (SELECT model FROM descendants)
        AS in_cycle,
    count(*) OVER (PARTITION BY direction) AS models,
    (sum(downloads) OVER (PARTITION BY direction))::BIGINT AS total_downloads,
    base_models IS NOT NULL OR tags IS NOT NULL AS bases_known,
    downloads,
    names_of_mask(best_mask, frameworks) AS frameworks,
    licenses(tags) AS license,
    created_at
FROM reached
CROSS JOIN known_frameworks
LEFT JOIN census ON census.id = reached.model
LEFT JOIN bases ON bases.model = reached.model
LEFT JOIN children ON children.model = reached.model
WINDOW nearest AS (PARTITION BY direction, via ORDER BY downloads DESC NULLS LAST, reached.model)
ORDER BY direction = 'down', direction = 'itself', steps, via, place
