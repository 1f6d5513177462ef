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
-- made from the model and the model from it. models, total_downloads: of all models of the direction, shown or not;
-- with_downloads: how many of them have known downloads.
WITH RECURSIVE declared AS MATERIALIZED (
    SELECT model, base AS parent, relation, inferred_relation, position, bases, downloads
    FROM resolved_parents()
    WHERE resolution <> 'itself'
),
children AS MATERIALIZED (
    SELECT parent AS model, count(*) AS children
    FROM (
        SELECT parent FROM declared WHERE bases = 1
        UNION ALL  -- a base may be named twice, by an old name and the new one
        SELECT parent FROM (SELECT DISTINCT model, parent FROM declared WHERE bases > 1)
    )
    GROUP BY parent
),
sought AS MATERIALIZED (  -- names of bases do not depend on case
    SELECT coalesce(arg_min(model, model <> $model), $model::VARCHAR) AS model
    FROM children WHERE lower(model) = lower($model)
),
inner_edges AS MATERIALIZED (  -- of models that are bases themselves: no walk leads on from the others
    SELECT model, parent, position FROM declared
    WHERE model IN (SELECT model FROM children UNION ALL FROM sought)
),
ancestors(model, steps, via) USING KEY (model) AS (
    SELECT model, 0, NULL::VARCHAR FROM sought
    UNION
    SELECT parent, min(steps + 1), arg_min(inner_edges.model, (position, inner_edges.model))
    FROM ancestors JOIN inner_edges USING (model)
    WHERE parent NOT IN (SELECT model FROM recurring.ancestors)
    GROUP BY parent
),
inner_descendants(model, steps) USING KEY (model) AS (
    SELECT model, 0 FROM sought
    UNION
    SELECT inner_edges.model, min(steps + 1)
    FROM inner_descendants JOIN inner_edges ON parent = inner_descendants.model
    WHERE inner_edges.model NOT IN (SELECT model FROM recurring.inner_descendants)
    GROUP BY inner_edges.model
),
below AS MATERIALIZED (
    SELECT declared.*, steps + 1 AS steps
    FROM declared JOIN inner_descendants ON parent = inner_descendants.model
    WHERE declared.model NOT IN (FROM sought)
),
descendants AS (  -- most models name a single base, and need no grouping
    SELECT model, steps, parent AS via, downloads, relation, inferred_relation, bases FROM below WHERE bases = 1
    UNION ALL
    SELECT
        model, min(steps), arg_min(parent, (steps, position)), any_value(downloads), any_value(relation),
        any_value(inferred_relation), any_value(bases)
    FROM below WHERE bases > 1 GROUP BY model
),
ranked_descendants AS MATERIALIZED (
    SELECT *, row_number() OVER (PARTITION BY via ORDER BY downloads DESC NULLS LAST, model) AS place
    FROM descendants
),
shown_descendants AS MATERIALIZED (
    FROM ranked_descendants WHERE steps <= $down::INTEGER AND coalesce(place <= $top::INTEGER, true)
),
wanted AS MATERIALIZED (SELECT model FROM shown_descendants UNION SELECT model FROM ancestors),
known AS MATERIALIZED (
    SELECT id AS model, downloads, created_at, best_mask, tags, base_models IS NOT NULL OR tags IS NOT NULL AS bases_known
    FROM wanted JOIN census ON id = wanted.model
),
ranked_ancestors AS MATERIALIZED (
    SELECT
        CASE steps WHEN 0 THEN 'itself' ELSE 'up' END AS direction, ancestors.model, steps, via, downloads,
        row_number() OVER (PARTITION BY via ORDER BY downloads DESC NULLS LAST, ancestors.model) AS place
    FROM ancestors LEFT JOIN known ON known.model = ancestors.model
),
declarations AS (  -- of models with several bases, and of ancestors
    SELECT
        model, any_value(relation) AS relation, any_value(inferred_relation) AS inferred_relation,
        list(parent ORDER BY position) AS names,
        list_filter(names, lambda name, nth: list_position(names, name) = nth) AS parents
    FROM declared
    WHERE model IN (SELECT model FROM shown_descendants WHERE bases > 1 UNION ALL SELECT model FROM ancestors)
    GROUP BY model
),
masks AS (
    SELECT best_mask, names_of_mask(best_mask, (
        SELECT list({'name': name, 'bit': bit} ORDER BY bit) FROM frameworks WHERE kind <> 'artefact'
    )) AS frameworks
    FROM (SELECT DISTINCT best_mask FROM known)
),
families AS (
    SELECT 'down' AS direction, via, count(*) AS siblings FROM ranked_descendants GROUP BY via
    UNION ALL
    SELECT direction, via, count(*) FROM ranked_ancestors GROUP BY direction, via
),
totals AS (
    SELECT
        'down' AS direction, count(*) AS models, count(downloads) AS with_downloads, sum(downloads) AS total_downloads
    FROM ranked_descendants
    UNION ALL
    SELECT direction, count(*), count(downloads), sum(downloads) FROM ranked_ancestors GROUP BY direction
),
shown AS (
    SELECT
        'down' AS direction, model, steps, via, downloads, place, relation, inferred_relation, [via] AS parents
    FROM shown_descendants
    UNION ALL
    SELECT direction, model, steps, via, downloads, place, NULL, NULL, NULL
    FROM ranked_ancestors
    WHERE steps <= $up::INTEGER
        -- no model, and no base of one, has an unknown name
        AND (steps > 0 OR model IN (SELECT model FROM known) OR EXISTS (FROM ranked_descendants))
)
SELECT
    shown.direction, steps, shown.model, shown.via, place, siblings,
    coalesce(children, 0) AS children,
    coalesce(declarations.relation, shown.relation) AS relation,
    coalesce(declarations.inferred_relation, shown.inferred_relation) AS inferred_relation,
    coalesce(declarations.parents, shown.parents) AS parents,
    known.model IS NOT NULL AS in_snapshot,
    steps > 0 AND shown.model IN (SELECT model FROM ancestors JOIN inner_descendants USING (model)) AS in_cycle,
    models, with_downloads, total_downloads,
    coalesce(bases_known, false) AS bases_known,
    shown.downloads,
    frameworks,
    licenses(tags) AS license,
    created_at
FROM shown
JOIN families ON families.direction = shown.direction AND families.via IS NOT DISTINCT FROM shown.via
JOIN totals ON totals.direction = shown.direction
LEFT JOIN known ON known.model = shown.model
LEFT JOIN masks ON masks.best_mask = known.best_mask
LEFT JOIN declarations ON declarations.model = shown.model
LEFT JOIN children ON children.model = shown.model
ORDER BY shown.direction = 'down', shown.direction = 'itself', steps, shown.via, place
