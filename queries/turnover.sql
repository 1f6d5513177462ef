-- title: Turnover from snapshot to snapshot
-- answers: From each complete snapshot of the Hub to the next, how many models were born, appeared, came back, went away or were renamed?
-- column share: share
-- column since: time
-- column until: time
-- chart: none
-- born: created since the earlier snapshot. back: missing in the earlier snapshot, but not in one before it. Others
-- are seen for the first time: appeared, if they are older (they were private, or renamed and the snapshots have no
-- `_id`), or undated, so that they may be born between the two (no date, or the cutoff). gone: deleted, private, or renamed without `_id`. renamed: without `_id` only where
-- the Hub redirects the old name, NULL: unknown. Totals: the models of the earlier
-- snapshot for gone and renamed, else those of the later one. Updates and partial snapshots are left out.
WITH counted AS (
    SELECT
        number,
        count(*) FILTER (id_before IS NULL AND NOT is_back AND created_after >= since AND NOT at_cutoff_after) AS born,
        count(*) FILTER (id_before IS NULL AND is_back) AS back,
        count(*) FILTER (
            id_before IS NULL AND NOT is_back AND (created_after IS NULL OR at_cutoff_after AND created_after >= since)
        ) AS undated,
        count(*) FILTER (id_before IS NULL) - born - back - undated AS appeared,
        count(*) FILTER (id_after IS NULL) AS gone,
        count(*) FILTER (id_before <> id_after) AS renamed
    FROM version_changes JOIN snapshot_pairs USING (number)
    GROUP BY number
)
SELECT
    earlier, later, since, until, CASE WHEN by_id THEN '_id' ELSE 'name' END AS matched_by,
    change, numerator, denominator, round(numerator / nullif(denominator, 0), 9) AS share
FROM (
    SELECT
        snapshot_pairs.*,
        unnest(['born', 'appeared', 'undated', 'back', 'gone', 'renamed']) AS change,
        unnest([
            coalesce(born, 0), coalesce(appeared, 0), coalesce(undated, 0), coalesce(back, 0), coalesce(gone, 0),
            CASE WHEN by_id OR renamed > 0 THEN coalesce(renamed, 0) END
        ]) AS numerator,
        unnest([later_models, later_models, later_models, later_models, earlier_models, earlier_models]) AS denominator,
        generate_subscripts([1, 2, 3, 4, 5, 6], 1) AS place
    FROM snapshot_pairs LEFT JOIN counted USING (number)
)
ORDER BY number, place
