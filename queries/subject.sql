-- title: What a name stands for
-- answers: Which models and accounts has any snapshot held under a name, or under a similar one?
-- param name VARCHAR = openai-community/gpt2 : repo id, `_id` or account
-- param similar BOOLEAN = false : names that are similar instead: other case, other account, or two typing errors
-- chart: none
SELECT kind, name
FROM (
    SELECT DISTINCT 'model' AS kind, id AS name
    FROM versions
    WHERE CASE WHEN $similar::BOOLEAN
        THEN lower(split_part(id, '/', -1)) = lower(split_part($name::VARCHAR, '/', -1))
            OR levenshtein(lower(id), lower($name)) <= 2
        ELSE id = $name OR key = $name END
    UNION
    SELECT 'model', moved_to FROM redirects
    WHERE id = $name AND moved_to IN (SELECT id FROM versions) AND NOT $similar
    UNION
    SELECT DISTINCT 'author', author
    FROM versions
    WHERE CASE WHEN $similar THEN levenshtein(lower(author), lower($name)) <= 2 ELSE author = $name END
)
ORDER BY levenshtein(lower(name), lower($name)), kind DESC, name
LIMIT 5
