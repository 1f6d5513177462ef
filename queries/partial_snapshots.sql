-- title: Partial snapshots
-- answers: Which snapshots hold so many fewer models than their neighbours that a part is missing?
-- param earlier_ratio DOUBLE = 0.99 : lowest plausible ratio to the snapshot before
-- param later_ratio DOUBLE = 0.9 : lowest plausible ratio to the snapshot after, if taken within a week
-- column ratio: ratio
-- chart: none
-- Neighbours are snapshots of the same scope. The Hub grows by thousands of models a day and loses few.
WITH neighbours AS (
    SELECT
        id, models, observed_to,
        lag(id) OVER by_time AS earlier,
        lag(models) OVER by_time AS earlier_models,
        lead(id) OVER by_time AS later,
        lead(models) OVER by_time AS later_models,
        lead(observed_to) OVER by_time AS later_at
    FROM snapshots
    WHERE sample IS NULL AND until IS NULL  -- samples differ by chance, closed periods only lose models
    WINDOW by_time AS (
        PARTITION BY since, author, task, model_limit, synthetic ORDER BY observed_to, id
    )
),
compared AS (
    SELECT *, coalesce(models < $earlier_ratio::DOUBLE * earlier_models, false) AS is_fewer_than_before
    FROM neighbours
)
SELECT
    id AS snapshot,
    models,
    CASE WHEN is_fewer_than_before THEN earlier ELSE later END AS compared_with,
    CASE WHEN is_fewer_than_before THEN earlier_models ELSE later_models END AS compared_models,
    models / compared_models AS ratio
FROM compared
WHERE
    is_fewer_than_before
    OR (later_at <= observed_to + INTERVAL 7 DAY AND models < $later_ratio::DOUBLE * later_models)
ORDER BY observed_to, id
