-- title: Download counters that cannot be right
-- answers: Between two snapshots, how many download counters stood still, went back, or contradict each other?
-- param earlier INTEGER = NULL : the snapshot to compare with; NULL: the one before `later`
-- param later INTEGER = NULL : the snapshot to check; NULL: the newest
-- param least_downloads INTEGER = 100 : 30-day downloads of a model whose count should change every day
-- param least_models INTEGER = 100 : models that a measure needs
-- param stale_days INTEGER = 31 : days after which an all-time count that did not move means no downloads
-- values earlier: <snapshots>
-- values later: <snapshots>
-- column share: share
-- column limit: share
-- chart: none
-- frozen_downloads: the same 30-day count as before. all_time_went_back: a lower all-time count than before.
-- stale_downloads: 30-day downloads, but an all-time count that did not move for `stale_days`.
-- impossible_downloads: more downloads in 30 days than of all time. limit: the highest plausible share.
WITH days AS (
    SELECT date_diff('hour', min(observed_to), max(observed_to)) / 24 AS apart
    FROM snapshots WHERE id IN ($earlier::INTEGER, $later::INTEGER)
),
-- by `_id` where both snapshots have it (names change), else by repo id
both_have_ids AS (
    SELECT NOT bool_or(list_contains(missing_columns, '_id')) AS yes
    FROM snapshots WHERE id IN ($earlier, $later)
),
old AS (
    SELECT
        CASE WHEN (SELECT yes FROM both_have_ids) THEN _id ELSE coalesce(moved_to, id) END AS model,
        CASE WHEN NOT (SELECT yes FROM both_have_ids) THEN created_at END AS created_at, downloads, downloads_all_time
    FROM models_in($earlier) LEFT JOIN known_renames($earlier, $later) USING (id)
    WHERE $earlier <> $later  -- else nothing is compared
),
new AS (
    SELECT
        CASE WHEN (SELECT yes FROM both_have_ids) THEN _id ELSE id END AS model, created_at, downloads, downloads_all_time
    FROM models_in($later)
),
pairs AS (
    SELECT
        new.downloads, new.downloads_all_time AS all_time, old.downloads AS downloads_before,
        old.downloads_all_time AS all_time_before
    FROM new LEFT JOIN old ON old.model = new.model
        AND NOT is_recreated(old.created_at, new.created_at)  -- else another of the same name
),
counted AS (
    SELECT
        count(*) FILTER (downloads = downloads_before AND downloads_before >= $least_downloads::INTEGER) AS frozen,
        count(*) FILTER (downloads IS NOT NULL AND downloads_before >= $least_downloads) AS moving,
        count(*) FILTER (all_time < all_time_before) AS back,
        count(*) FILTER (all_time IS NOT NULL AND all_time_before IS NOT NULL) AS in_both,
        count(*) FILTER (downloads > 0 AND all_time = all_time_before) AS stale,
        count(*) FILTER (downloads > 0 AND all_time IS NOT NULL AND all_time_before IS NOT NULL) AS downloaded,
        count(*) FILTER (downloads > all_time) AS impossible,
        count(*) FILTER (downloads IS NOT NULL AND all_time IS NOT NULL) AS with_both
    FROM pairs
),
measures AS (
    SELECT
        unnest(['frozen_downloads', 'all_time_went_back', 'stale_downloads', 'impossible_downloads']) AS flag,
        unnest([frozen, back, stale, impossible]) AS numerator,
        unnest([moving, in_both, downloaded, with_both]) AS denominator,
        unnest([0.5, 0.01, 0.01, 0.01]) AS "limit",
        unnest([$earlier <> $later, $earlier <> $later, apart >= $stale_days::INTEGER, true]) AS is_measurable
    FROM counted, days
)
SELECT flag, numerator, denominator, round(numerator / denominator, 9) AS share, "limit", share > "limit" AS flagged
FROM measures
WHERE is_measurable AND denominator >= greatest($least_models::INTEGER, 1)
ORDER BY flag
