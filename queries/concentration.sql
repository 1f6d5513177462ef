-- title: Concentration of a framework's exclusive models
-- answers: Which accounts own the most models exclusive to a framework, what share is theirs, and what is the framework's share without them?
-- param framework VARCHAR = pytorch : the framework that the models serve alone
-- param frameworks VARCHAR[] = pytorch,tensorflow : the frameworks that compete
-- param definition VARCHAR = tag : what says that a model serves one: tag (the Hub's), weights (its files) or loadable
-- param since TIMESTAMP = NULL : count models created at or after (UTC)
-- param until TIMESTAMP = NULL : count models created before (UTC)
-- param cutoff VARCHAR = included : models older than the Hub's dates: included or excluded
-- param top INTEGER = 20 : how many accounts
-- values framework: <frameworks>
-- values frameworks: <frameworks>, all
-- values definition: tag, weights, loadable
-- values cutoff: included, excluded
-- chart: bar x=share y=author
-- share: of the exclusive models. share_without: exclusive models of all that serve the frameworks,
-- when this account and those above it are left out.
WITH served AS (
    SELECT
        coalesce(author, '(none)') AS author,
        mask_by_definition($definition::VARCHAR, tag_mask, weights_mask, loadable_mask)
            & (SELECT bit_or(mask) FROM frameworks_compared($frameworks::VARCHAR[])) AS served
    FROM census
    WHERE
        ($since::TIMESTAMP IS NULL OR created_at >= $since)
        AND ($until::TIMESTAMP IS NULL OR created_at < $until)
        AND ($cutoff::VARCHAR = 'included' OR NOT at_cutoff)
),
accounts AS (
    SELECT
        author,
        count(*) FILTER (served = (SELECT mask FROM frameworks_compared([$framework::VARCHAR]))) AS models,
        count(*) FILTER (served <> 0) AS serving
    FROM served
    GROUP BY author
),
ranked AS (
    SELECT
        author,
        models,
        sum(models) OVER () AS denominator,
        sum(models) OVER theirs AS cumulative,
        sum(serving) OVER () - sum(serving) OVER theirs AS serving_without
    FROM accounts
    WINDOW theirs AS (ORDER BY models DESC, author)
)
SELECT
    author,
    models AS numerator,
    denominator::BIGINT AS denominator,
    round(models / denominator, 9) AS share,
    round(cumulative / denominator, 9) AS cumulative_share,
    (denominator - cumulative)::BIGINT AS without,
    serving_without::BIGINT AS without_of,
    round((denominator - cumulative) / nullif(serving_without, 0), 9) AS share_without
FROM ranked
WHERE models > 0
ORDER BY models DESC, author
LIMIT $top::INTEGER
