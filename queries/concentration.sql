-- title: Concentration of a framework's exclusive models
-- answers: Which accounts own the most models exclusive to a framework, and what share is theirs?
-- param framework VARCHAR = pytorch : the framework that the models serve alone
-- param universe VARCHAR[] = pytorch,tensorflow : the frameworks that compete
-- param top INTEGER = 20 : how many accounts
-- chart: bar x=cumulative_share y=author
WITH universe AS (
    SELECT name AS framework, 1::UBIGINT << bit AS mask
    FROM frameworks
    WHERE list_contains($universe::VARCHAR[], name)
),
exclusive AS (
    SELECT coalesce(author, '(none)') AS author, count(*) AS models
    FROM census
    WHERE
        tag_mask & (SELECT bit_or(mask) FROM universe)
        = (SELECT mask FROM universe WHERE framework = $framework::VARCHAR)
    GROUP BY ALL
),
ranked AS (
    SELECT
        author,
        models,
        sum(models) OVER () AS denominator,
        sum(models) OVER (ORDER BY models DESC, author) AS cumulative
    FROM exclusive
)
SELECT
    author,
    models AS numerator,
    denominator::BIGINT AS denominator,
    round(models / denominator, 6) AS share,
    round(cumulative / denominator, 6) AS cumulative_share
FROM ranked
ORDER BY models DESC, author
LIMIT $top::INTEGER
