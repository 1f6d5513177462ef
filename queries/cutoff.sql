-- title: Models older than the Hub's dates
-- answers: How many models were created in a period for certain, how many more by another witness of their age, and how many might have been?
-- param frameworks VARCHAR[] = pytorch,tensorflow : the frameworks that compete
-- param definition VARCHAR = tag : what says that a model serves one: tag (the Hub's), weights (its files) or loadable
-- param since TIMESTAMP = 2022-01-01 : created at or after (UTC)
-- param until TIMESTAMP = 2023-01-01 : created before (UTC)
-- values frameworks: <frameworks>, all
-- values definition: tag, weights, loadable
-- chart: interval low=share_low high=share_high mark=share_certain y=framework
-- certain: the Hub dates it so. dated: at the Hub's cutoff, and an import or its first commit dates it
-- so. undated: at the cutoff, and nothing dates it; of these, in conflict: what dates it cannot be true.
-- `of`: models that serve the frameworks at all. The share is lowest when no undated model of this kind
-- and all others belong to the period, and highest the other way round.
WITH compared AS (FROM frameworks_compared($frameworks::VARCHAR[])),
aged AS (
    SELECT tag_mask, weights_mask, loadable_mask, 'certain' AS age, false AS conflict
    FROM census
    WHERE NOT at_cutoff AND created_at >= $since::TIMESTAMP AND created_at < $until::TIMESTAMP
    UNION ALL
    SELECT
        tag_mask, weights_mask, loadable_mask,
        CASE WHEN dated_at >= $since AND dated_at < $until THEN 'dated' WHEN dated_at IS NULL THEN 'undated' END,
        coalesce(conflict, false)
    FROM census
    LEFT JOIN cutoff_dates USING (key)
    WHERE at_cutoff
),
tally AS (
    SELECT
        mask_by_definition($definition::VARCHAR, tag_mask, weights_mask, loadable_mask)
            & (SELECT bit_or(mask) FROM compared) AS served,
        age, conflict, count(*) AS n
    FROM aged
    WHERE age IS NOT NULL
    GROUP BY ALL
),
kinds AS (
    SELECT 'exclusive' AS name, framework, bit, age, conflict, served = mask AS counts, served, n
    FROM tally, compared
    UNION ALL
    SELECT 'shared', NULL, NULL, age, conflict, bit_count(served) > 1, served, n FROM tally
),
counted AS (
    SELECT
        name, framework, bit,
        coalesce(sum(n) FILTER (counts AND age = 'certain'), 0)::BIGINT AS certain,
        coalesce(sum(n) FILTER (counts AND age = 'dated'), 0)::BIGINT AS dated,
        coalesce(sum(n) FILTER (counts AND age = 'undated'), 0)::BIGINT AS undated,
        coalesce(sum(n) FILTER (counts AND conflict), 0)::BIGINT AS in_conflict,
        coalesce(sum(n) FILTER (served <> 0 AND age = 'certain'), 0)::BIGINT AS certain_of,
        coalesce(sum(n) FILTER (served <> 0 AND age = 'dated'), 0)::BIGINT AS dated_of,
        coalesce(sum(n) FILTER (served <> 0 AND age = 'undated'), 0)::BIGINT AS undated_of
    FROM kinds
    GROUP BY ALL
)
SELECT
    name, framework, certain, dated, undated, in_conflict,
    certain + dated AS low,
    certain + dated + undated AS high,
    certain_of, dated_of, undated_of,
    round(certain / nullif(certain_of, 0), 9) AS share_certain,
    round(low / nullif(certain_of + dated_of + undated_of - undated, 0), 9) AS share_low,
    round(high / nullif(certain_of + dated_of + undated, 0), 9) AS share_high
FROM counted
ORDER BY name, bit
