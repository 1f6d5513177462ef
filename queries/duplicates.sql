-- title: Duplicate names and mirrors
-- answers: How many models repeat another's id, or are a copy of a model of another account?
-- column share: share
-- column limit: share
-- chart: none
-- duplicate_names: the repo id of another model, apart from upper and lower case. mirrors: the same commit
-- as a model of another account. similar_files: the same file names, with weights, and the same tags as a
-- model of another account; many are trained by the same script, not copied. limit: the highest plausible
-- share.
WITH names AS (
    SELECT count(*) AS n FROM census GROUP BY lower(id)
),
accounts AS NOT MATERIALIZED (  -- each of its readers needs a few columns
    SELECT sha, weights_mask, files, tags, counted_author(author, id) AS account FROM census
),
commits AS (
    SELECT count(*) AS n, min(account) <> max(account) AS has_several_accounts FROM accounts WHERE sha IS NOT NULL GROUP BY sha
),
contents AS (
    SELECT count(*) AS n, min(account) <> max(account) AS has_several_accounts
    FROM accounts
    WHERE
        -- an artefact, such as a log, is not a weight file
        weights_mask & (SELECT bit_or(1::UBIGINT << bit) FROM frameworks WHERE kind <> 'artefact') <> 0
        AND tags IS NOT NULL
    -- sums of hashes do not depend on the order; sorting takes six times as long
    GROUP BY list_sum(list_transform(files, lambda file: hash(file))), list_sum(list_transform(tags, lambda tag: hash(tag)))
),
measures AS (
    SELECT 'duplicate_names' AS flag, sum(n) FILTER (n > 1) AS numerator, sum(n) AS denominator, 0.0 AS "limit" FROM names
    UNION ALL
    SELECT 'mirrors', sum(n) FILTER (has_several_accounts), sum(n), 0.01 FROM commits
    UNION ALL
    SELECT 'similar_files', sum(n) FILTER (has_several_accounts), sum(n), 0.5 FROM contents
)
SELECT
    flag,
    coalesce(numerator, 0)::BIGINT AS numerator,
    denominator::BIGINT AS denominator,
    round(coalesce(numerator, 0) / denominator, 9) AS share,
    "limit",
    share > "limit" AS flagged
FROM measures
WHERE denominator > 0
ORDER BY flag
