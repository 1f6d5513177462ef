-- title: One model
-- answers: What did the snapshot see of a model?
-- param model VARCHAR = bert-base-uncased : its repo id, or its `_id`
-- chart: none
SELECT *, m.id = $model::VARCHAR OR coalesce(m._id = $model, false) AS exact
FROM census AS m
-- else those of the same name, in other hands or other letters, or with a letter or two mistyped
WHERE
    m.id = $model OR m._id = $model
    OR lower(split_part(m.id, '/', -1)) = lower(split_part($model, '/', -1))
    OR levenshtein(lower(m.id), lower($model)) <= 2
ORDER BY exact DESC, downloads DESC NULLS LAST, m.id
LIMIT 5
