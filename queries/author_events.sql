-- title: Models of one author that came and went
-- answers: Between which snapshots did an author gain, lose or rename models?
-- param author VARCHAR = openai-community : account
-- chart: none
-- An event lies between `since`, the last full snapshot before it, and `until`, the first one after it. born:
-- created since the earlier snapshot; appeared: older, seen for the first time; back: gone before; gone: deleted,
-- private, or without `_id` renamed; moved here, moved away: renamed from or to another account.
WITH changes AS (
    SELECT
        since, until, earlier, later,
        starts_with(id_before, $author::VARCHAR || '/') AS was_here, starts_with(id_after, $author || '/') AS is_here,
        CASE
            WHEN id_after IS NULL THEN 'gone'
            WHEN is_back THEN 'back'
            WHEN id_before IS NULL AND created_after >= since AND NOT at_cutoff_after THEN 'born'
            WHEN id_before IS NULL THEN 'appeared'
            WHEN was_here AND is_here THEN 'renamed'
            WHEN is_here THEN 'moved here'
            ELSE 'moved away'
        END AS event,
        CASE WHEN id_before <> id_after THEN id_before || ' -> ' || id_after ELSE coalesce(id_before, id_after) END AS name
    FROM version_changes JOIN snapshot_pairs USING (number)
    WHERE id_before IS DISTINCT FROM id_after AND (coalesce(was_here, false) OR coalesce(is_here, false))
)
SELECT event, since, until, earlier, later, count(*) AS models, list(name ORDER BY name) AS names
FROM changes
GROUP BY ALL
ORDER BY until, later, event
