-- title: Two reports side by side
-- answers: How do the shares of a report's figures differ from those of another's?
-- param figures JSON = [] : figures, as in a report's JSON
-- param compared_figures JSON = [] : the figures to compare with: of another year or snapshot
-- column framework: framework
-- column share: share
-- column compared_share: share
-- column points: points
-- chart: change x=share x2=compared_share y=row
-- points: compared share minus share, in percentage points. In samples, interval of a share: 95 %; of the points: as
-- of two independent shares (Zou and Donner 2008, doi:10.1002/sim.3095). The share of a complete census is exact.
WITH base AS (
    FROM (SELECT unnest(from_json($figures::JSON, '[{
        "name": "VARCHAR", "framework": "VARCHAR", "group": "VARCHAR",
        "numerator": "DECIMAL(35, 6)", "denominator": "DECIMAL(35, 6)", "small": "BOOLEAN", "interval": ["DOUBLE"]
    }]'), recursive := true))
    SELECT *, row_number() OVER () AS position
),
compared AS (
    FROM (SELECT unnest(from_json($compared_figures::JSON, '[{
        "name": "VARCHAR", "framework": "VARCHAR", "group": "VARCHAR",
        "numerator": "DECIMAL(35, 6)", "denominator": "DECIMAL(35, 6)", "small": "BOOLEAN", "interval": ["DOUBLE"]
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
    base.small,
    CASE WHEN base.interval[1] < base.interval[2] THEN base.interval END AS interval,
    compared.numerator AS compared_numerator,
    compared.denominator AS compared_denominator,
    round(compared.numerator / nullif(compared.denominator, 0), 9) AS compared_share,
    compared.small AS compared_small,
    CASE WHEN compared.interval[1] < compared.interval[2] THEN compared.interval END AS compared_interval,
    round(100 * (compared_share - share), 7) AS points,
    CASE WHEN base.interval IS NOT NULL AND compared.interval IS NOT NULL THEN [
        round(points - 100 * sqrt((compared_share - compared.interval[1]) ** 2 + (base.interval[2] - share) ** 2), 6),
        round(points + 100 * sqrt((compared.interval[2] - compared_share) ** 2 + (share - base.interval[1]) ** 2), 6)
    ] END AS points_interval
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
