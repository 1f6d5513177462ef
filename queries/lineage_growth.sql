-- title: New derivatives by base family
-- answers: Of the derivatives created in each month, quarter or year, how many belong to the largest families, or to the accounts of their bases?
-- param per VARCHAR = quarter : one row per month, quarter or year of creation
-- param by VARCHAR = family : the first model of the family, its account, or the relation to the base
-- param relations VARCHAR = named : relations as the models name them, or where they name none inferred from their tags
-- param since TIMESTAMP = NULL : only derivatives created at or after this time (UTC)
-- param until TIMESTAMP = NULL : only derivatives created before this time (UTC)
-- param cutoff VARCHAR = excluded : models at the creation-date cutoff: included, excluded or only
-- param top INTEGER = 8 : keep this many of the largest groups; the rest becomes '(other)'
-- values per: month, quarter, year
-- values by: family, author, relation
-- values relations: named, inferred
-- values cutoff: included, excluded, only
-- column period: period
-- column share: share
-- column share_of_models: share
-- column coverage: share
-- chart: line x=period y=share color=group
-- denominator: all derivatives created in the period; share_of_models: their share of its new models whose bases are
-- known (models); coverage: the share of these models in all new ones. author: the account in the name of the
-- family's first model, (unknown) where it has none. period: (older) for models at the creation-date cutoff, where they
-- count: the Hub does not know when they were created.
WITH derived AS (
    SELECT
        CASE WHEN NOT at_cutoff THEN date_trunc($per::VARCHAR, created_at) END AS since,
        CASE $by::VARCHAR
            WHEN 'family' THEN root
            WHEN 'author'
                THEN CASE WHEN regexp_full_match(root, '[^/]+/[^/]+') THEN split_part(root, '/', 1) ELSE '(unknown)' END
            WHEN 'relation' THEN CASE $relations::VARCHAR WHEN 'inferred' THEN inferred_relation ELSE relation END
        END AS group_name,
        count(*) AS n
    FROM derivatives()
    WHERE
        created_at IS NOT NULL
        AND is_created_in($since::TIMESTAMP, $until::TIMESTAMP, $cutoff::VARCHAR, created_at, at_cutoff)
    GROUP BY ALL
),
periods AS (
    SELECT
        CASE WHEN NOT at_cutoff THEN date_trunc($per, created_at) END AS since,
        count(*) FILTER (base_models IS NOT NULL OR tags IS NOT NULL) AS models,
        round(models / count(*), 6) AS coverage
    FROM census
    WHERE
        created_at IS NOT NULL
        AND is_created_in($since::TIMESTAMP, $until::TIMESTAMP, $cutoff::VARCHAR, created_at, at_cutoff)
    GROUP BY ALL
),
totals AS (SELECT since, sum(n) AS derivatives FROM derived GROUP BY since),
ranked AS (
    SELECT group_name, row_number() OVER (ORDER BY sum(n) DESC, group_name) AS place
    FROM derived GROUP BY group_name
),
grouped AS (
    SELECT
        since, CASE WHEN place > $top::INTEGER THEN '(other)' ELSE group_name END AS "group",
        min(least(place, $top + 1)) AS place, sum(n) AS n
    FROM derived JOIN ranked USING (group_name)
    GROUP BY ALL
),
groups AS (SELECT "group", min(place) AS place FROM grouped GROUP BY "group")
SELECT
    CASE
        WHEN periods.since IS NULL THEN '(older)'
        ELSE CASE $per WHEN 'month' THEN strftime(periods.since, '%Y-%m') WHEN 'year' THEN strftime(periods.since, '%Y')
            ELSE strftime(periods.since, '%Y-Q') || quarter(periods.since) END
    END AS period,
    groups."group",
    coalesce(n, 0) AS numerator,
    coalesce(derivatives, 0) AS denominator,
    round(numerator / nullif(denominator, 0), 9) AS share,
    is_small(numerator, denominator) AS small,
    models,
    round(denominator / nullif(models, 0), 9) AS share_of_models,
    coverage
FROM periods CROSS JOIN groups
LEFT JOIN totals ON totals.since IS NOT DISTINCT FROM periods.since
LEFT JOIN grouped ON grouped.since IS NOT DISTINCT FROM periods.since AND grouped."group" = groups."group"
ORDER BY period, groups.place
