-- title: Adoption of formats and frameworks
-- answers: Of the models created in each month or year, how many carry each framework's or format's tag?
-- param per VARCHAR = year : one row per year or per month of creation
-- param floor VARCHAR = excluded : models older than the Hub's dates: included, excluded or only
-- chart: line x=period y=share color=framework
WITH dated AS (
    SELECT
        CASE $per::VARCHAR WHEN 'month' THEN strftime(created_at, '%Y-%m') ELSE strftime(created_at, '%Y') END
            AS period,
        tag_mask
    FROM census
    WHERE
        created_at IS NOT NULL
        AND CASE $floor::VARCHAR
            WHEN 'included' THEN true
            WHEN 'excluded' THEN NOT at_floor
            WHEN 'only' THEN at_floor
        END
),
tally AS (SELECT period, tag_mask, count(*) AS n FROM dated GROUP BY ALL)
SELECT
    period,
    name AS framework,
    coalesce(sum(n) FILTER (tag_mask >> bit & 1 = 1), 0)::BIGINT AS numerator,
    sum(n)::BIGINT AS denominator,
    round(numerator / denominator, 6) AS share
FROM tally, frameworks
GROUP BY period, name, bit
ORDER BY period, bit
