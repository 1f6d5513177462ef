-- title: One model
-- answers: What does the snapshot hold about a model?
-- param model VARCHAR = bert-base-uncased : repo id, also a former one, or `_id`
-- chart: none
SELECT
    *,
    m.id = $model::VARCHAR OR coalesce(m._id = $model, false) OR m.id IN (SELECT moved_to FROM redirects WHERE id = $model)
        AS exact_match
FROM census AS m
-- else models of the same name by other owners or in other case, or within two typing errors
WHERE
    m.id = $model OR m._id = $model OR m.id IN (SELECT moved_to FROM redirects WHERE id = $model)
    OR lower(split_part(m.id, '/', -1)) = lower(split_part($model, '/', -1))
    OR levenshtein(lower(m.id), lower($model)) <= 2
ORDER BY m.id = $model DESC, exact_match DESC, downloads DESC NULLS LAST, m.id
LIMIT 5
