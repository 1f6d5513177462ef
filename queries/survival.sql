-- title: Survival of models by age
-- answers: Which share of the models that reach an age is gone before the next one, and which share survives up to it?
-- param every INTEGER = 30 : length of an age class in days
-- param by VARCHAR = NULL : year: also by year of creation; NULL: all models only
-- values by: year
-- column share: share
-- column survival: share
-- column coverage: share
-- chart: none
-- age: days since creation at the end of the class. deaths: models gone at that age. model_days: days that models
-- were observed at that age. share: 1 - exp(-deaths / model_days * days of the class), gone in the class; survival:
-- not gone in any class so far, by a constant rate in each. A model is observed from the first full snapshot with
-- it. It goes in the middle between the last one with it and the first without it, if no later one has it again.
-- One that comes and goes between two snapshots is never seen. coverage: the part of the time of observation that
-- is of models with a creation date; the others (no date, or the cutoff) are left out.
WITH ends AS (
    SELECT number, observed_to, series_id, position, number = min(number) OVER () AS enters
    FROM full_snapshots
    QUALIFY number IN (min(number) OVER (), max(number) OVER ()) AND count(*) OVER () > 1
),
changes AS (
    SELECT *, id_after IS NULL AND NOT returns AS dies
    FROM version_changes JOIN snapshot_pairs USING (number)
    -- also where a date becomes known
    WHERE id_before IS NULL OR id_after IS NULL OR created_before IS DISTINCT FROM created_after
),
-- when each model comes into observation (enters) and out of it
observed AS (
    SELECT created_at, at_cutoff, observed_to AS observed_at, enters, false AS dies
    FROM ends JOIN versions USING (series_id)
    WHERE valid_from <= position AND (valid_to IS NULL OR valid_to > position)
    UNION ALL
    SELECT created_after, at_cutoff_after, until, true, false FROM changes WHERE id_after IS NOT NULL
    UNION ALL
    SELECT
        created_before, at_cutoff_before,
        CASE WHEN dies THEN earlier_at + (until - earlier_at) / 2 ELSE earlier_at END, false, dies
    FROM changes WHERE id_before IS NOT NULL
),
dated AS (
    SELECT
        CASE WHEN NOT at_cutoff THEN created_at END AS created_at, enters, dies, epoch_us(observed_at) AS observed_at,
        greatest(epoch_us(observed_at) - epoch_us(created_at), 0) AS age, 86_400_000_000 * $every::INTEGER AS length
    FROM observed
),
classes AS (
    SELECT
        year(created_at) AS created, CASE WHEN created_at IS NOT NULL THEN age // length END AS class,
        count(*) FILTER (dies) AS deaths,
        sum(CASE WHEN enters THEN 1 ELSE -1 END) AS models,
        sum(CASE WHEN enters THEN length - age % length ELSE age % length - length END) AS time_in_class,
        sum(CASE WHEN enters THEN -observed_at ELSE observed_at END) AS time
    FROM dated
    GROUP BY ALL
),
grouped AS (
    SELECT '(all)' AS created, class, sum(deaths) AS deaths, sum(models) AS models, sum(time_in_class) AS time_in_class
    FROM classes WHERE created IS NOT NULL
    GROUP BY class
    UNION ALL
    SELECT created::VARCHAR, class, deaths, models, time_in_class
    FROM classes WHERE created IS NOT NULL AND $by::VARCHAR = 'year'
),
every_class AS (  -- also those in which no observation begins or ends
    SELECT created, unnest(range(min(class), max(class) + 1)) AS class FROM grouped GROUP BY created
),
exposed AS (
    SELECT
        created, class, 86_400_000_000 * $every AS length, coalesce(deaths, 0) AS deaths,
        coalesce(sum(models) OVER earlier, 0) * length + coalesce(time_in_class, 0) AS time
    FROM every_class LEFT JOIN grouped USING (created, class)
    WINDOW earlier AS (PARTITION BY created ORDER BY class ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),
coverage AS (
    SELECT round(sum(time) FILTER (created IS NOT NULL) / sum(time), 9) AS coverage FROM classes
)
SELECT
    created, ((class + 1) * $every)::INTEGER AS age, deaths::BIGINT AS deaths, round(time / 86_400_000_000, 3) AS model_days,
    round(1 - exp(-deaths / time * length), 9) AS share,
    round(exp(-sum(deaths / time * length) OVER (PARTITION BY created ORDER BY class)), 9) AS survival,
    coverage
FROM exposed, coverage
WHERE time > 0
ORDER BY created, class
