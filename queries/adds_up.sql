-- title: Figures that do not add up
-- answers: In which cells of a report do the shares not add up to one, or the groups not to the whole?
-- chart: none
-- param figures JSON = [] : figures, as a report's JSON has them
-- Runs with every report. Votes of authors are fractions, rounded to six digits: hence the margin.
WITH figures AS (
    SELECT DISTINCT  -- a report may ask the same twice
        * EXCLUDE (share),
        (definition, universe, population, period, floor, weight, without_top) AS question
    FROM (
        SELECT unnest(from_json($figures::JSON, '[{
            "name": "VARCHAR", "framework": "VARCHAR", "definition": "VARCHAR",
            "universe": ["VARCHAR"], "population": "VARCHAR", "period": ["VARCHAR"],
            "floor": "VARCHAR", "weight": "VARCHAR", "without_top": "BIGINT", "by": "VARCHAR",
            "group": "VARCHAR", "numerator": "DOUBLE", "denominator": "DOUBLE", "share": "DOUBLE"
        }]'), recursive := true)
    )
),
cells AS (
    SELECT
        question, "by", "group",
        sum(numerator) FILTER (name IN ('exclusive', 'shared')) AS shares,
        max(denominator) FILTER (name <> 'none') AS whole,
        min(denominator) FILTER (name <> 'none') AS least,
        sum(numerator) FILTER (name = 'none') AS none_of,
        sum(denominator) FILTER (name = 'none') AS everything
    FROM figures GROUP BY ALL
),
grouped AS (
    SELECT question, "by", sum(whole) AS groups FROM cells WHERE "by" IS NOT NULL GROUP BY ALL
)
SELECT
    'shares' AS what, question::VARCHAR AS question, "by", "group",
    shares AS found, whole AS expected
FROM cells WHERE abs(shares - whole) > 0.01 OR least <> whole
UNION ALL
SELECT 'with none', question::VARCHAR, "by", "group", none_of + whole, everything
FROM cells WHERE abs(none_of + whole - everything) > 0.01
UNION ALL
SELECT 'groups', question::VARCHAR, grouped."by", NULL, groups, whole
FROM grouped JOIN cells USING (question)
WHERE cells."by" IS NULL AND abs(groups - whole) > 0.01
ORDER BY ALL
