-- title: How derivatives were made from their bases
-- answers: How many models, or how many of the downloads, are finetunes, adapters, quantised models and merges of others?
-- param weight VARCHAR = models : models: each counts once; downloads: by its 30-day downloads
-- param relations VARCHAR = named : relations as the models name them, or where they name none inferred from their tags
-- param since TIMESTAMP = NULL : only models created at or after this time (UTC)
-- param until TIMESTAMP = NULL : only models created before this time (UTC)
-- param cutoff VARCHAR = included : models at the creation-date cutoff: included, excluded or only; excluded by default where since is given
-- values weight: models, downloads
-- values relations: named, inferred
-- values cutoff: included, excluded, only
-- column share: share
-- column share_of_derivatives: share
-- column coverage: share
-- chart: bar x=share y=relation
-- numerator: models with this relation, or their weight; (none): those that declare no base but themselves.
-- denominator: the models whose bases are known, or their weight; coverage: their share of all. Models whose weight is
-- unknown are left out.
WITH derived AS (
    SELECT
        CASE $relations::VARCHAR WHEN 'inferred' THEN inferred_relation ELSE relation END AS relation,
        sum(CASE $weight::VARCHAR WHEN 'models' THEN 1 WHEN 'downloads' THEN downloads END) AS n,
        count(CASE $weight WHEN 'models' THEN 1 WHEN 'downloads' THEN downloads END) AS models
    FROM derivatives()
    WHERE is_created_in($since::TIMESTAMP, $until::TIMESTAMP, $cutoff::VARCHAR, created_at, at_cutoff)
    GROUP BY ALL
),
everything AS (
    SELECT
        CASE WHEN base_models IS NULL AND tags IS NULL THEN '(unknown)' ELSE '(none)' END AS relation,
        sum(CASE $weight WHEN 'models' THEN 1 WHEN 'downloads' THEN downloads END) AS n,
        count(CASE $weight WHEN 'models' THEN 1 WHEN 'downloads' THEN downloads END) AS models
    FROM census
    WHERE is_created_in($since::TIMESTAMP, $until::TIMESTAMP, $cutoff::VARCHAR, created_at, at_cutoff)
    GROUP BY ALL
),
parts AS (
    FROM derived
    UNION ALL
    SELECT
        relation,
        n - CASE relation WHEN '(none)' THEN coalesce((SELECT sum(n) FROM derived), 0) ELSE 0 END,
        models - CASE relation WHEN '(none)' THEN coalesce((SELECT sum(models) FROM derived), 0) ELSE 0 END
    FROM everything
),
counted AS (
    SELECT
        *,
        sum(n) FILTER (relation <> '(unknown)') OVER () AS known,
        sum(n) FILTER (relation NOT IN ('(unknown)', '(none)')) OVER () AS derived,
        sum(models) FILTER (relation <> '(unknown)') OVER () AS known_models
    FROM parts
)
SELECT
    relation,
    n AS numerator,
    coalesce(known, 0) AS denominator,
    CASE WHEN relation <> '(unknown)' THEN round(n / nullif(known, 0), 9) END AS share,
    CASE WHEN relation NOT IN ('(unknown)', '(none)') THEN round(n / nullif(derived, 0), 9) END AS share_of_derivatives,
    round(coalesce(known, 0) / nullif(sum(n) OVER (), 0), 6) AS coverage,
    models::BIGINT AS models,
    is_small(models, known_models) AS small
FROM counted
WHERE n IS NOT NULL AND (models > 0 OR relation = '(none)')
ORDER BY relation = '(unknown)', relation = '(none)', n DESC, relation
