-- title: Newest models
-- answers: How many models were created in the days before the snapshot, and how long before it was the newest created?
-- param days INTEGER = 7 : days before the snapshot
-- param least_models INTEGER = 100 : models with a creation date for which these days are enough; fewer need more days
-- column share: share
-- column newest: time
-- chart: none
-- Models are created on the Hub every minute. So a snapshot of all models in which none is of the last days is
-- older than its time says, or lacks its newest models. numerator: models of these days. denominator: models whose
-- creation date is known; the flag needs that of 99 % of the models. days_before: days from the newest to the snapshot.
-- Of 50 models the flag needs 14 days without a new one, of 10 models 70: a short time may be without one by chance.
WITH counted AS (
    SELECT
        any_value(observed_from) AS observed,
        count(*) FILTER (created_at >= observed_from - to_days($days::INTEGER)) AS numerator,
        count(created_at) AS denominator,
        count(*) AS models,
        max(created_at) AS newest
    FROM census JOIN snapshots ON snapshots.id = census.snapshot
)
SELECT
    'no_new_models' AS flag,
    numerator,
    denominator,
    round(numerator / denominator, 9) AS share,
    newest,
    -- 0 where a model was created during the crawl
    greatest(date_diff('second', newest, observed) // 86400, 0) AS days_before,
    newest < observed - to_hours((24 * $days * greatest(1, $least_models::INTEGER / denominator))::INTEGER)
    AND denominator >= 0.99 * models AS flagged
FROM counted
WHERE denominator > 0
