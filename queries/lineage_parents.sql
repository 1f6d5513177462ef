-- title: How the names of base models resolve
-- answers: How many of the bases that models declare are in the snapshot, how many under another name, and why are the others not?
-- column share: share
-- column coverage: share
-- chart: bar x=share y=resolution
-- A declaration is a model and the name of a base, each pair once. denominator: all of them; coverage: the share of
-- the models whose bases are known. exact: the name is in the snapshot; other case: but for upper and lower case, which
-- the Hub ignores; redirect: the Hub redirects the name (`hfscan backfill-dates`); other snapshot: the model had that
-- name there; canonical name: of a model without account that got one in 2024 (gpt2). example: the name declared most.
WITH by_name AS (
    SELECT resolution, name, count(parent) > 0 AS is_found, count(*) AS n, list(model) AS models
    FROM resolved_parents()
    GROUP BY resolution, name
)
SELECT
    resolution,
    bool_or(is_found) AS resolved,
    sum(n) AS numerator,
    sum(sum(n)) OVER () AS denominator,
    round(numerator / denominator, 9) AS share,
    (SELECT round(count(*) FILTER (base_models IS NOT NULL OR tags IS NOT NULL) / count(*), 6) FROM census) AS coverage,
    count(*) AS names,
    len(list_distinct(flatten(list(models)))) AS models,
    first(name ORDER BY n DESC, name) AS example
FROM by_name
GROUP BY resolution
ORDER BY numerator DESC, resolution
