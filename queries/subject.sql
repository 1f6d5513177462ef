-- title: What a name stands for
-- answers: Which models and accounts has any snapshot held under a name, or under a similar one?
-- param name VARCHAR = openai-community/gpt2 : repo id, `_id` or account
-- param similar BOOLEAN = false : names that are similar instead: other case, other account, or up to two typing errors (one in two letters)
-- chart: none
-- exact_match: it is spelled so; where none is, those in other case are returned.
SELECT kind, name, exact_match
FROM (
    SELECT DISTINCT 'model' AS kind, id AS name, NOT $similar::BOOLEAN AND (id = $name::VARCHAR OR key = $name) AS exact_match
    FROM versions
    WHERE CASE WHEN $similar
        THEN lower(split_part(id, '/', -1)) = lower(nullif(split_part($name, '/', -1), ''))
            OR levenshtein(lower(id), lower($name)) <= least(2, len($name) // 2)
        ELSE lower(id) = lower($name) OR key = $name END
    UNION
    SELECT 'model', moved_to, id = $name
    FROM redirects
    WHERE lower(id) = lower($name) AND moved_to IN (SELECT id FROM versions) AND NOT $similar
    UNION
    SELECT DISTINCT 'author', author, NOT $similar AND author = $name
    FROM versions
    WHERE CASE WHEN $similar THEN levenshtein(lower(author), lower($name)) <= least(2, len($name) // 2) ELSE lower(author) = lower($name) END
)
QUALIFY exact_match OR NOT bool_or(exact_match) OVER ()
ORDER BY levenshtein(lower(name), lower($name)), kind DESC, name
LIMIT 5
