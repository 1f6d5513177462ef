-- Every state of every model in the series of a snapshot, and when it was seen so. Times are UTC:
-- seen_from is the first snapshot that saw the state, gone_by the first that no longer did (NULL:
-- the last one still saw it). Downloads and likes are those of the models' own table.
WITH known AS (SELECT list({'name': name, 'bit': bit} ORDER BY bit) AS frameworks FROM frameworks),
here AS (
    SELECT * FROM snapshots
    WHERE series_id = (SELECT series_id FROM snapshots WHERE id = getvariable('snapshot'))
)
SELECT
    CASE WHEN has_id THEN key END AS _id, versions.id, versions.author,
    created_at AS "createdAt",
    first.id AS first_snapshot, first.observed_to AS seen_from, next.observed_to AS gone_by,
    tags, library_name, pipeline_tag, gated, disabled, files AS siblings, sha,
    CASE WHEN tag_mask IS NOT NULL THEN list_transform(
        list_filter(frameworks, lambda one: (tag_mask >> one.bit) & 1 = 1), lambda one: one.name
    ) END AS frameworks_by_tags
FROM versions
JOIN here AS first ON first.position = valid_from
LEFT JOIN here AS next ON next.position = valid_to, known
WHERE versions.series_id = first.series_id
ORDER BY key, valid_from
