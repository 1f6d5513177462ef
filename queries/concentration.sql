-- title: Concentration of a framework's exclusive models
-- answers: Which accounts own the most models exclusive to a framework, or those with the most downloads, what is their share, and what is the framework's share without them?
-- param framework VARCHAR = pytorch : the framework that the models are exclusive to
-- param frameworks VARCHAR[] = pytorch,tensorflow : the frameworks compared
-- param definition VARCHAR = best : the evidence that a model supports a framework: tag (Hub tags), weights (weight files), loadable or best (evidence)
-- param transformers INTEGER = NULL : the release of transformers that loadable assumes; NULL: the newest at the time of the snapshot
-- param since TIMESTAMP = NULL : only models created at or after this time (UTC)
-- param until TIMESTAMP = NULL : only models created before this time (UTC)
-- param cutoff VARCHAR = included : models at the creation-date cutoff: included or excluded; excluded by default where since is given
-- param weight VARCHAR = models : models: each counts once; downloads: by its 30-day downloads
-- param top INTEGER = 20 : number of accounts to return
-- values framework: <frameworks>
-- values frameworks: <frameworks>, all
-- values definition: tag, weights, loadable, best
-- values transformers: 4, 5
-- values cutoff: included, excluded
-- values weight: models, downloads
-- column share: share
-- column cumulative_share: share
-- column share_without: share
-- chart: bar x=share y=author
-- share: of the exclusive models. share_without: the framework's exclusive share without this account
-- and those above it; NULL if it is the only framework compared. A model without an account is ranked by itself:
-- has_account is then false.
WITH supported AS (
    SELECT
        counted_author(author, id) AS author,
        weight_of($weight::VARCHAR, downloads, downloads_all_time, likes) AS n,
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
        count(n) FILTER (is_exclusive) AS models,
        count(n) FILTER (supported <> 0) AS models_supporting,
        coalesce(sum(n) FILTER (is_exclusive), 0) AS n,
        coalesce(sum(n) FILTER (supported <> 0), 0) AS supporting
    FROM (
        SELECT *, supported = (SELECT mask FROM frameworks_compared([$framework::VARCHAR])) AS is_exclusive
        FROM supported
    )
    GROUP BY author
),
ranked AS (
    SELECT
        author,
        n,
        models,
        sum(n) OVER () AS denominator,
        sum(n) OVER by_rank AS cumulative,
        sum(supporting) OVER () - sum(supporting) OVER by_rank AS supporting_without,
        -- behind these numbers
        sum(models) OVER () AS all_models,
        sum(models) OVER () - sum(models) OVER by_rank AS models_without,
        sum(models_supporting) OVER () - sum(models_supporting) OVER by_rank AS models_supporting_without
    FROM accounts
    WINDOW by_rank AS (ORDER BY n DESC, author)
)
SELECT
    ltrim(ranked.author, '/') AS author,
    n AS numerator,
    denominator,
    round(n / denominator, 9) AS share,
    is_small(models, all_models) AS small,
    round(cumulative / denominator, 9) AS cumulative_share,
    denominator - cumulative AS numerator_without,
    supporting_without AS denominator_without,
    CASE WHEN (SELECT count(*) FROM frameworks_compared($frameworks)) > 1
        THEN round((denominator - cumulative) / nullif(supporting_without, 0), 9) END AS share_without,
    is_small(models_without, models_supporting_without) AS small_without,
    NOT starts_with(ranked.author, '/') AS has_account
FROM ranked
WHERE n > 0
ORDER BY n DESC, ranked.author
LIMIT $top::INTEGER
