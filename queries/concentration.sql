-- title: Concentration of a framework's exclusive models
-- answers: Which accounts own the most models exclusive to a framework, what is their share, and what is the framework's share without them?
-- param framework VARCHAR = pytorch : the framework that the models are exclusive to
-- param frameworks VARCHAR[] = pytorch,tensorflow : the frameworks compared
-- param definition VARCHAR = tag : the evidence that a model supports a framework: tag (Hub tags), weights (weight files), loadable or best (evidence)
-- param transformers INTEGER = NULL : the release of transformers that loadable assumes; NULL: the newest at the time of the snapshot
-- param since TIMESTAMP = NULL : only models created at or after this time (UTC)
-- param until TIMESTAMP = NULL : only models created before this time (UTC)
-- param cutoff VARCHAR = included : models at the creation-date cutoff: included or excluded
-- param top INTEGER = 20 : number of accounts to return
-- values framework: <frameworks>
-- values frameworks: <frameworks>, all
-- values definition: tag, weights, loadable, best
-- values transformers: 4, 5
-- values cutoff: included, excluded
-- column share: share
-- column cumulative_share: share
-- column share_without: share
-- chart: bar x=share y=author
-- share: of the exclusive models. share_without: the framework's exclusive share without this account
-- and those above it.
WITH supported AS (
    SELECT
        coalesce(author, '(none)') AS author,
        mask_by_definition(
            $definition::VARCHAR, $transformers::INTEGER, tag_mask, weights_mask, loadable_4_mask, loadable_5_mask,
            best_mask
        )
            & (SELECT bit_or(mask) FROM frameworks_compared($frameworks::VARCHAR[])) AS supported
    FROM census
    WHERE
        ($since::TIMESTAMP IS NULL OR created_at >= $since)
        AND ($until::TIMESTAMP IS NULL OR created_at < $until)
        AND ($cutoff::VARCHAR = 'included' OR NOT at_cutoff)
),
accounts AS (
    SELECT
        author,
        count(*) FILTER (supported = (SELECT mask FROM frameworks_compared([$framework::VARCHAR]))) AS models,
        count(*) FILTER (supported <> 0) AS supporting
    FROM supported
    GROUP BY author
),
ranked AS (
    SELECT
        author,
        models,
        sum(models) OVER () AS denominator,
        sum(models) OVER by_rank AS cumulative,
        sum(supporting) OVER () - sum(supporting) OVER by_rank AS supporting_without
    FROM accounts
    WINDOW by_rank AS (ORDER BY models DESC, author)
)
SELECT
    author,
    models AS numerator,
    denominator::BIGINT AS denominator,
    round(models / denominator, 9) AS share,
    is_small(models, denominator) AS small,
    round(cumulative / denominator, 9) AS cumulative_share,
    (denominator - cumulative)::BIGINT AS numerator_without,
    supporting_without::BIGINT AS denominator_without,
    round((denominator - cumulative) / nullif(supporting_without, 0), 9) AS share_without,
    is_small(denominator - cumulative, supporting_without) AS small_without
FROM ranked
WHERE models > 0
ORDER BY models DESC, author
LIMIT $top::INTEGER
