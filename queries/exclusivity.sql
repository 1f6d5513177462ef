-- title: Framework exclusivity
-- answers: How many models serve one framework of a frameworks alone, several, none?
-- param frameworks VARCHAR[] = pytorch,tensorflow : the frameworks that compete; all for every framework and runtime
-- param definition VARCHAR = tag : what says that a model serves one: tag (the Hub's), weights (its files) or loadable
-- param since TIMESTAMP = NULL : count models created at or after (UTC)
-- param until TIMESTAMP = NULL : count models created before (UTC)
-- param tag VARCHAR = NULL : only models with this tag or, where it ends in a colon, with one that begins so (arxiv:)
-- param cutoff VARCHAR = included : models older than the Hub's dates: included, excluded or only
-- param weight VARCHAR = models : each model once (models), by its 30-day downloads (downloads), or each author one vote, split over their models (authors)
-- param exclude_top_authors INTEGER = 0 : leave out this many authors, those with the most models that serve the frameworks
-- param by VARCHAR = NULL : one row per month, year, task, library, author, license, architecture, language, size, gated or region; NULL for one in all
-- param top INTEGER = NULL : keep this many groups, the largest; the rest is '(other)'
-- values frameworks: <frameworks>, all
-- values definition: tag, weights, loadable
-- values cutoff: included, excluded, only
-- values weight: models, downloads, authors
-- values by: month, year, task, library, author, license, architecture, language, size, gated, region
-- chart: stack x=share y=group color=framework
WITH compared AS (FROM frameworks_compared($frameworks::VARCHAR[])),
tally AS (
    SELECT
        CASE $by::VARCHAR
            WHEN 'month' THEN strftime(created_at, '%Y-%m')
            WHEN 'year' THEN strftime(created_at, '%Y')
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
        mask_by_definition($definition::VARCHAR, tag_mask, weights_mask, loadable_mask)
            & (SELECT bit_or(mask) FROM compared) AS served,
        -- told apart only where it matters: there are many
        CASE WHEN $weight::VARCHAR = 'authors' OR $exclude_top_authors::INTEGER > 0 THEN coalesce(author, '(none)') END
            AS voter,
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
    SELECT voter FROM tally WHERE served <> 0
    GROUP BY voter ORDER BY sum(models) DESC, voter LIMIT $exclude_top_authors
),
weighed AS (
    SELECT
        group_name,
        served,
        CASE $weight
            WHEN 'models' THEN models
            WHEN 'downloads' THEN downloads
            WHEN 'authors' THEN models / sum(models) FILTER (served IS NOT NULL) OVER (PARTITION BY voter)
        END AS n
    FROM tally
    WHERE $exclude_top_authors = 0 OR voter NOT IN (FROM largest)
),
sized AS (
    SELECT
        group_name, served, sum(weighed.n) AS n,
        sum(CASE WHEN served <> 0 THEN sum(weighed.n) END) OVER (PARTITION BY group_name) AS size
    FROM weighed
    GROUP BY group_name, served
),
grouped AS (
    SELECT
        CASE
            WHEN dense_rank() OVER (ORDER BY size DESC NULLS LAST, group_name) > $top::INTEGER THEN '(other)'
            ELSE group_name
        END AS "group",
        served,
        n
    FROM sized
    WHERE $by IS NULL OR group_name IS NOT NULL
    UNION ALL
    SELECT NULL, 0, 0 WHERE $by IS NULL  -- of nobody, 0 of 0
),
kinds AS (
    SELECT unnest(['exclusive', 'available']) AS name, framework, mask, bit FROM compared
    UNION ALL
    SELECT unnest(['shared', 'none']), NULL, NULL, NULL
)
-- served is NULL where the tags are unknown or, by weights, the file names: not counted
SELECT
    name,
    framework,
    "group",
    round(coalesce(sum(n) FILTER (
        CASE name
            WHEN 'exclusive' THEN served = mask
            WHEN 'available' THEN served & mask <> 0
            WHEN 'shared' THEN bit_count(served) > 1
            WHEN 'none' THEN served = 0
        END
    ), 0), 6) AS numerator,
    round(coalesce(sum(n) FILTER (served <> 0 OR name = 'none' AND served IS NOT NULL), 0), 6)
        AS denominator
FROM grouped, kinds
GROUP BY name, framework, bit, "group"
ORDER BY
    CASE name WHEN 'exclusive' THEN 1 WHEN 'available' THEN 2 WHEN 'shared' THEN 3 ELSE 4 END,
    list_position($frameworks::VARCHAR[], framework), bit,
    "group"
