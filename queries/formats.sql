-- title: Adoption of formats and frameworks
-- answers: Of the models created in each month or year, how many have each framework, format or runtime?
-- param only VARCHAR[] = NULL : only these frameworks, formats and runtimes; NULL: all
-- param definition VARCHAR = best : the evidence that a model has one: tag (Hub tags), weights (weight files), loadable or best (evidence)
-- param transformers INTEGER = NULL : the release of transformers that loadable assumes; NULL: the newest at the time of the snapshot
-- param exclude_library VARCHAR = NULL : leave out the models of this library
-- param per VARCHAR = year : one row per year or month of creation, or one for all models
-- param since TIMESTAMP = NULL : only models created at or after this time (UTC)
-- param until TIMESTAMP = NULL : only models created before this time (UTC)
-- param cutoff VARCHAR = excluded : models at the creation-date cutoff: included, excluded or only
-- param by_cluster BOOLEAN = false : of a sample, a row for each range of creation time that was drawn
-- values only: <frameworks>
-- values definition: tag, weights, loadable, best
-- values transformers: 4, 5
-- values per: year, month, all
-- values cutoff: included, excluded, only
-- column period: period
-- column framework: framework
-- column share: share
-- column coverage: share
-- chart: line x=period y=share color=framework
-- denominator: models whose formats are known; for frameworks and runtimes, without those with weights of an unknown
-- framework: they have a known format all the same. A tag of logs (tensorboard) makes no format known: by best,
-- models of which the tags name nothing else are left out, and by tag they count.
-- (older): models at the creation-date cutoff, where they count: the Hub does not know when they were created.
WITH tally AS (
    SELECT
        CASE $per::VARCHAR
            WHEN 'month' THEN date_trunc('month', created_at)
            WHEN 'year' THEN date_trunc('year', created_at)
        END AS since,
        $per <> 'all' AND at_cutoff AS is_older,
        mask_by_definition(
            $definition::VARCHAR, $transformers::INTEGER, tag_mask, weights_mask, loadable_4_mask, loadable_5_mask,
            best_mask
        ) AS supported,
        CASE WHEN $by_cluster::BOOLEAN THEN sample_cluster END AS cluster,
        count(*) AS n
    FROM census
    WHERE
        ($per = 'all' OR created_at IS NOT NULL)
        AND ($exclude_library::VARCHAR IS NULL OR library_name IS DISTINCT FROM $exclude_library)
        AND is_created_in($since::TIMESTAMP, $until::TIMESTAMP, $cutoff::VARCHAR, created_at, at_cutoff)
    GROUP BY ALL
),
known AS (
    SELECT
        tally.*, name, bit,
        CASE WHEN kind IN ('framework', 'runtime') THEN known_support($definition, supported, 1::UBIGINT << bit)
            ELSE supported END IS NOT NULL AS is_known
    FROM tally, frameworks
)
SELECT
    CASE
        WHEN is_older THEN '(older)'
        ELSE CASE $per WHEN 'month' THEN strftime(since, '%Y-%m') WHEN 'year' THEN strftime(since, '%Y') ELSE 'all' END
    END AS period,
    name AS framework,
    coalesce(sum(n) FILTER (supported >> bit & 1 = 1), 0)::BIGINT AS numerator,
    coalesce(sum(n) FILTER (is_known), 0)::BIGINT AS denominator,
    round(numerator / nullif(denominator, 0), 9) AS share,
    is_small(numerator, denominator) AS small,
    round(coalesce(sum(n) FILTER (is_known), 0) / sum(n), 6) AS coverage,
    cluster
FROM known
WHERE $only::VARCHAR[] IS NULL OR list_contains($only, name)
GROUP BY period, name, bit, cluster
QUALIFY sum(numerator) OVER (PARTITION BY name) > 0  -- leave out what no model has
ORDER BY period, bit, cluster
