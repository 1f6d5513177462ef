-- title: Concentration of downloads and likes
-- answers: What share of all downloads or likes do the top models, accounts, libraries or families have, and how many have none?
-- param weight VARCHAR = downloads : downloads: of 30 days; downloads_all_time: all of them; likes
-- param per VARCHAR = model : what is ranked: model, author, library or family (a base model with all that is made from it)
-- param percent DOUBLE = 1 : a percentage to add to the usual ones
-- param under INTEGER = 200 : count those with fewer than this
-- param since TIMESTAMP = NULL : only models created at or after this time (UTC)
-- param until TIMESTAMP = NULL : only models created before this time (UTC)
-- param cutoff VARCHAR = included : models at the creation-date cutoff: included, excluded or only; excluded by default where since is given
-- values weight: downloads, downloads_all_time, likes
-- values per: model, author, library, family
-- values cutoff: included, excluded, only
-- column share: share
-- column coverage: share
-- chart: bar x=share y=name
-- top N, top N %: their share of the total. none, under: how many models, accounts or libraries have none, or
-- fewer than that. gini: 0 if all have the same, almost 1 if one has all. A model without an account is ranked by
-- itself. Models are left out where their count is unknown, or for libraries and families where these are; coverage: the
-- share of the others. family: as in lineage_families.
WITH counts AS (
    FROM unit_counts($per::VARCHAR, $weight::VARCHAR, $since::TIMESTAMP, $until::TIMESTAMP, $cutoff::VARCHAR)
),
ranked AS (  -- units with the same count at once: those up to last_place have `cumulative`
    SELECT
        n, units,
        sum(units) OVER by_count AS last_place,
        sum(total) OVER by_count AS cumulative
    FROM (SELECT n, count(*) AS units, sum(n) AS total FROM counts GROUP BY n)
    WINDOW by_count AS (ORDER BY n DESC ROWS UNBOUNDED PRECEDING)
),
totals AS (
    SELECT
        sum(units)::BIGINT AS units, max(cumulative) AS total,
        coalesce(sum(units) FILTER (n = 0), 0)::BIGINT AS units_with_none,
        coalesce(sum(units) FILTER (n < $under::INTEGER), 0)::BIGINT AS units_under,
        -- on average, the units are in the middle of their places
        sum(units * (last_place - (units - 1) / 2) * n::DOUBLE) AS weighted,
        (SELECT any_value(coverage) FROM counts) AS coverage
    FROM ranked
),
levels AS (
    SELECT unnest([1, 10, 50, 100, 200, 1000]) AS place, 'top ' || place AS name
    UNION ALL
    SELECT greatest(ceil(units * percent::DECIMAL(9, 6) / 100), 1)::INTEGER, 'top ' || regexp_replace(percent, '[.]0$', '') || ' %'
    FROM (SELECT DISTINCT percent::DOUBLE::VARCHAR AS percent FROM (SELECT unnest([0.01, 0.1, 1, 10, $percent::DOUBLE]) AS percent)), totals
)
SELECT
    name,
    cumulative - (last_place - place) * n AS numerator,
    total AS denominator,
    round(numerator / nullif(denominator, 0), 9) AS share,
    round(coverage, 6) AS coverage
FROM levels JOIN ranked ON place <= last_place AND place > last_place - units, totals
UNION ALL
SELECT 'none', units_with_none, units, round(units_with_none / units, 9), round(coverage, 6) FROM totals WHERE units > 0
UNION ALL
SELECT 'under', units_under, units, round(units_under / units, 9), round(coverage, 6) FROM totals WHERE units > 0
UNION ALL
SELECT 'gini', NULL, NULL, round((units + 1 - 2 * weighted / nullif(total, 0)) / units, 9), round(coverage, 6)
FROM totals WHERE units > 0
ORDER BY list_position(['none', 'under', 'gini'], name) NULLS FIRST, numerator, name
