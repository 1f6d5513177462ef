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
WITH one AS (
    FROM (SELECT unnest(from_json($figures::JSON, '[{
        "name": "VARCHAR", "framework": "VARCHAR", "group": "VARCHAR",
        "numerator": "DOUBLE", "denominator": "DOUBLE"
    }]'), recursive := true))
    SELECT *, row_number() OVER () AS place
),
other AS (
    FROM (SELECT unnest(from_json($others::JSON, '[{
        "name": "VARCHAR", "framework": "VARCHAR", "group": "VARCHAR",
        "numerator": "DOUBLE", "denominator": "DOUBLE"
    }]'), recursive := true))
    SELECT *, row_number() OVER () AS place
)
SELECT
    coalesce(one.name, other.name) AS name,
    coalesce(one.framework, other.framework) AS framework,
    coalesce(one."group", other."group") AS "group",
    one.numerator,
    one.denominator,
    round(one.numerator / nullif(one.denominator, 0), 9) AS share,
    other.numerator AS other_numerator,
    other.denominator AS other_denominator,
    round(other.numerator / nullif(other.denominator, 0), 9) AS other_share,
    round(100 * (other_share - share), 7) AS points
FROM one
FULL JOIN other
    ON one.name = other.name
    AND one.framework IS NOT DISTINCT FROM other.framework
    AND one."group" IS NOT DISTINCT FROM other."group"
-- leave out groups that are empty in both
WHERE one.denominator > 0 OR other.denominator > 0 OR coalesce(one."group", other."group") IS NULL
ORDER BY
    coalesce(one.denominator, 0) + coalesce(other.denominator, 0) DESC, "group",
    coalesce(one.place, other.place)
