-- title: Milestones of the number of models
-- answers: When was each millionth model created, of those that are still there, and how long did it take?
-- param every INTEGER = 1000000 : the number of models from one milestone to the next
-- chart: bar x=days y=models
-- Deleted models are missing, so the Hub reached each milestone earlier. days: calendar days since the milestone
-- before; for the first, since the Hub's creation-date cutoff (2 March 2022), as older models have no date.
WITH numbered AS (
    SELECT created_at, row_number() OVER (ORDER BY created_at) AS models
    FROM census
    WHERE created_at IS NOT NULL
)
SELECT
    models,
    created_at AS reached_at,
    date_diff('day', coalesce(lag(created_at::DATE) OVER (ORDER BY models), DATE '2022-03-02'), created_at::DATE) AS days
FROM numbered
WHERE models % $every::INTEGER = 0
ORDER BY models
