-- title: Composition of the Hub
-- answers: How are models, downloads or likes distributed over licenses, libraries, sizes, years, base models or groups of accounts?
-- param by VARCHAR = license : the grouping
-- param weight VARCHAR = models : models: each counts once; downloads: by its 30-day downloads; downloads_all_time: by all of them; likes: by its likes
-- param min_downloads INTEGER = 0 : only models with at least this many downloads in 30 days
-- param since TIMESTAMP = NULL : only models created at or after this time (UTC)
-- param until TIMESTAMP = NULL : only models created before this time (UTC)
-- param cutoff VARCHAR = included : models at the creation-date cutoff: included, excluded or only; excluded by default where since is given
-- param account_groups JSON = {} : account -> its group, such as a country, for the grouping by account_group; the groups of other accounts are unknown
-- param per VARCHAR = all : shares of all models, or of those created in each year or month
-- param top INTEGER = NULL : keep this many of the largest groups; the rest becomes '(other)'
-- values by: year, task, library, author, license, architecture, language, size, gated, storage_region, relation, base_author, model_card, account_group
-- values per: all, year, month
-- values weight: models, downloads, downloads_all_time, likes
-- values cutoff: included, excluded, only
-- column period: period
-- column share: share
-- column coverage: share
-- chart: bar x=share y=group
-- denominator: models, or their weight, whose group is known; coverage: their share of all. Models whose weight or
-- min_downloads is unknown are left out. models: how many are in the group. relation: how a model says that it was
-- made from its base (finetune, adapter, quantized, merge); base_author: the account of the base, unknown where the
-- base is named without it (gpt2); model_card: whether there is a README.md.
WITH derived AS (
    SELECT *, declared_bases(base_models, tags) AS bases FROM census
),
based AS (
    SELECT
        *,
        list_distinct(list_transform(
            bases, lambda base: CASE WHEN regexp_matches(base, '^[^/]+/[^/]+$') THEN split_part(base, '/', 1) ELSE '' END
        )) AS base_authors
    FROM derived
),
model_groups AS (
    SELECT
        CASE $by::VARCHAR
            WHEN 'relation' THEN relation_to(bases, base_relation, declared_relations(tags))
            WHEN 'base_author' THEN CASE WHEN list_contains(base_authors, '') THEN '(unknown)' ELSE single_value(base_authors) END
            WHEN 'model_card' THEN CASE
                WHEN files IS NULL THEN '(unknown)' WHEN list_contains(files, 'README.md') THEN 'model card' ELSE '(none)'
            END
            WHEN 'account_group' THEN author
            ELSE group_of($by, created_at, at_cutoff, author, pipeline_tag, library_name, model_type, tags, parameters, gated, unreadable)
        END AS value,
        weight_of($weight::VARCHAR, downloads, downloads_all_time, likes) AS n,
        CASE $per::VARCHAR WHEN 'year' THEN date_trunc('year', created_at) WHEN 'month' THEN date_trunc('month', created_at) END
            AS since,
        $per <> 'all' AND at_cutoff AS is_older
    FROM based
    WHERE
        ($min_downloads::INTEGER = 0 OR downloads >= $min_downloads)
        AND is_created_in($since::TIMESTAMP, $until::TIMESTAMP, $cutoff::VARCHAR, created_at, at_cutoff)
),
counted AS (
    SELECT value, since, is_older, sum(n) AS n, count(n) AS models
    FROM model_groups
    GROUP BY value, since, is_older
),
tally AS (
    SELECT
        CASE $by
            WHEN 'account_group' THEN coalesce((  -- for each account, not for each model with all its columns
                SELECT any_value(account_group)
                FROM (
                    SELECT unnest(map_keys(groups)) AS account, unnest(map_values(groups)) AS account_group
                    FROM (SELECT from_json($account_groups::JSON, '"MAP(VARCHAR, VARCHAR)"') AS groups)
                )
                WHERE account = value
            ), '(unknown)')
            ELSE value
        END AS "group",
        sum(n) AS n, sum(models) AS models,
        CASE $per
            WHEN 'all' THEN 'all'
            WHEN 'year' THEN CASE WHEN is_older THEN '(older)' ELSE coalesce(strftime(since, '%Y'), '(unknown)') END
            WHEN 'month' THEN CASE WHEN is_older THEN '(older)' ELSE coalesce(strftime(since, '%Y-%m'), '(unknown)') END
        END AS period
    FROM counted
    GROUP BY "group", since, is_older
),
ranked AS (
    SELECT "group", row_number() OVER (ORDER BY "group" = '(unknown)', sum(n) DESC, "group") AS place
    FROM tally
    GROUP BY "group"
),
grouped AS (
    SELECT
        period,
        CASE WHEN place > $top::INTEGER AND "group" <> '(unknown)' THEN '(other)' ELSE "group" END AS "group",
        sum(n) AS n, sum(models) AS models
    FROM tally JOIN ranked USING ("group")
    GROUP BY ALL
)
SELECT
    "group",
    n AS numerator,
    coalesce(sum(n) FILTER ("group" <> '(unknown)') OVER of_period, 0) AS denominator,
    CASE WHEN "group" <> '(unknown)' THEN round(n / nullif(denominator, 0), 9) END AS share,
    round(denominator / nullif(sum(n) OVER of_period, 0), 6) AS coverage,
    models::BIGINT AS models,
    is_small(models, sum(models) FILTER ("group" <> '(unknown)') OVER of_period) AS small,
    period
FROM grouped
WHERE n IS NOT NULL
WINDOW of_period AS (PARTITION BY period)
ORDER BY period, "group" = '(other)', "group" = '(unknown)', n DESC, "group"
