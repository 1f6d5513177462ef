-- title: Inconsistent totals
-- answers: In which cells of a report do the shares not add up to one, or the groups to the total?
-- chart: none
-- param figures JSON = [] : figures, as in a report's JSON
-- Runs with every report. The margin allows for author-weighted numbers, rounded to six digits, and
-- for downloads beyond the exact range of a DOUBLE.
WITH figures AS (
    SELECT DISTINCT  -- sections may repeat a request
        * EXCLUDE (share),
        (definition, frameworks, population, period, cutoff, weight, exclude_top_authors) AS request
    FROM (
        SELECT unnest(from_json($figures::JSON, '[{
            "name": "VARCHAR", "framework": "VARCHAR", "definition": "VARCHAR",
            "frameworks": ["VARCHAR"], "population": "VARCHAR", "period": ["VARCHAR"],
            "cutoff": "VARCHAR", "weight": "VARCHAR", "exclude_top_authors": "BIGINT", "by": "VARCHAR",
            "group": "VARCHAR", "numerator": "DOUBLE", "denominator": "DOUBLE", "share": "DOUBLE"
        }]'), recursive := true)
    )
),
cells AS (
    SELECT
        request, "by", "group",
        sum(numerator) FILTER (name IN ('exclusive', 'shared')) AS shares,
        max(denominator) FILTER (name <> 'none') AS whole,
        min(denominator) FILTER (name <> 'none') AS least,
        sum(numerator) FILTER (name = 'none') AS none_of,
        sum(denominator) FILTER (name = 'none') AS everything
    FROM figures GROUP BY ALL
),
grouped AS (
    SELECT request, "by", sum(whole) AS groups FROM cells WHERE "by" IS NOT NULL GROUP BY ALL
)
SELECT
    'shares' AS comparison, request::VARCHAR AS request, "by", "group",
    shares AS found, whole AS expected
FROM cells WHERE abs(shares - whole) > greatest(0.01, 1e-9 * whole) OR least <> whole
UNION ALL
SELECT 'with none', request::VARCHAR, "by", "group", none_of + whole, everything
FROM cells WHERE abs(none_of + whole - everything) > greatest(0.01, 1e-9 * everything)
UNION ALL
SELECT 'groups', request::VARCHAR, grouped."by", NULL, groups, whole
FROM grouped JOIN cells USING (request)
WHERE cells."by" IS NULL AND abs(groups - whole) > greatest(0.01, 1e-9 * whole)
ORDER BY ALL
