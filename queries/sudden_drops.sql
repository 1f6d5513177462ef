-- title: Sudden drops between two snapshots
-- answers: Which totals of a later snapshot are so much lower that they indicate a fault?
-- param earlier INTEGER = NULL : the snapshot to compare with; NULL: the one before `later`
-- param later INTEGER = NULL : the snapshot to check; NULL: the newest
-- param models_ratio DOUBLE = 0.98 : lowest plausible ratio of the numbers of models
-- param downloads_ratio DOUBLE = 0.5 : lowest plausible ratio of the sums of 30-day downloads
-- param tagged_ratio DOUBLE = 0.95 : lowest plausible ratio of the numbers of models with a framework tag
-- values earlier: <snapshots>
-- values later: <snapshots>
-- column ratio: ratio
-- chart: none
-- A row for each drop. The Hub grows by thousands of models a day and loses few.
WITH observed AS (
    SELECT 'earlier' AS side, key, downloads, tag_mask FROM models_in($earlier::INTEGER)
    UNION ALL
    SELECT 'later', key, downloads, tag_mask FROM models_in($later::INTEGER)
),
totals AS (
    SELECT
        side,
        count(key) AS models,
        coalesce(sum(downloads), 0)::HUGEINT AS downloads,
        count(*) FILTER (tag_mask <> 0) AS tagged
    -- an empty snapshot has totals, too
    FROM (SELECT unnest(['earlier', 'later']) AS side) AS sides LEFT JOIN observed USING (side)
    GROUP BY side
),
compared AS (
    SELECT
        unnest(['models', 'downloads', 'tagged models']) AS measure,
        unnest([old.models, old.downloads, old.tagged]) AS before,
        unnest([new.models, new.downloads, new.tagged]) AS after,
        unnest([$models_ratio::DOUBLE, $downloads_ratio::DOUBLE, $tagged_ratio::DOUBLE]) AS lowest_ratio
    FROM (FROM totals WHERE side = 'earlier') AS old, (FROM totals WHERE side = 'later') AS new
)
SELECT measure, before, after, after / before AS ratio
FROM compared
WHERE after < lowest_ratio * before
ORDER BY measure
