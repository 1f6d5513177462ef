-- title: Framework exclusivity
-- answers: How many models support exactly one of the frameworks compared, several of them, or none?
-- param frameworks VARCHAR[] = pytorch,tensorflow : the frameworks compared; all: every framework and runtime
-- param definition VARCHAR = tag : the evidence that a model supports a framework: tag (Hub tags), weights (weight files), loadable or best (evidence)
-- param since TIMESTAMP = NULL : only models created at or after this time (UTC)
-- param until TIMESTAMP = NULL : only models created before this time (UTC)
-- param tag VARCHAR = NULL : only models with this tag; ending in a colon, with any tag of that prefix (arxiv:)
-- param cutoff VARCHAR = included : models at the creation-date cutoff: included, excluded or only
-- param weight VARCHAR = models : models: each counts once; downloads: by its 30-day downloads; authors: each author counts once, split over their models
-- param exclude_top_authors INTEGER = 0 : leave out this many authors, those with the most models that support the frameworks
-- param by VARCHAR = NULL : the grouping, one row per group; NULL for no groups
-- param top INTEGER = NULL : keep this many of the largest groups; the rest becomes '(other)'
-- values frameworks: <frameworks>, all
-- values definition: tag, weights, loadable, best
-- values cutoff: included, excluded, only
-- values weight: models, downloads, authors
-- values by: month, year, task, library, author, license, architecture, language, size, gated, region
-- column framework: framework
-- column coverage: share
-- chart: stack x=share y=group color=framework
WITH compared AS (FROM frameworks_compared($frameworks::VARCHAR[])),
tally AS (
    SELECT
        CASE $by::VARCHAR
            WHEN 'month' THEN coalesce(strftime(created_at, '%Y-%m'), '(unknown)')
            WHEN 'year' THEN coalesce(strftime(created_at, '%Y'), '(unknown)')
            WHEN 'task' THEN named_or_none(pipeline_tag, 'pipeline_tag', unreadable)
            WHEN 'library' THEN named_or_none(library_name, 'library_name', unreadable)
            WHEN 'author' THEN coalesce(author, '(none)')
            WHEN 'license' THEN single_value(tag_values(tags, 'license:'))
            WHEN 'architecture' THEN named_or_none(model_type, 'model_type', unreadable)
            WHEN 'language' THEN single_value(languages(tags))
            WHEN 'size' THEN size_class(parameters)
            WHEN 'gated' THEN named_or_none(gated, 'gated', unreadable)
            WHEN 'region' THEN single_value(tag_values(tags, 'region:'))
        END AS group_name,
        mask_by_definition($definition::VARCHAR, tag_mask, weights_mask, loadable_mask, best_mask)
            & (SELECT bit_or(mask) FROM compared) AS supported,
        -- grouped by author only where needed, because there are many
        CASE WHEN $weight::VARCHAR = 'authors' OR $exclude_top_authors::INTEGER > 0 THEN coalesce(author, '(none)') END
            AS voting_author,
        count(*) AS models,
        sum(downloads) AS downloads
    FROM census
    WHERE
        ($since::TIMESTAMP IS NULL OR created_at >= $since)
        AND ($until::TIMESTAMP IS NULL OR created_at < $until)
        AND CASE $cutoff::VARCHAR
            WHEN 'included' THEN true
            WHEN 'excluded' THEN NOT at_cutoff
            WHEN 'only' THEN at_cutoff
        END
        AND CASE
            WHEN $tag::VARCHAR IS NULL THEN true
            WHEN ends_with($tag, ':') THEN len(tag_values(tags, $tag)) > 0
            ELSE list_contains(tags, $tag)
        END
    GROUP BY ALL
),
largest AS (
    SELECT voting_author FROM tally WHERE supported <> 0
    GROUP BY voting_author ORDER BY sum(models) DESC, voting_author LIMIT $exclude_top_authors
),
weighted AS (
    SELECT
        group_name,
        supported,
        CASE $weight WHEN 'models' THEN models WHEN 'downloads' THEN downloads END AS n,
        -- an author's vote is split over the models of known evidence, where there are any
        CASE
            WHEN $weight <> 'authors' THEN NULL
            WHEN supported IS NOT NULL
                THEN models / sum(models) FILTER (supported IS NOT NULL) OVER (PARTITION BY voting_author)
            WHEN count(supported) OVER (PARTITION BY voting_author) = 0
                THEN models / sum(models) OVER (PARTITION BY voting_author)
        END AS votes
    FROM tally
    WHERE $exclude_top_authors = 0 OR voting_author NOT IN (FROM largest)
),
sized AS (
    SELECT
        group_name, supported, sum(weighted.n) AS n, sum(weighted.votes) AS votes,
        sum(CASE WHEN supported <> 0 THEN coalesce(sum(weighted.n), sum(weighted.votes)) END)
            OVER (PARTITION BY group_name) AS size
    FROM weighted
    GROUP BY group_name, supported
),
grouped AS (
    SELECT
        CASE
            WHEN dense_rank() OVER (ORDER BY size DESC NULLS LAST, group_name) > $top::INTEGER THEN '(other)'
            ELSE group_name
        END AS "group",
        supported, n, votes
    FROM sized
    WHERE $by IS NULL OR group_name IS NOT NULL
    UNION ALL
    SELECT NULL, 0, NULL, NULL WHERE $by IS NULL  -- an empty population is 0 of 0
),
names AS (
    SELECT unnest(['exclusive', 'available']) AS name, framework, mask, bit FROM compared
    UNION ALL
    SELECT unnest(['shared', 'none']), NULL, NULL, NULL
),
-- supported is NULL where the evidence is unknown: such models count only in the population of coverage
members AS (
    SELECT
        name, framework, bit, "group", n, votes,
        CASE name
            WHEN 'exclusive' THEN supported = mask
            WHEN 'available' THEN supported & mask <> 0
            WHEN 'shared' THEN bit_count(supported) > 1
            WHEN 'none' THEN supported = 0
        END AS in_numerator,
        supported <> 0 OR name = 'none' AND supported IS NOT NULL AS in_denominator
    FROM grouped, names
)
-- models and downloads are exact integers, votes are rounded to six digits
SELECT
    name,
    framework,
    "group",
    coalesce(
        sum(n) FILTER (in_numerator)::DECIMAL(35, 6), round(sum(votes) FILTER (in_numerator), 6)::DECIMAL(35, 6), 0
    ) AS numerator,
    coalesce(
        sum(n) FILTER (in_denominator)::DECIMAL(35, 6), round(sum(votes) FILTER (in_denominator), 6)::DECIMAL(35, 6), 0
    ) AS denominator,
    round(denominator / nullif(coalesce(sum(n)::DOUBLE, sum(votes)), 0), 6) AS coverage
FROM members
GROUP BY name, framework, bit, "group"
ORDER BY
    CASE name WHEN 'exclusive' THEN 1 WHEN 'available' THEN 2 WHEN 'shared' THEN 3 ELSE 4 END,
    list_position($frameworks::VARCHAR[], framework), bit,
    "group"
