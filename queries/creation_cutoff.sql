-- title: Models at the creation-date cutoff
-- answers: How many models supporting each framework were created in a period, at least and at most, as the oldest models have no exact date?
-- param frameworks VARCHAR[] = pytorch,tensorflow : the frameworks compared
-- param definition VARCHAR = best : the evidence that a model supports a framework: tag (Hub tags), weights (weight files), loadable or best (evidence)
-- param transformers INTEGER = NULL : the release of transformers that loadable assumes; NULL: the newest at the time of the snapshot
-- param since TIMESTAMP = 2022-01-01 : start of the period, inclusive (UTC)
-- param until TIMESTAMP = 2023-01-01 : end of the period, exclusive (UTC)
-- values frameworks: <frameworks>, all
-- values definition: tag, weights, loadable, best
-- values transformers: 4, 5
-- column framework: framework
-- column share_certain: share
-- column share_min: share
-- column share_max: share
-- column coverage_min: share
-- column coverage_max: share
-- chart: none
-- certain: dated by the Hub. dated: at the cutoff, and dated by an import or the first commit.
-- undated: at the cutoff without a date; impossible_dates: those of them whose other date is impossible.
-- models_min: certain + dated; models_max: with undated. *_total: models that support any of the frameworks.
-- The share is lowest when no undated model of this kind and all other undated models belong to the
-- period, and highest the other way round. total_min, total_max: the same of the total. population_*: all models;
-- coverage_*: the part of them that the total is, lowest and highest.
WITH compared AS (FROM frameworks_compared($frameworks::VARCHAR[])),
dated_models AS (
    SELECT tag_mask, weights_mask, loadable_4_mask, loadable_5_mask, best_mask, 'certain' AS dating, false AS conflict
    FROM census
    WHERE NOT at_cutoff AND created_at >= $since::TIMESTAMP AND created_at < $until::TIMESTAMP
    UNION ALL
    SELECT
        tag_mask, weights_mask, loadable_4_mask, loadable_5_mask, best_mask,
        CASE WHEN dated_at >= $since AND dated_at < $until THEN 'dated' WHEN dated_at IS NULL THEN 'undated' END,
        coalesce(conflict, false)
    FROM census
    LEFT JOIN cutoff_dates USING (key)
    WHERE at_cutoff
),
tally AS (
    SELECT
        mask_by_definition(
            $definition::VARCHAR, $transformers::INTEGER, tag_mask, weights_mask, loadable_4_mask, loadable_5_mask,
            best_mask
        )
            & (SELECT bit_or(mask) FROM compared) AS supported,
        dating, conflict, count(*) AS n
    FROM dated_models
    WHERE dating IS NOT NULL
    GROUP BY ALL
),
names AS (
    SELECT 'exclusive' AS name, framework, bit, dating, conflict, supported = mask AS in_numerator, supported, n
    FROM tally, compared
    UNION ALL
    SELECT 'shared', NULL, NULL, dating, conflict, bit_count(supported) > 1, supported, n FROM tally
),
counted AS (
    SELECT
        name, framework, bit,
        coalesce(sum(n) FILTER (in_numerator AND dating = 'certain'), 0)::BIGINT AS certain,
        coalesce(sum(n) FILTER (in_numerator AND dating = 'dated'), 0)::BIGINT AS dated,
        coalesce(sum(n) FILTER (in_numerator AND dating = 'undated'), 0)::BIGINT AS undated,
        coalesce(sum(n) FILTER (in_numerator AND conflict), 0)::BIGINT AS impossible_dates,
        coalesce(sum(n) FILTER (supported <> 0 AND dating = 'certain'), 0)::BIGINT AS certain_total,
        coalesce(sum(n) FILTER (supported <> 0 AND dating = 'dated'), 0)::BIGINT AS dated_total,
        coalesce(sum(n) FILTER (supported <> 0 AND dating = 'undated'), 0)::BIGINT AS undated_total,
        coalesce(sum(n) FILTER (dating <> 'undated'), 0)::BIGINT AS population_min,
        sum(n)::BIGINT AS population_max
    FROM names
    GROUP BY ALL
)
SELECT
    name, framework, certain, dated, undated, impossible_dates,
    certain + dated AS models_min,
    certain + dated + undated AS models_max,
    certain_total, dated_total, undated_total,
    round(certain / nullif(certain_total, 0), 9) AS share_certain,
    round(models_min / nullif(certain_total + dated_total + undated_total - undated, 0), 9) AS share_min,
    round(models_max / nullif(certain_total + dated_total + undated, 0), 9) AS share_max,
    certain_total + dated_total AS total_min,
    certain_total + dated_total + undated_total AS total_max,
    population_min, population_max,
    round(total_min / nullif(population_max - undated_total, 0), 9) AS coverage_min,
    round(total_max / nullif(population_min + undated_total, 0), 9) AS coverage_max
FROM counted
ORDER BY name, bit
