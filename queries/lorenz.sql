-- title: Lorenz curve of downloads and likes
-- answers: What share of all downloads or likes do the least downloaded models, accounts or libraries have together?
-- param weight VARCHAR = downloads : downloads: of 30 days; downloads_all_time: all of them; likes
-- param per VARCHAR = model : what is ranked: model, author, library or family (a base model with all that is made from it)
-- param points INTEGER = 20 : equal steps from none to all; at the upper end there are four more
-- param since TIMESTAMP = NULL : only models created at or after this time (UTC)
-- param until TIMESTAMP = NULL : only models created before this time (UTC)
-- param cutoff VARCHAR = included : models at the creation-date cutoff: included, excluded or only; excluded by default where since is given
-- values weight: downloads, downloads_all_time, likes
-- values per: model, author, library, family
-- values cutoff: included, excluded, only
-- column share_of_units: share
-- column share: share
-- column coverage: share
-- chart: curve x=share_of_units y=share
-- units: how many of the least downloaded models, accounts or libraries there are up to this point; numerator: their
-- downloads together. All are ranked as in top_shares.
WITH counts AS (
    FROM unit_counts($per::VARCHAR, $weight::VARCHAR, $since::TIMESTAMP, $until::TIMESTAMP, $cutoff::VARCHAR)
),
ranked AS (  -- those with as many downloads together
    SELECT
        n, count(*) AS units,
        sum(count(*)) OVER up_to AS place,
        sum(n * count(*)) OVER up_to AS cumulative
    FROM counts
    GROUP BY n
    WINDOW up_to AS (ORDER BY n)
),
totals AS (
    SELECT
        max(place) AS units, max(cumulative) AS total,
        (SELECT any_value(coverage) FROM counts) AS coverage
    FROM ranked
),
points AS (
    SELECT DISTINCT (units * part // parts)::BIGINT AS units
    FROM totals, (
        SELECT number AS part, $points::INTEGER AS parts FROM range($points + 1) AS numbers(number) WHERE parts > 0
        UNION ALL
        FROM (VALUES (99, 100), (995, 1_000), (999, 1_000), (9_999, 10_000))
    )
    WHERE units > 0
)
SELECT
    points.units,
    total_units,
    round(points.units / total_units, 9) AS share_of_units,
    coalesce(cumulative - (place - points.units) * n, 0) AS numerator,
    total AS denominator,
    round(numerator / nullif(total, 0), 9) AS share,
    round(coverage, 6) AS coverage
FROM (FROM points, totals SELECT points.units, totals.units AS total_units, total, coverage) AS points
ASOF LEFT JOIN ranked ON points.units <= ranked.place
ORDER BY points.units
