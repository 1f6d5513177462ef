-- title: License changes between two snapshots
-- answers: Which license became which, by models and by downloads?
-- param earlier INTEGER = NULL : the snapshot to start from; NULL: the one before `later`
-- param later INTEGER = NULL : the snapshot to compare with; NULL: the newest
-- param unchanged BOOLEAN = false : models that kept their license, too
-- param top INTEGER = NULL : return this many of the largest changes; NULL: all
-- values earlier: <snapshots>
-- values later: <snapshots>
-- column share: share
-- column downloads_share: share
-- column coverage: share
-- chart: none
-- Of the models in both snapshots whose tags both know (coverage: their share of all in both): those whose license
-- tags were `before` and are `after`. denominator: all with `before`. downloads: of the 30 days before the later
-- snapshot; downloads_share: of the downloads of all with `before`, where they are known.
WITH sides AS (
    SELECT
        old.series_id AS old_series, old.position AS old_position,
        new.series_id AS new_series, new.position AS new_position,
        -- by `_id` where both snapshots have it (names change), else by repo id
        NOT list_contains(list_concat(old.missing_columns, new.missing_columns), '_id') AS by_id
    FROM snapshots AS old, snapshots AS new
    WHERE old.id = $earlier::INTEGER AND new.id = $later::INTEGER
),
counts AS (
    SELECT model, downloads FROM current_counts, sides WHERE series_id = new_series AND valid_from <= new_position
    UNION ALL
    SELECT model, downloads FROM counts_history, sides
    WHERE series_id = new_series AND valid_from <= new_position AND valid_to > new_position
),
new AS MATERIALIZED (
    SELECT
        CASE WHEN by_id THEN key ELSE id END AS name, CASE WHEN NOT by_id THEN created_at END AS created_at, list_filter(tags, lambda tag: starts_with(tag, 'license:')) AS license, downloads,
        series_id = old_series AND valid_from <= old_position
            AND (valid_to IS NULL OR valid_to > old_position) AS is_same_version
    FROM versions JOIN sides ON series_id = new_series JOIN counts USING (model)
    WHERE valid_from <= new_position AND (valid_to IS NULL OR valid_to > new_position)
),
ended AS (
    SELECT
        CASE WHEN by_id THEN key ELSE coalesce(moved_to, versions.id) END AS name, created_at, list_filter(tags, lambda tag: starts_with(tag, 'license:')) AS license
    FROM versions JOIN sides ON series_id = old_series
    LEFT JOIN known_renames($earlier, $later) AS renamed ON renamed.id = versions.id
    WHERE valid_from <= old_position AND (valid_to IS NULL OR valid_to > old_position)
        AND (old_series <> new_series OR valid_from > new_position OR valid_to <= new_position)
),
pairs AS (
    SELECT license AS before, license AS after, downloads FROM new WHERE is_same_version
    UNION ALL
    SELECT ended.license, new.license, downloads FROM ended JOIN new USING (name)
    WHERE NOT is_same_version AND NOT is_recreated(ended.created_at, new.created_at)  -- else another of the same name
),
counted AS (
    SELECT licenses(before) AS before, licenses(after) AS after, sum(models) AS models, sum(downloads) AS downloads
    FROM (SELECT before, after, count(*) AS models, sum(downloads) AS downloads FROM pairs GROUP BY ALL)
    GROUP BY ALL
),
totals AS (
    SELECT
        *, sum(models) FILTER (after IS NOT NULL) OVER (PARTITION BY before) AS before_models,
        sum(downloads) FILTER (after IS NOT NULL) OVER (PARTITION BY before) AS before_downloads,
        sum(models) FILTER (before IS NOT NULL AND after IS NOT NULL) OVER () / sum(models) OVER () AS coverage
    FROM counted
)
SELECT
    before, after, models::BIGINT AS numerator, before_models::BIGINT AS denominator,
    round(models / before_models, 9) AS share, is_small(models, before_models) AS small,
    downloads, round(downloads / nullif(before_downloads, 0), 9) AS downloads_share,
    round(coverage, 9) AS coverage
FROM totals
WHERE before IS NOT NULL AND after IS NOT NULL AND (before <> after OR $unchanged::BOOLEAN)
ORDER BY numerator DESC, before, after
LIMIT $top::INTEGER
