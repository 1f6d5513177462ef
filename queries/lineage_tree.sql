-- title: Lineage of one model
-- answers: Which models was a model made from, and which were made from it?
-- param model VARCHAR = openai-community/gpt2 : repo id, or the name of a base that is not in the snapshot
-- param up INTEGER = 100 : show the models that it was made from, up to so many steps
-- param down INTEGER = 100 : show the models that were made from it, up to so many steps
-- param top INTEGER = NULL : of the models made from each, show only so many, those with the most downloads; NULL: all
-- chart: none
-- One row for each model, by the shortest way: direction: up, itself or down; steps: from the model; via: the next model
-- on the way to it. parents: as declared, in the snapshot's names where they are there. siblings: models of the same
-- direction and via; place: among them, by downloads. children: models that name it as a base. in_snapshot: false for a
-- base that is only named. bases_known: false where the model may declare bases that could not be read. in_cycle: it is
-- made from the model and the model from it. models, total_downloads: of all models of the direction, shown or not.
WITH RECURSIVE declared AS MATERIALIZED (
    SELECT model, base AS parent, relation, inferred_relation, position, bases, downloads
    FROM resolved_parents()
    WHERE resolution <> 'itself'
),
sought AS MATERIALIZED (  -- names of bases do not depend on case
    SELECT coalesce(arg_min(parent, parent <> $model), $model::VARCHAR) AS model
    FROM declared WHERE lower(parent) = lower($model)
),
ancestors(model, steps, via) USING KEY (model) AS (
    SELECT model, 0, NULL::VARCHAR FROM sought
    UNION
    SELECT parent, min(steps + 1), arg_min(declared.model, (position, declared.model))
    FROM ancestors JOIN declared USING (model)
    WHERE parent NOT IN (SELECT model FROM recurring.ancestors)
    GROUP BY parent
),
descendants(model, steps, via, downloads) USING KEY (model) AS (
    SELECT model, 0, NULL::VARCHAR, NULL::BIGINT FROM sought
    UNION
    SELECT declared.model, min(steps + 1), arg_min(parent, position), any_value(declared.downloads)
    FROM descendants JOIN declared ON parent = descendants.model
    WHERE declared.model NOT IN (SELECT model FROM recurring.descendants)
    GROUP BY declared.model
),
reached AS (
    SELECT 'itself' AS direction, model, 0 AS steps, NULL AS via, NULL::BIGINT AS downloads FROM sought
    UNION ALL
    SELECT 'up', model, steps, via, NULL FROM ancestors WHERE steps > 0
    UNION ALL
    SELECT 'down', model, steps, via, downloads FROM descendants WHERE steps > 0
),
bases AS MATERIALIZED (
    SELECT id AS model, downloads FROM census WHERE id IN (SELECT model FROM reached WHERE direction <> 'down')
),
ranked AS MATERIALIZED (
    SELECT
        reached.* REPLACE (coalesce(reached.downloads, bases.downloads) AS downloads),
        direction = 'down' OR bases.model IS NOT NULL AS in_snapshot,
        row_number() OVER (
            PARTITION BY direction, via
            ORDER BY coalesce(reached.downloads, bases.downloads) DESC NULLS LAST, reached.model
        ) AS place
    FROM reached LEFT JOIN bases ON bases.model = reached.model AND direction <> 'down'
),
shown AS MATERIALIZED (
    FROM ranked
    WHERE CASE direction
        WHEN 'up' THEN steps <= $up::INTEGER
        WHEN 'down' THEN steps <= $down::INTEGER AND coalesce(place <= $top::INTEGER, true)
        ELSE true
    END
),
known AS MATERIALIZED (
    SELECT
        id AS model, created_at, best_mask, licenses(tags) AS license,
        base_models IS NOT NULL OR tags IS NOT NULL AS bases_known
    FROM census WHERE id IN (SELECT model FROM shown)
),
masks AS (
    SELECT best_mask, names_of_mask(best_mask, (
        SELECT list({'name': name, 'bit': bit} ORDER BY bit) FROM frameworks WHERE kind <> 'artefact'
    )) AS frameworks
    FROM (SELECT DISTINCT best_mask FROM known)
),
made AS (  -- most models name a single base, and need no grouping
    SELECT model, relation, inferred_relation, [parent] AS parents
    FROM declared WHERE bases = 1 AND model IN (SELECT model FROM shown)
    UNION ALL
    SELECT model, any_value(relation), any_value(inferred_relation), list(parent ORDER BY position)
    FROM declared WHERE bases > 1 AND model IN (SELECT model FROM shown) GROUP BY model
),
children AS (  -- a base may be named twice, by an old name and the new one
    SELECT parent AS model, count(*) FILTER (bases = 1) + count(DISTINCT model) FILTER (bases > 1) AS children
    FROM declared WHERE parent IN (SELECT model FROM shown) GROUP BY parent
),
families AS (SELECT direction, via, max(place) AS siblings FROM ranked GROUP BY direction, via),
totals AS (
    SELECT direction, count(*) AS models, sum(downloads)::BIGINT AS total_downloads FROM ranked GROUP BY direction
)
SELECT
    shown.direction, steps, shown.model, shown.via, place, siblings,
    coalesce(children, 0) AS children,
    relation, inferred_relation,
    list_filter(parents, lambda parent, nth: list_position(parents, parent) = nth) AS parents,
    in_snapshot,
    steps > 0 AND shown.model IN (SELECT model FROM ancestors JOIN descendants USING (model)) AS in_cycle,
    models, total_downloads,
    coalesce(bases_known, false) AS bases_known,
    shown.downloads,
    frameworks,
    license,
    created_at
FROM shown
JOIN families ON families.direction = shown.direction AND families.via IS NOT DISTINCT FROM shown.via
JOIN totals ON totals.direction = shown.direction
LEFT JOIN known ON known.model = shown.model
LEFT JOIN masks ON masks.best_mask = known.best_mask
LEFT JOIN made ON made.model = shown.model
LEFT JOIN children ON children.model = shown.model
ORDER BY shown.direction = 'down', shown.direction = 'itself', steps, shown.via, place
