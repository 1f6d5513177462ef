-- title: Two reports side by side
-- answers: How do the shares of a report's figures differ from those of another's?
-- param figures JSON = [] : figures, as in a report's JSON
-- param others JSON = [] : the figures to compare with: of another year or snapshot
-- column framework: framework
-- column share: share
-- column other_share: share
-- column points: points
-- chart: change x=share x2=other_share y=row
-- points: other share minus share, in percentage points.
WITH base AS (
    FROM (SELECT unnest(from_json($figures::JSON, '[{
        "name": "VARCHAR", "framework": "VARCHAR", "group": "VARCHAR",
        "numerator": "DECIMAL(35, 6)", "denominator": "DECIMAL(35, 6)"
    }]'), recursive := true))
    SELECT *, row_number() OVER () AS position
),
other AS (
    FROM (SELECT unnest(from_json($others::JSON, '[{
        "name": "VARCHAR", "framework": "VARCHAR", "group": "VARCHAR",
        "numerator": "DECIMAL(35, 6)", "denominator": "DECIMAL(35, 6)"
    }]'), recursive := true))
    SELECT *, row_number() OVER () AS position
)
SELECT
    coalesce(base.name, other.name) AS name,
    coalesce(base.framework, other.framework) AS framework,
    coalesce(base."group", other."group") AS "group",
    base.numerator,
    base.denominator,
    round(base.numerator / nullif(base.denominator, 0), 9) AS share,
    other.numerator AS other_numerator,
    other.denominator AS other_denominator,
    round(other.numerator / nullif(other.denominator, 0), 9) AS other_share,
    round(100 * (other_share - share), 7) AS points
FROM base
FULL JOIN other
    ON base.name = other.name
    AND base.framework IS NOT DISTINCT FROM other.framework
    AND base."group" IS NOT DISTINCT FROM other."group"
-- leave out groups that are empty in both
WHERE base.denominator > 0 OR other.denominator > 0 OR coalesce(base."group", other."group") IS NULL
ORDER BY
    coalesce(base.denominator, 0) + coalesce(other.denominator, 0) DESC, "group",
    coalesce(base.position, other.position)
