-- title: Families of models
-- answers: Which base models have the largest families, how deep and broad are these, and how much are they downloaded?
-- param weight VARCHAR = models : models: each derivative counts once; downloads: by its 30-day downloads
-- param since TIMESTAMP = NULL : only derivatives created at or after this time (UTC)
-- param until TIMESTAMP = NULL : only derivatives created before this time (UTC)
-- param cutoff VARCHAR = included : models at the creation-date cutoff: included, excluded or only; excluded by default where since is given
-- param top INTEGER = 20 : number of families to return
-- values weight: models, downloads
-- values cutoff: included, excluded, only
-- column share: share
-- column coverage: share
-- column derived_share: share
-- chart: bar x=share y=family
-- reads: downloads
-- A model belongs to the family of its first declared base that is in the snapshot. numerator: derivatives in the
-- family, or their downloads; denominator: those of all families; coverage: the share of the models created in the
-- period whose bases, and downloads if these are counted, are known. Others are left out. root: model, missing (the base is not in the snapshot) or cycle (models that name each other). children: models
-- that name the base itself, among others or alone; depth: generations; breadth: models in the largest of them.
-- derived_share: of the downloads of the base and its derivatives, those of derivatives.
WITH members AS (
    SELECT *, CASE $weight::VARCHAR WHEN 'models' THEN 1 WHEN 'downloads' THEN downloads END AS n
    FROM derivatives()
    WHERE n IS NOT NULL AND is_created_in($since::TIMESTAMP, $until::TIMESTAMP, $cutoff::VARCHAR, created_at, at_cutoff)
),
population AS (
    SELECT
        count(*) AS models,
        count(*) FILTER (
            (base_models IS NOT NULL OR tags IS NOT NULL) AND ($weight = 'models' OR downloads IS NOT NULL)
        ) AS known
    FROM census
    WHERE is_created_in($since, $until, $cutoff, created_at, at_cutoff)
),
generations AS (
    SELECT
        root, root_kind, depth, count(*) AS models, sum(n) AS n, sum(downloads) AS downloads,
        sum(downloads) FILTER (model <> root) AS derived_downloads
    FROM members
    GROUP BY root, root_kind, depth
),
families AS (
    SELECT
        root, root_kind, sum(n) AS n, sum(sum(n)) OVER () AS total, sum(models) AS models, max(depth) AS depth,
        max(models) AS breadth, sum(downloads) AS downloads, sum(derived_downloads) AS derived_downloads
    FROM generations
    GROUP BY root, root_kind
    QUALIFY row_number() OVER (ORDER BY sum(n) DESC, root) <= $top::INTEGER
),
children AS (
    SELECT parent AS root, count(*) AS children FROM (SELECT unnest(parents) AS parent FROM members) GROUP BY parent
)
SELECT
    root AS family,
    root_kind AS root,
    n AS numerator,
    total AS denominator,
    round(n / nullif(total, 0), 9) AS share,
    (SELECT round(known / models, 6) FROM population) AS coverage,
    is_small(models, total) AS small,
    models::BIGINT AS models,
    children, depth, breadth,
    families.downloads,
    census.downloads AS root_downloads,
    round(derived_downloads / nullif(derived_downloads + census.downloads, 0), 9) AS derived_share
FROM families
LEFT JOIN children USING (root)
LEFT JOIN census ON census.id = families.root
ORDER BY n DESC, family
