-- title: Framework exclusivity
-- answers: How many models serve one framework of a universe alone, several, none?
-- param universe VARCHAR[] = pytorch,tensorflow : the frameworks that compete
-- param definition VARCHAR = tag : what says that a model serves one: tag (the Hub's), weights (its files) or usable
-- param since TIMESTAMP = NULL : count models created at or after (UTC)
-- param until TIMESTAMP = NULL : count models created before (UTC)
-- param floor VARCHAR = included : models older than the Hub's dates: included, excluded or only
-- param weight VARCHAR = models : each model once (models), or by its 30-day downloads (downloads)
-- param by VARCHAR = NULL : one row per month (of creation), task or library; NULL for one in all
-- param top INTEGER = NULL : keep this many groups, the largest; the rest is '(other)'
-- chart: bar x=share y=group color=framework
WITH universe AS (
    SELECT name AS framework, 1::UBIGINT << bit AS mask
    FROM frameworks
    WHERE list_contains($universe::VARCHAR[], name)
),
tally AS (
    SELECT
        CASE $by::VARCHAR
            WHEN 'month' THEN strftime(created_at, '%Y-%m')
            WHEN 'task' THEN coalesce(pipeline_tag, '(none)')
            WHEN 'library' THEN coalesce(library_name, '(none)')
        END AS group_name,
        CASE $definition::VARCHAR WHEN 'tag' THEN tag_mask WHEN 'weights' THEN weights_mask WHEN 'usable' THEN usable_mask END
            & (SELECT bit_or(mask) FROM universe) AS served,
        sum(CASE $weight::VARCHAR WHEN 'models' THEN 1 WHEN 'downloads' THEN downloads END) AS n
    FROM census
    WHERE
        ($since::TIMESTAMP IS NULL OR created_at >= $since)
        AND ($until::TIMESTAMP IS NULL OR created_at < $until)
        AND CASE $floor::VARCHAR
            WHEN 'included' THEN true
            WHEN 'excluded' THEN NOT at_floor
            WHEN 'only' THEN at_floor
        END
    GROUP BY ALL
),
ranked AS (
    SELECT
        group_name,
        row_number() OVER (ORDER BY sum(n) FILTER (served <> 0) DESC NULLS LAST, group_name) AS place
    FROM tally
    GROUP BY group_name
),
grouped AS (
    SELECT
        CASE WHEN place > $top::INTEGER THEN '(other)' ELSE group_name END AS group_name,
        served,
        n
    FROM tally
    JOIN ranked USING (group_name)
    WHERE $by IS NOT NULL
    UNION ALL
    SELECT NULL, served, n FROM tally WHERE $by IS NULL
),
counted AS (
    SELECT
        'exclusive' AS name, framework, group_name,
        sum(n) FILTER (served = mask) AS numerator,
        sum(n) FILTER (served <> 0) AS denominator
    FROM grouped, universe GROUP BY ALL
    UNION ALL
    SELECT
        'available', framework, group_name,
        sum(n) FILTER (served & mask <> 0),
        sum(n) FILTER (served <> 0)
    FROM grouped, universe GROUP BY ALL
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
    coalesce(numerator, 0)::BIGINT AS numerator,
    coalesce(denominator, 0)::BIGINT AS denominator
FROM counted
ORDER BY
    CASE name WHEN 'exclusive' THEN 1 WHEN 'available' THEN 2 WHEN 'shared' THEN 3 ELSE 4 END,
    list_position($universe::VARCHAR[], framework),
    group_name
