-- title: One model
-- answers: What does the snapshot hold about a model?
-- param model VARCHAR = bert-base-uncased : repo id, also a former or later one or in other case, or `_id`
-- param similar BOOLEAN = true : where no model has the name, those of similar names
-- chart: none
-- exact_match: whether the model is the one named. Names that differ in case are one where no other model has them.
WITH named AS (
    SELECT
        m.*,
        CASE
            WHEN m.id = $model::VARCHAR OR m._id = $model THEN 1
            WHEN m.id IN (SELECT moved_to FROM redirects WHERE id = $model) THEN 2
            WHEN m.id IN (SELECT id FROM redirects WHERE moved_to = $model) THEN 3
            WHEN lower(m.id) = lower($model)
                OR m.id IN (SELECT moved_to FROM redirects WHERE lower(id) = lower($model))
                OR m.id IN (SELECT id FROM redirects WHERE lower(moved_to) = lower($model)) THEN 4
            -- models of the same name by other owners, or within two typing errors, one in two letters
            WHEN $similar::BOOLEAN AND (
                lower(split_part(m.id, '/', -1)) = lower(nullif(split_part($model, '/', -1), ''))
                OR levenshtein(lower(m.id), lower($model)) <= least(2, len($model) // 2)
            ) THEN 5
        END AS likeness
    FROM census AS m
)
SELECT
    * EXCLUDE (likeness),
    likeness = min(likeness) OVER ()
    AND (likeness <= 2 OR likeness < 5 AND count(*) OVER (PARTITION BY likeness) = 1) AS exact_match
FROM named
WHERE likeness IS NOT NULL
ORDER BY exact_match DESC, likeness = 5, downloads DESC NULLS LAST, id
LIMIT 5
