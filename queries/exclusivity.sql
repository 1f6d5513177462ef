-- title: Framework exclusivity
-- answers: How many models serve one framework of a universe alone, several, none?
-- param universe VARCHAR[] = pytorch,tensorflow : the frameworks that compete; all for every framework and runtime
-- param definition VARCHAR = tag : what says that a model serves one: tag (the Hub's), weights (its files) or usable
-- param since TIMESTAMP = NULL : count models created at or after (UTC)
-- param until TIMESTAMP = NULL : count models created before (UTC)
-- param tag VARCHAR = NULL : only models with this tag or, where it ends in a colon, with one that begins so (arxiv:)
-- param floor VARCHAR = included : models older than the Hub's dates: included, excluded or only
-- param weight VARCHAR = models : each model once (models), by its 30-day downloads (downloads), or each author one vote, split over their models (authors)
-- param without_top INTEGER = 0 : leave out this many authors, those with the most models that serve the universe
-- param by VARCHAR = NULL : one row per month, year, task, library, author, license, architecture, language, size, gated or region; NULL for one in all
-- param top INTEGER = NULL : keep this many groups, the largest; the rest is '(other)'
-- chart: stack x=share y=group color=framework
WITH competing AS (FROM universe($universe::VARCHAR[])),
tally AS (
    SELECT
        CASE $by::VARCHAR
            WHEN 'month' THEN strftime(created_at, '%Y-%m')
            WHEN 'year' THEN strftime(created_at, '%Y')
            WHEN 'task' THEN coalesce(pipeline_tag, '(none)')
            WHEN 'library' THEN coalesce(library_name, '(none)')
            WHEN 'author' THEN coalesce(author, '(none)')
            WHEN 'license' THEN one_of(tagged(tags, 'license:'))
            WHEN 'architecture' THEN coalesce(model_type, '(none)')
            WHEN 'language' THEN one_of(languages(tags))
            WHEN 'size' THEN size_class(parameters)
            WHEN 'gated' THEN coalesce(gated, '(none)')
            WHEN 'region' THEN one_of(tagged(tags, 'region:'))
        END AS group_name,
        by_definition($definition::VARCHAR, tag_mask, weights_mask, usable_mask)
            & (SELECT bit_or(mask) FROM competing) AS served,
        -- told apart only where it matters: there are many
        CASE WHEN $weight::VARCHAR = 'authors' OR $without_top::INTEGER > 0 THEN coalesce(author, '(none)') END
            AS voter,
        count(*) AS models,
        sum(downloads) AS downloads
    FROM census
    WHERE
        ($since::TIMESTAMP IS NULL OR created_at >= $since)
        AND ($until::TIMESTAMP IS NULL OR created_at < $until)
        AND CASE $floor::VARCHAR
            WHEN 'included' THEN true
            WHEN 'excluded' THEN NOT at_floor
            WHEN 'only' THEN at_floor
        END
        AND CASE
            WHEN $tag::VARCHAR IS NULL THEN true
            WHEN ends_with($tag, ':') THEN len(tagged(tags, $tag)) > 0
            ELSE list_contains(tags, $tag)
        END
    GROUP BY ALL
),
largest AS (
    SELECT voter FROM tally WHERE served <> 0
    GROUP BY voter ORDER BY sum(models) DESC, voter LIMIT $without_top
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
    WHERE $without_top = 0 OR voter NOT IN (FROM largest)
),
ranked AS (
    SELECT
        group_name,
        row_number() OVER (ORDER BY sum(n) FILTER (served <> 0) DESC NULLS LAST, group_name) AS place
    FROM weighed
    GROUP BY group_name
),
grouped AS (
    SELECT
        CASE WHEN place > $top::INTEGER THEN '(other)' ELSE group_name END AS group_name,
        served,
        n
    FROM weighed
    JOIN ranked USING (group_name)
    WHERE $by IS NOT NULL
    UNION ALL
    SELECT NULL, served, n FROM weighed WHERE $by IS NULL
    UNION ALL
    SELECT NULL, 0, 0 WHERE $by IS NULL  -- of nobody, 0 of 0
),
counted AS (
    SELECT
        'exclusive' AS name, framework, group_name,
        sum(n) FILTER (served = mask) AS numerator,
        sum(n) FILTER (served <> 0) AS denominator
    FROM grouped, competing GROUP BY ALL
    UNION ALL
    SELECT
        'available', framework, group_name,
        sum(n) FILTER (served & mask <> 0),
        sum(n) FILTER (served <> 0)
    FROM grouped, competing GROUP BY ALL
    UNION ALL
    SELECT
        'shared', NULL, group_name,
        sum(n) FILTER (bit_count(served) > 1),
        sum(n) FILTER (served <> 0)
    FROM grouped GROUP BY ALL
    UNION ALL
    -- served is NULL, by weights, where the file names are not known: not counted. (A WHERE against
    -- it in `tally` makes DuckDB 2.0.0 lose all but 17 bits of n.)
    SELECT 'none', NULL, group_name, sum(n) FILTER (served = 0), sum(n) FILTER (served IS NOT NULL)
    FROM grouped GROUP BY ALL
)
SELECT
    name,
    framework,
    group_name AS "group",
    round(coalesce(numerator, 0), 6) AS numerator,
    round(coalesce(denominator, 0), 6) AS denominator
FROM counted
LEFT JOIN competing USING (framework)
ORDER BY
    CASE name WHEN 'exclusive' THEN 1 WHEN 'available' THEN 2 WHEN 'shared' THEN 3 ELSE 4 END,
    list_position($universe::VARCHAR[], framework), bit,
    group_name
