-- title: Transitions between two snapshots
-- answers: Which sets of frameworks or formats did models have in one snapshot, and which in a later one?
-- param earlier INTEGER = NULL : the snapshot to start from; NULL: the one before `later`
-- param later INTEGER = NULL : the snapshot to compare with; NULL: the newest
-- param frameworks VARCHAR[] = pytorch,tensorflow : the frameworks, formats or runtimes to distinguish
-- param definition VARCHAR = best : the evidence that a model has one: tag (Hub tags), weights (weight files), loadable or best (evidence)
-- param transformers INTEGER = NULL : the release of transformers that loadable assumes; NULL: the newest at the time of the snapshot
-- param by VARCHAR = NULL : group by library or author (of the later snapshot); NULL for no groups
-- param top INTEGER = 20 : keep this many of the largest groups; the rest becomes '(other)'
-- values earlier: <snapshots>
-- values later: <snapshots>
-- values frameworks: <frameworks>, all
-- values definition: tag, weights, loadable, best
-- values transformers: 4, 5
-- values by: library, author
-- column before: framework_set
-- column after: framework_set
-- chart: flow from=before to=after y=models color=before
WITH compared AS (FROM frameworks_compared($frameworks::VARCHAR[])),
-- by `_id` where both snapshots have it (names change), else by repo id
both_have_ids AS (
    SELECT NOT bool_or(list_contains(missing_columns, '_id')) AS yes
    FROM snapshots WHERE id IN ($earlier::INTEGER, $later::INTEGER)
),
places AS (
    SELECT earlier.series_id AS old_series, earlier.position AS old_position, later.series_id AS new_series, later.position AS new_position
    FROM snapshots AS earlier, snapshots AS later
    WHERE earlier.id = $earlier AND later.id = $later
),
-- within a series, most models have the same version in both snapshots: only the others are matched
held AS (
    SELECT
        series_id = old_series AND valid_from <= old_position AND coalesce(valid_to > old_position, true) AS by_old,
        series_id = new_series AND valid_from <= new_position AND coalesce(valid_to > new_position, true) AS by_new,
        CASE WHEN by_old AND by_new THEN NULL WHEN NOT (SELECT yes FROM both_have_ids) THEN coalesce(moved_to, id)
            WHEN has_id THEN key END AS key,
        CASE WHEN by_old <> by_new AND NOT (SELECT yes FROM both_have_ids) THEN created_at END AS created_at,
        support_by_definition(
            $definition::VARCHAR, $transformers::INTEGER, tag_mask, weights_mask, loadable_4_mask, loadable_5_mask,
            best_mask, (SELECT bit_or(mask) FROM compared)
        ) AS supported,
        CASE $by::VARCHAR
            WHEN 'library' THEN named_or_none(library_name, 'library_name', unreadable)
            WHEN 'author' THEN coalesce(author, '(no account)')
        END AS group_name
    FROM versions LEFT JOIN known_renames($earlier, $later) USING (id), places
    WHERE by_old OR by_new
),
observed AS (
    SELECT by_old, by_new, key, created_at, supported, group_name, count(*) AS models FROM held GROUP BY ALL
),
pairs AS (
    SELECT
        old.supported AS before,
        new.supported AS after,
        old.by_old IS NULL AS added,
        new.by_new IS NULL AS removed,
        CASE WHEN removed THEN old.group_name ELSE new.group_name END AS in_group,
        coalesce(new.models, old.models) AS models
    FROM (FROM observed WHERE by_old AND NOT by_new) AS old
    FULL JOIN (FROM observed WHERE by_new AND NOT by_old) AS new
        ON old.key = new.key AND NOT is_recreated(old.created_at, new.created_at)  -- else another of the same name
    UNION ALL
    SELECT supported, supported, false, false, group_name, models FROM observed WHERE by_old AND by_new
),
ranked AS (
    SELECT in_group, row_number() OVER (ORDER BY sum(models) DESC, in_group) AS rank
    FROM pairs GROUP BY in_group
),
named AS (  -- supported is NULL where its evidence is unknown
    SELECT supported, CASE WHEN supported IS NULL THEN '(unknown)' ELSE coalesce(string_agg(framework, ' + ' ORDER BY bit), 'none') END AS names
    FROM (SELECT DISTINCT supported FROM observed)
    LEFT JOIN compared ON supported & mask <> 0
    GROUP BY supported
),
counted AS (
    SELECT
        CASE WHEN rank > $top::INTEGER THEN '(other)' ELSE pairs.in_group END AS "group",
        CASE WHEN added THEN '(not in snapshot)' ELSE before_names.names END AS before,
        CASE WHEN removed THEN '(not in snapshot)' ELSE after_names.names END AS after,
        sum(models)::BIGINT AS models
    FROM pairs
    JOIN ranked ON ranked.in_group IS NOT DISTINCT FROM pairs.in_group
    LEFT JOIN named AS before_names ON before_names.supported IS NOT DISTINCT FROM before
    LEFT JOIN named AS after_names ON after_names.supported IS NOT DISTINCT FROM after
    GROUP BY ALL
),
-- totals of the models that existed before, by their `before` and by their `after`
totals AS (
    SELECT
        "group", before, after,
        sum(models) OVER (PARTITION BY "group", before) AS before_total,
        sum(models) OVER (PARTITION BY "group", after) AS after_total
    FROM counted WHERE before <> '(not in snapshot)'
)
SELECT counted.*, before_total::BIGINT AS before_total, after_total::BIGINT AS after_total
FROM counted
LEFT JOIN totals ON
    totals."group" IS NOT DISTINCT FROM counted."group"
    AND totals.before = counted.before AND totals.after = counted.after
ORDER BY models DESC, counted."group", counted.before, counted.after
