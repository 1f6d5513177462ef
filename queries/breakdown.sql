-- title: Breakdown of all models
-- answers: Of all models, how many are of which framework, and of how many is it unknown?
-- param frameworks VARCHAR[] = pytorch,tensorflow : the frameworks compared, with a class each; all: every framework and runtime
-- param since TIMESTAMP = NULL : only models created at or after this time (UTC)
-- param until TIMESTAMP = NULL : only models created before this time (UTC)
-- param cutoff VARCHAR = included : models at the creation-date cutoff: included, excluded or only
-- param by VARCHAR = NULL : the grouping, with the total first; NULL for the total only
-- param by_cluster BOOLEAN = false : of a sample, a row for each range of creation time that was drawn
-- param top INTEGER = NULL : keep this many of the largest groups; the rest becomes '(other)'
-- values frameworks: <frameworks>, all
-- values cutoff: included, excluded, only
-- values by: month, year, task, library, author, license, architecture, language, size, gated, region
-- column class: breakdown_class
-- column group: group
-- column share: share
-- chart: stack x=share y=group color=class
WITH compared AS (FROM frameworks_compared($frameworks::VARCHAR[])),
bits AS (
    SELECT
        (SELECT bit_or(mask) FROM compared) AS compared,
        (SELECT count(*) FROM compared) AS number_compared,
        bit_or(1::UBIGINT << bit) FILTER (kind = 'framework') AS frameworks,
        bit_or(1::UBIGINT << bit) FILTER (kind = 'runtime') AS runtimes,
        bit_or(1::UBIGINT << bit) FILTER (kind = 'format') AS formats
    FROM frameworks
),
tally AS (
    SELECT
        group_of($by::VARCHAR, created_at, at_cutoff, author, pipeline_tag, library_name, model_type, tags, parameters, gated, unreadable)
            AS group_name,
        best_mask AS mask,
        weights_mask IS NOT NULL AS has_files,
        CASE WHEN $by_cluster::BOOLEAN THEN sample_cluster END AS cluster,
        count(*) AS n
    FROM census
    WHERE is_created_in($since::TIMESTAMP, $until::TIMESTAMP, $cutoff::VARCHAR, created_at, at_cutoff)
    GROUP BY ALL
),
-- the classes in reading order; those of frameworks have a mask
classes AS (
    SELECT
        framework || '_only' AS class, mask,
        row_number() OVER (ORDER BY list_position($frameworks, framework), bit) AS place
    FROM compared
    UNION ALL
    SELECT CASE WHEN number_compared = 2 THEN 'both' ELSE 'several' END, NULL, 101 FROM bits WHERE number_compared > 1
    UNION ALL
    VALUES
        ('other_framework', NULL, 102), ('runtime_format', NULL, 103), ('unknown_framework', NULL, 104),
        ('no_weights', NULL, 105), ('files_unknown', NULL, 106)
),
placed AS (
    SELECT
        group_name, cluster, n,
        CASE
            WHEN bit_count(mask & compared) > 1 THEN 101
            WHEN mask & compared <> 0
                THEN (SELECT max(place) FROM classes WHERE classes.mask = tally.mask & compared)
            WHEN mask & frameworks <> 0 THEN 102
            WHEN mask & runtimes <> 0 THEN 103
            WHEN mask & formats <> 0 THEN 104
            WHEN has_files THEN 105
            ELSE 106
        END AS place
    FROM tally, bits
),
sized AS (
    SELECT group_name, place, cluster, sum(n) AS n, sum(sum(n)) OVER (PARTITION BY group_name) AS size
    FROM placed GROUP BY group_name, place, cluster
),
grouped AS (
    SELECT
        1 AS level, place, cluster, n,
        CASE
            WHEN dense_rank() OVER (ORDER BY size DESC, group_name) > $top::INTEGER THEN '(other)'
            ELSE group_name
        END AS "group"
    FROM sized
    WHERE $by IS NOT NULL
    UNION ALL
    SELECT 0, place, cluster, n, NULL FROM sized
),
groups AS (
    SELECT level, "group", cluster, sum(n) AS denominator FROM grouped GROUP BY level, "group", cluster
    UNION ALL
    SELECT 0, NULL, NULL, 0 WHERE NOT EXISTS (FROM grouped)  -- an empty population is 0 of 0
)
SELECT
    class,
    CASE WHEN groups.level = 1 THEN $by END AS "by",
    groups."group",
    coalesce(sum(n), 0)::BIGINT AS numerator,
    denominator::BIGINT AS denominator,
    round(numerator / nullif(denominator, 0), 6) AS share,
    -- a class that no model can be in, with all or no file names known, is exactly empty
    is_small(numerator, denominator) AND NOT (
        class = 'no_weights' AND NOT some_files OR class = 'files_unknown' AND all_files
    ) AS small,
    groups.cluster
FROM groups
CROSS JOIN (
    SELECT coalesce(bool_or(has_files), false) AS some_files, coalesce(bool_and(has_files), false) AS all_files
    FROM tally
)
CROSS JOIN classes
LEFT JOIN grouped
    ON grouped.level = groups.level AND coalesce(grouped."group", '') = coalesce(groups."group", '')
    AND coalesce(grouped.cluster, '') = coalesce(groups.cluster, '')
    AND grouped.place = classes.place
GROUP BY class, classes.place, groups.level, groups."group", groups.cluster, denominator, some_files, all_files
ORDER BY
    groups.level,
    CASE WHEN $by IN ('month', 'year') THEN groups."group" END,
    groups."group" = '(other)',
    denominator DESC,
    groups."group",
    groups.cluster,
    classes.place
