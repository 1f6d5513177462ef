-- title: Two reports side by side
-- answers: How do the shares of a report's figures differ from those of another's?
-- param figures JSON = [] : figures, as in a report's JSON
-- param compared_figures JSON = [] : the figures to compare with: of another year or snapshot
-- column framework: framework
-- column share: share
-- column compared_share: share
-- column points: points
-- chart: change x=share x2=compared_share y=row
-- points: compared share minus share, in percentage points.
WITH base AS (
    FROM (SELECT unnest(from_json($figures::JSON, '[{
        "name": "VARCHAR", "framework": "VARCHAR", "group": "VARCHAR",
        "numerator": "DECIMAL(35, 6)", "denominator": "DECIMAL(35, 6)"
    }]'), recursive := true))
    SELECT *, row_number() OVER () AS position
),
compared AS (
    FROM (SELECT unnest(from_json($compared_figures::JSON, '[{
        "name": "VARCHAR", "framework": "VARCHAR", "group": "VARCHAR",
        "numerator": "DECIMAL(35, 6)", "denominator": "DECIMAL(35, 6)"
    }]'), recursive := true))
    SELECT *, row_number() OVER () AS position
)
SELECT
    coalesce(base.name, compared.name) AS name,
    coalesce(base.framework, compared.framework) AS framework,
    coalesce(base."group", compared."group") AS "group",
    base.numerator,
    base.denominator,
    round(base.numerator / nullif(base.denominator, 0), 9) AS share,
    is_small(base.numerator, base.denominator) AS small,
    compared.numerator AS compared_numerator,
    compared.denominator AS compared_denominator,
    round(compared.numerator / nullif(compared.denominator, 0), 9) AS compared_share,
    is_small(compared.numerator, compared.denominator) AS compared_small,
    round(100 * (compared_share - share), 7) AS points
FROM base
FULL JOIN compared
    ON base.name = compared.name
    AND base.framework IS NOT DISTINCT FROM compared.framework
    AND base."group" IS NOT DISTINCT FROM compared."group"
-- leave out groups that are empty in both
WHERE base.denominator > 0 OR compared.denominator > 0 OR coalesce(base."group", compared."group") IS NULL
ORDER BY
    coalesce(base.denominator, 0) + coalesce(compared.denominator, 0) DESC, "group",
    coalesce(base.position, compared.position)
