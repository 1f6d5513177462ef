-- title: Breakdown of all models
-- answers: Of all models, or their downloads, how many are of which framework, and of how many is it unknown?
-- param frameworks VARCHAR[] = pytorch,tensorflow : the frameworks compared, with a class each; all: every framework and runtime
-- param since TIMESTAMP = NULL : only models created at or after this time (UTC)
-- param until TIMESTAMP = NULL : only models created before this time (UTC)
-- param cutoff VARCHAR = included : models at the creation-date cutoff: included, excluded or only; excluded by default where since is given
-- param weight VARCHAR = models : models: each counts once; downloads: by its 30-day downloads
-- param by VARCHAR = NULL : the grouping, with the total first; NULL for the total only
-- param by_cluster BOOLEAN = false : of a sample, a row for each range of creation time that was drawn
-- param top INTEGER = NULL : keep this many of the largest groups; the rest becomes '(other)'
-- values frameworks: <frameworks>, all
-- values cutoff: included, excluded, only
-- values weight: models, downloads
-- values by: month, year, task, library, author, license, architecture, language, size, gated, storage_region
-- column class: breakdown_class
-- column group: group
-- column share: share
-- column largest_share: share
-- chart: stack x=share y=group color=class
-- class: of a single framework its name, for models that have it, alone or with others; else NAME_only. no_weights: NULL
-- where no file name is known, because only these show it. Models whose weight is unknown are left out. largest_model:
-- weighted by downloads, the model with the most; largest_share: its part of all.
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
        count(weight_of($weight::VARCHAR, downloads, downloads_all_time, likes)) AS models,
        sum(weight_of($weight, downloads, downloads_all_time, likes)) AS n,
        -- sorts by downloads, then by name
        max(CASE WHEN $weight = 'downloads' THEN lpad(downloads::VARCHAR, 20, '0') || id END) AS largest
    FROM census
    WHERE is_created_in($since::TIMESTAMP, $until::TIMESTAMP, $cutoff::VARCHAR, created_at, at_cutoff)
    GROUP BY ALL
),
-- the classes in reading order; those of frameworks have a mask
classes AS (
    SELECT
        framework || CASE WHEN number_compared > 1 THEN '_only' ELSE '' END AS class, mask,
        row_number() OVER (ORDER BY list_position($frameworks, framework), bit) AS place
    FROM compared, bits
    UNION ALL
    SELECT CASE WHEN number_compared = 2 THEN 'both' ELSE 'several' END, NULL, 101 FROM bits WHERE number_compared > 1
    UNION ALL
    VALUES
        ('other_framework', NULL, 102), ('runtime_format', NULL, 103), ('unknown_framework', NULL, 104),
        ('no_weights', NULL, 105), ('files_unknown', NULL, 106)
),
placed AS (
    SELECT
        group_name, cluster, has_files, models, n, largest,
        CASE
            WHEN bit_count(mask & compared) > 1 THEN 101
            WHEN mask & compared <> 0
                THEN (SELECT max(place) FROM classes WHERE classes.mask = tally.mask & compared)
            WHEN mask & frameworks <> 0 THEN 102
            WHEN mask & runtimes <> 0 THEN 103
            -- as is_framework_unknown() says, whose subqueries Spark cannot plan here (adaptive execution)
            WHEN mask & formats <> 0 THEN 104
            WHEN has_files THEN 105
            ELSE 106
        END AS place
    FROM tally, bits
),
sized AS (
    SELECT
        group_name, place, cluster, sum(models) AS models, sum(n) AS n, max(largest) AS largest,
        bool_or(has_files) AS some_files, bool_and(has_files) AS all_files,
        coalesce(sum(sum(n)) OVER (PARTITION BY group_name), 0) AS size
    FROM placed GROUP BY group_name, place, cluster
),
grouped AS (
    SELECT
        1 AS level, place, cluster, models, n, largest, some_files, all_files,
        CASE
            WHEN dense_rank() OVER (ORDER BY size DESC, group_name) > $top::INTEGER THEN '(other)'
            ELSE group_name
        END AS "group"
    FROM sized
    WHERE $by IS NOT NULL
    UNION ALL
    SELECT 0, place, cluster, models, n, largest, some_files, all_files, NULL FROM sized
),
groups AS (
    SELECT
        level, "group", cluster, coalesce(sum(n), 0) AS denominator, sum(models) AS models, max(largest) AS largest,
        bool_or(bool_or(some_files)) OVER (PARTITION BY level, "group") AS some_files,
        bool_and(bool_and(all_files)) OVER (PARTITION BY level, "group") AS all_files
    FROM grouped
    GROUP BY level, "group", cluster
    UNION ALL
    -- an empty population is 0 of 0
    SELECT 0, NULL, NULL, 0, 0, NULL, true, true WHERE NOT EXISTS (FROM grouped)
)
SELECT
    class,
    CASE WHEN groups.level = 1 THEN $by END AS "by",
    groups."group",
    CASE WHEN class <> 'no_weights' OR groups.some_files THEN coalesce(sum(n), 0) END AS numerator,
    denominator,
    round(numerator / nullif(denominator, 0), 6) AS share,
    -- where all file names are known, it is exactly empty that they are unknown
    numerator IS NOT NULL AND denominator > 0 AND is_small(coalesce(sum(grouped.models), 0), groups.models)
        AND NOT (class = 'files_unknown' AND groups.all_files) AS small,
    substr(groups.largest, 21) AS largest_model,
    round(left(groups.largest, 20)::BIGINT / nullif(denominator, 0), 6) AS largest_share,
    groups.cluster
FROM groups
CROSS JOIN classes
LEFT JOIN grouped
    ON grouped.level = groups.level AND coalesce(grouped."group", '') = coalesce(groups."group", '')
    AND coalesce(grouped.cluster, '') = coalesce(groups.cluster, '')
    AND grouped.place = classes.place
GROUP BY
    class, classes.place, groups.level, groups."group", groups.cluster, denominator, groups.models,
    groups.largest, groups.some_files, groups.all_files
ORDER BY
    groups.level,
    CASE WHEN $by IN ('month', 'year') THEN groups."group" END,
    groups."group" = '(other)',
    denominator DESC,
    groups."group",
    groups.cluster,
    classes.place
