-- title: What derivatives keep of their bases
-- answers: How many derivatives have the framework, the format or the license of their base, and how many have another?
-- param of VARCHAR = license : what is compared: framework, format or license
-- param frameworks VARCHAR[] = pytorch,tensorflow,jax,onnx,gguf,mlx : the frameworks or runtimes to distinguish
-- param formats VARCHAR[] = safetensors,gguf,onnx,openvino,keras : the formats to distinguish
-- param weight VARCHAR = models : models: each derivative counts once per base; downloads: by its 30-day downloads
-- param relations VARCHAR = named : relations as the models name them, or where they name none inferred from their tags
-- values of: framework, format, license
-- values frameworks: <frameworks>
-- values formats: <frameworks>
-- values weight: models, downloads
-- values relations: named, inferred
-- column share: share
-- column coverage: share
-- chart: bar x=share y=relation color=change
-- A pair is a derivative and a base in the snapshot. denominator: the pairs of this relation of which both are known, or
-- the derivatives' downloads; coverage: their share of all its pairs. same: as the base; added: what the base has, and
-- more; dropped: less, or none; replaced: another. Licenses are as tagged, none is one of their values.
WITH pairs AS (
    SELECT
        CASE $relations::VARCHAR WHEN 'inferred' THEN inferred_relation ELSE relation END AS relation, change,
        CASE $weight::VARCHAR WHEN 'models' THEN 1 WHEN 'downloads' THEN downloads END AS n
    FROM parent_traits($of::VARCHAR, CASE $of WHEN 'format' THEN $formats::VARCHAR[] ELSE $frameworks::VARCHAR[] END)
),
counted AS (
    SELECT coalesce(relation, '(all)') AS relation, change, sum(n) AS n, count(n) AS models
    FROM pairs
    GROUP BY GROUPING SETS ((relation, change), (change))
),
totals AS (
    SELECT
        relation, sum(n) FILTER (change IS NOT NULL) AS known, sum(n) AS total,
        sum(models) FILTER (change IS NOT NULL) AS models
    FROM counted
    GROUP BY relation
),
changes AS (SELECT unnest(['same', 'added', 'dropped', 'replaced']) AS change, generate_subscripts(['same', 'added', 'dropped', 'replaced'], 1) AS place)
SELECT
    relation, change,
    coalesce(n, 0) AS numerator,
    known AS denominator,
    round(numerator / nullif(known, 0), 9) AS share,
    round(known / nullif(total, 0), 6) AS coverage,
    is_small(coalesce(counted.models, 0), totals.models) AS small
FROM totals CROSS JOIN changes LEFT JOIN counted USING (relation, change)
WHERE known > 0
ORDER BY relation <> '(all)', known DESC, relation, changes.place
