-- title: Transitions between two observations
-- answers: Which sets of frameworks did models have in one observation, and which in a later one?
-- param earlier INTEGER = 1 : the source to start from
-- param later INTEGER = 2 : the source to compare with
-- param universe VARCHAR[] = pytorch,tensorflow : the frameworks that compete
-- chart: flow from=before to=after
WITH universe AS (
    SELECT name AS framework, bit, 1::UBIGINT << bit AS mask
    FROM frameworks
    WHERE list_contains($universe::VARCHAR[], name)
),
-- by `_id` where both sources have it (names change), else by repo id
both_have_ids AS (
    SELECT NOT bool_or(list_contains(lacks, '_id')) AS yes
    FROM sources WHERE id IN ($earlier::INTEGER, $later::INTEGER)
),
seen AS (
    SELECT source, _id, id, tag_mask FROM observed($earlier::INTEGER)
    UNION ALL
    SELECT source, _id, id, tag_mask FROM observed($later::INTEGER)
),
keyed AS (
    SELECT
        source,
        CASE WHEN (SELECT yes FROM both_have_ids) THEN _id ELSE id END AS key,
        tag_mask & (SELECT bit_or(mask) FROM universe) AS served
    FROM seen
),
pairs AS (
    SELECT old.served AS before, new.served AS after, old.key IS NULL AS added, new.key IS NULL AS gone
    FROM (FROM keyed WHERE source = $earlier::INTEGER) AS old
    FULL JOIN (FROM keyed WHERE source = $later::INTEGER) AS new USING (key)
),
names AS (
    SELECT served, coalesce(string_agg(framework, ' + ' ORDER BY bit), 'none') AS named
    FROM (SELECT DISTINCT served FROM keyed)
    LEFT JOIN universe ON served & mask <> 0
    GROUP BY served
)
SELECT
    CASE WHEN added THEN '(not there)' ELSE one.named END AS before,
    CASE WHEN gone THEN '(not there)' ELSE other.named END AS after,
    count(*) AS models
FROM pairs
LEFT JOIN names AS one ON one.served = before
LEFT JOIN names AS other ON other.served = after
GROUP BY ALL
ORDER BY models DESC, before, after
