-- title: Framework exclusivity
-- answers: How many models support exactly one of the frameworks compared, several of them, or none?
-- param frameworks VARCHAR[] = pytorch,tensorflow : the frameworks compared; all: every framework and runtime
-- param definition VARCHAR = best : the evidence that a model supports a framework: tag (Hub tags), weights (weight files), loadable or best (evidence)
-- param transformers INTEGER = NULL : the release of transformers that loadable assumes; NULL: the newest at the time of the snapshot
-- param since TIMESTAMP = NULL : only models created at or after this time (UTC)
-- param until TIMESTAMP = NULL : only models created before this time (UTC)
-- param tag VARCHAR = NULL : only models with this tag; ending in a colon, with any tag of that prefix (arxiv:)
-- param cutoff VARCHAR = included : models at the creation-date cutoff: included, excluded or only; excluded by default where since is given
-- param weight VARCHAR = models : models: each counts once; downloads: by its 30-day downloads; authors: each author counts once in each group, split over their models there that support the frameworks; a model without an account is an author of its own
-- param exclude_top_authors INTEGER = 0 : leave out this many authors, those with the most models that support the frameworks; by downloads, those whose models have the most; a model without an account is an author of its own
-- param by VARCHAR = NULL : the grouping, one row per group; NULL for no groups
-- param by_cluster BOOLEAN = false : of a sample, a row for each range of creation time that was drawn
-- param top INTEGER = NULL : keep this many of the largest groups; the rest becomes '(other)'
-- values frameworks: <frameworks>, all
-- values definition: tag, weights, loadable, best
-- values transformers: 4, 5
-- values cutoff: included, excluded, only
-- values weight: models, downloads, authors
-- values by: month, year, task, library, author, license, architecture, language, size, gated, storage_region
-- column framework: framework
-- column coverage: share
-- column largest_share: share
-- column share_without_largest: share
-- chart: stack x=share y=group color=framework
-- population_size: all models, their downloads, or authors; coverage: the part of it that the denominator describes.
-- none, of authors: of those with a model of known frameworks, how many have none that supports one of those compared.
-- Weighted by downloads: largest_model: of those in the denominator, the model with the most downloads; largest_share: its
-- part of the denominator; share_without_largest: the share if it is left out.
WITH compared AS (FROM frameworks_compared($frameworks::VARCHAR[])),
tally AS (
    SELECT
        group_of($by::VARCHAR, created_at, at_cutoff, author, pipeline_tag, library_name, model_type, tags, parameters, gated, unreadable)
            AS group_name,
        support_by_definition(
            $definition::VARCHAR, $transformers::INTEGER, tag_mask, weights_mask, loadable_4_mask, loadable_5_mask,
            best_mask, (SELECT bit_or(mask) FROM compared)
        ) AS supported,
        -- grouped by author only where needed, because there are many
        CASE WHEN $weight::VARCHAR = 'authors' OR $exclude_top_authors::INTEGER > 0 THEN counted_author(author, id) END
            AS voting_author,
        CASE WHEN $by_cluster::BOOLEAN THEN sample_cluster END AS cluster,
        count(CASE WHEN $weight = 'downloads' THEN downloads ELSE 1 END) AS models,  -- that count
        sum(downloads) AS downloads,
        -- sorts by downloads, then by name
        max(CASE WHEN $weight = 'downloads' THEN lpad(downloads::VARCHAR, 20, '0') || id END) AS largest
    FROM census
    WHERE
        is_created_in($since::TIMESTAMP, $until::TIMESTAMP, $cutoff::VARCHAR, created_at, at_cutoff)
        AND CASE
            WHEN $tag::VARCHAR IS NULL THEN true
            WHEN ends_with($tag, ':') THEN len(tag_values(tags, $tag)) > 0
            ELSE list_contains(tags, $tag)
        END
    GROUP BY ALL
),
largest AS (
    SELECT voting_author FROM tally WHERE supported <> 0
    GROUP BY voting_author
    ORDER BY sum(CASE $weight WHEN 'downloads' THEN downloads ELSE models END) DESC NULLS LAST, voting_author
    LIMIT $exclude_top_authors
),
eligible AS (
    SELECT
        group_name, supported, cluster, voting_author, models, largest,
        CASE $weight WHEN 'models' THEN models WHEN 'downloads' THEN downloads END AS n,
        CASE WHEN supported <> 0 THEN voting_author END AS supporting_author
    FROM tally
    WHERE ($exclude_top_authors = 0 OR voting_author NOT IN (FROM largest)) AND ($by IS NULL OR group_name IS NOT NULL)
),
ranked AS (
    SELECT
        group_name,
        row_number() OVER (
            ORDER BY
                CASE $weight WHEN 'authors' THEN count(DISTINCT supporting_author) ELSE sum(n) FILTER (supported <> 0) END
                    DESC NULLS LAST,
                sum(models) FILTER (supported <> 0) DESC NULLS LAST,  -- of authors, each has one vote
                group_name
        ) AS place
    FROM eligible
    GROUP BY group_name
),
grouped AS (
    SELECT CASE WHEN place > $top::INTEGER THEN '(other)' ELSE eligible.group_name END AS "group", eligible.*
    FROM eligible
    JOIN ranked ON ranked.group_name IS NOT DISTINCT FROM eligible.group_name
),
voted AS (
    SELECT
        *,
        -- an author counts once in each group, divided over the author's models there that support a framework
        CASE WHEN supported <> 0 THEN models / sum(models) FILTER (supported <> 0) OVER by_author END AS votes
    FROM grouped
    WINDOW by_author AS (PARTITION BY "group", cluster, voting_author)
),
summed AS (
    SELECT
        "group", supported, cluster, sum(models) AS models, sum(n) AS n, sum(votes) AS votes, max(largest) AS largest
    FROM voted
    GROUP BY ALL
    UNION ALL
    -- an empty population is 0 of 0
    SELECT NULL, 0, NULL, NULL, NULL, NULL, NULL WHERE $by IS NULL
),
authors AS (
    SELECT
        "group",
        cluster,
        count(DISTINCT voting_author) AS authors,
        count(DISTINCT CASE WHEN supported IS NOT NULL THEN voting_author END) AS known_authors,
        count(DISTINCT supporting_author) AS supporting_authors
    FROM grouped
    WHERE $weight = 'authors'
    GROUP BY "group", cluster
),
names AS (
    SELECT unnest(['exclusive', 'available']) AS name, framework, mask, bit FROM compared
    UNION ALL
    SELECT unnest(['shared', 'none']), NULL, NULL, NULL
),
-- supported is NULL where the evidence is unknown: such models count only in the population of coverage
members AS (
    SELECT
        name, framework, bit, "group", cluster, models, n, votes, largest,
        CASE name
            WHEN 'exclusive' THEN supported = mask
            WHEN 'available' THEN supported & mask <> 0
            WHEN 'shared' THEN bit_count(supported) > 1
            WHEN 'none' THEN supported = 0
        END AS in_numerator,
        supported <> 0 OR name = 'none' AND supported IS NOT NULL AS in_denominator
    FROM summed, names
),
counted AS (
    SELECT
        name, framework, bit, "group", cluster,
        sum(n) FILTER (in_numerator) AS n_numerator,
        sum(n) FILTER (in_denominator) AS n_denominator,
        sum(n) AS n,
        sum(models) FILTER (in_numerator) AS models_numerator,
        sum(models) FILTER (in_denominator) AS models_denominator,
        sum(votes) FILTER (in_numerator) AS votes,
        max(largest) FILTER (in_denominator) AS largest,
        max(largest) FILTER (in_numerator) AS largest_in_numerator
    FROM members
    GROUP BY name, framework, bit, "group", cluster
)
-- models and downloads are exact integers, votes are rounded to six digits
SELECT
    name,
    framework,
    counted."group",
    coalesce(
        CASE
            WHEN $weight <> 'authors' THEN n_numerator::DECIMAL(35, 6)
            WHEN name = 'none' THEN known_authors - supporting_authors
            ELSE round(votes, 6)::DECIMAL(35, 6)
        END,
        0
    ) AS numerator,
    coalesce(
        CASE
            WHEN $weight <> 'authors' THEN n_denominator::DECIMAL(35, 6)
            WHEN name = 'none' THEN known_authors
            ELSE supporting_authors
        END,
        0
    ) AS denominator,
    coalesce(CASE $weight WHEN 'authors' THEN authors ELSE n END, 0) AS population_size,
    round(denominator / nullif(population_size::DOUBLE, 0), 6) AS coverage,
    -- authors count once each; of downloads, the models behind them count
    denominator > 0 AND CASE $weight
        WHEN 'authors' THEN is_small(numerator, denominator)
        ELSE is_small(coalesce(models_numerator, 0), coalesce(models_denominator, 0))
    END AS small,
    substr(largest, 21) AS largest_model,
    round(left(largest, 20)::BIGINT / nullif(denominator, 0), 6) AS largest_share,
    round(
        (numerator - CASE WHEN largest_in_numerator = largest THEN left(largest, 20)::BIGINT ELSE 0 END)
            / nullif(denominator - left(largest, 20)::BIGINT, 0),
        6
    ) AS share_without_largest,
    counted.cluster
FROM counted
LEFT JOIN authors
    ON authors."group" IS NOT DISTINCT FROM counted."group" AND authors.cluster IS NOT DISTINCT FROM counted.cluster
ORDER BY
    CASE name WHEN 'exclusive' THEN 1 WHEN 'available' THEN 2 WHEN 'shared' THEN 3 ELSE 4 END,
    list_position($frameworks::VARCHAR[], framework), bit,
    counted."group",
    counted.cluster
