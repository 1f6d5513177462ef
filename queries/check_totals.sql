-- title: Inconsistent totals
-- answers: In which cells of a report do the shares not add up to 1, or the groups to the total?
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
        request, weight, "by", "group",
        sum(numerator) FILTER (name IN ('exclusive', 'shared')) AS shares,
        max(denominator) FILTER (name <> 'none') AS total,
        min(denominator) FILTER (name <> 'none') AS smallest_total,
        sum(numerator) FILTER (name = 'none') AS none_models,
        sum(denominator) FILTER (name = 'none') AS all_models
    FROM figures GROUP BY ALL
),
group_sums AS (
    SELECT request, "by", sum(total) AS group_sum FROM cells WHERE "by" IS NOT NULL GROUP BY ALL
)
SELECT
    'shares' AS comparison, request::VARCHAR AS request, "by", "group",
    shares AS found, total AS expected
FROM cells WHERE abs(shares - total) > greatest(0.01, 1e-9 * total) OR smallest_total <> total
UNION ALL
SELECT 'with none', request::VARCHAR, "by", "group", none_models + total, all_models
FROM cells
WHERE abs(none_models + total - all_models) > greatest(0.01, 1e-9 * all_models)
UNION ALL
SELECT 'groups', request::VARCHAR, group_sums."by", NULL, group_sum, total
FROM group_sums JOIN cells USING (request)
-- an author counts once in each group
WHERE cells."by" IS NULL AND cells.weight <> 'authors' AND abs(group_sum - total) > greatest(0.01, 1e-9 * total)
ORDER BY ALL
