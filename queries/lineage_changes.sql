-- title: From base to derivative
-- answers: Which frameworks, formats or licenses do derivatives have, and which do their bases have?
-- param of VARCHAR = license : what is compared: framework, format or license
-- param frameworks VARCHAR[] = pytorch,tensorflow,jax,onnx,gguf,mlx : the frameworks or runtimes to distinguish
-- param formats VARCHAR[] = safetensors,gguf,onnx,openvino,keras : the formats to distinguish
-- param weight VARCHAR = models : models: each derivative counts once per base; downloads: by its 30-day downloads
-- param relations VARCHAR = named : relations as the models name them, or where they name none inferred from their tags
-- param relation VARCHAR = NULL : only derivatives with this relation; NULL: all
-- param top INTEGER = 20 : keep this many of the largest pairs; the rest becomes '(other)'
-- values of: framework, format, license
-- values frameworks: <frameworks>
-- values formats: <frameworks>
-- values weight: models, downloads
-- values relations: named, inferred
-- column share: share
-- column share_of_before: share
-- column coverage: share
-- chart: bar x=share y=before+after
-- A pair is a derivative and a base in the snapshot. before: what the base has, after: the derivative. denominator: pairs
-- of which both are known, or the derivatives' downloads; coverage: their share of all pairs. share_of_before: of the
-- pairs with the same base side. Frameworks are by the best evidence (hfscan query breakdown); a format alone does not
-- tell the framework. none: none of those compared. Licenses are as tagged.
WITH pairs AS (
    SELECT
        before, after, change,
        CASE $weight::VARCHAR WHEN 'models' THEN 1 WHEN 'downloads' THEN downloads END AS n
    FROM parent_traits($of::VARCHAR, CASE $of WHEN 'format' THEN $formats::VARCHAR[] ELSE $frameworks::VARCHAR[] END)
    WHERE
        $relation::VARCHAR IS NULL
        OR CASE $relations::VARCHAR WHEN 'inferred' THEN inferred_relation ELSE relation END = $relation
),
ranked AS (
    SELECT
        before, after, change, sum(n) AS n, count(n) AS models, sum(sum(n)) OVER (PARTITION BY before) AS before_total,
        row_number() OVER (ORDER BY sum(n) DESC NULLS LAST, before, after) AS place
    FROM pairs
    WHERE change IS NOT NULL
    GROUP BY before, after, change
),
kept AS (
    SELECT
        CASE WHEN place <= $top::INTEGER THEN before ELSE '(other)' END AS before,
        CASE WHEN place <= $top THEN after ELSE '(other)' END AS after,
        CASE WHEN place <= $top THEN change END AS change,
        CASE WHEN place <= $top THEN before_total END AS before_total,
        sum(n) AS n, sum(models) AS models
    FROM ranked
    GROUP BY ALL
)
SELECT
    before, after, change,
    n AS numerator,
    sum(n) OVER () AS denominator,
    round(n / nullif(denominator, 0), 9) AS share,
    before_total,
    round(n / nullif(before_total, 0), 9) AS share_of_before,
    round(denominator / nullif((SELECT sum(n) FROM pairs), 0), 6) AS coverage,
    is_small(models, sum(models) OVER ()) AS small
FROM kept
WHERE n IS NOT NULL
ORDER BY before = '(other)' AND change IS NULL, n DESC, before, after
