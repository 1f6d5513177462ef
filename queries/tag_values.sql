-- title: Languages, papers, licenses and storage regions of models
-- answers: How many models, with how many downloads, name each language, paper, license or storage region?
-- param of VARCHAR = language : what is named: language, paper (arXiv), license or storage_region
-- param weight VARCHAR = models : models: each counts once; downloads: by its 30-day downloads; downloads_all_time: by all of them; likes: by its likes
-- param min_downloads INTEGER = 0 : only models with at least this many downloads in 30 days
-- param since TIMESTAMP = NULL : only models created at or after this time (UTC)
-- param until TIMESTAMP = NULL : only models created before this time (UTC)
-- param cutoff VARCHAR = included : models at the creation-date cutoff: included, excluded or only; excluded by default where since is given
-- param top INTEGER = NULL : return this many of the most frequent values
-- values of: language, paper, license, storage_region
-- values weight: models, downloads, downloads_all_time, likes
-- values cutoff: included, excluded, only
-- column share: share
-- column coverage: share
-- chart: bar x=share y=value
-- A model counts for each value that it names, so shares add up to more than 100 %. (any): models that name at least
-- one; (none): those that name none. values_named: how many different values there are. denominator: models, or
-- their weight, whose tags are known; coverage: their share of all. Models whose weight or min_downloads is unknown
-- are left out.
WITH named AS (
    SELECT
        list_distinct(CASE $of::VARCHAR
            WHEN 'language' THEN languages(tags)
            WHEN 'paper' THEN tag_values(tags, 'arxiv:')
            WHEN 'license' THEN tag_values(tags, 'license:')
            WHEN 'storage_region' THEN tag_values(tags, 'region:')
        END) AS names,
        weight_of($weight::VARCHAR, downloads, downloads_all_time, likes) AS n
    FROM census
    WHERE
        ($min_downloads::INTEGER = 0 OR downloads >= $min_downloads)
        AND is_created_in($since::TIMESTAMP, $until::TIMESTAMP, $cutoff::VARCHAR, created_at, at_cutoff)
),
tally AS (
    SELECT names, sum(n) AS n, count(n) AS models FROM named WHERE n IS NOT NULL GROUP BY names
),
totals AS (
    SELECT
        coalesce(sum(n) FILTER (names IS NOT NULL), 0) AS known,
        coalesce(sum(models) FILTER (names IS NOT NULL), 0) AS known_models,
        sum(n) AS total
    FROM tally
),
by_value AS (
    SELECT *, count(*) OVER () AS values_named, row_number() OVER (ORDER BY n DESC, models DESC, value) AS place
    FROM (SELECT value, sum(n) AS n, sum(models) AS models FROM (SELECT unnest(names) AS value, n, models FROM tally) GROUP BY value)
),
counted AS (
    SELECT CASE WHEN len(names) = 0 THEN '(none)' ELSE '(any)' END AS value, sum(n) AS n, sum(models) AS models, 0 AS place
    FROM tally
    WHERE names IS NOT NULL
    GROUP BY ALL
    UNION ALL BY NAME
    SELECT * EXCLUDE (values_named) FROM by_value WHERE $top::INTEGER IS NULL OR place <= $top
)
SELECT
    value,
    n AS numerator,
    known AS denominator,
    round(n / nullif(known, 0), 9) AS share,
    round(known / nullif(total, 0), 6) AS coverage,
    models::BIGINT AS models,
    is_small(models, known_models) AS small,
    coalesce((SELECT any_value(values_named) FROM by_value), 0) AS values_named
FROM counted, totals
ORDER BY place, value
