-- title: What the taxonomy does not know
-- answers: Which libraries, tags and file endings of the models does the taxonomy not know?
-- param kind VARCHAR = NULL : only libraries, tags or endings; NULL: all three
-- param top INTEGER = 20 : the most frequent names of each kind; models with any are counted before them
-- values kind: library, tag, ending
-- column share: share
-- chart: none
-- downloads: of the models of which they are known; NULL: of none.
WITH tasks_and_types AS (
    SELECT DISTINCT pipeline_tag AS name FROM census UNION SELECT DISTINCT model_type FROM census
),
-- what says nothing of a framework: pairs such as license:mit, languages, tasks and model types
names AS (
    SELECT 'library' AS kind, library_name AS name, id, downloads FROM census
    UNION ALL
    SELECT 'tag', tag, id, downloads
    FROM (SELECT unnest(list_distinct(tags)) AS tag, id, downloads FROM census)
    WHERE NOT contains(tag, ':') AND len(languages([tag])) = 0 AND tag NOT IN (FROM tasks_and_types WHERE name <> '')
    UNION ALL
    SELECT 'ending', unnest(list_distinct(list_transform(
        list_filter(files, lambda file: contains(parse_filename(file), '.')),
        lambda file: lower(string_split(file, '.')[-1])
    ))), id, downloads
    FROM census
),
unplaced AS (
    FROM names ANTI JOIN taxonomy_names USING (kind, name)
    -- endings such as .0, of logs and parts
    WHERE name IS NOT NULL AND NOT (kind = 'ending' AND regexp_full_match(name, '\d+')) AND ($kind::VARCHAR IS NULL OR kind = $kind)
),
counted AS (
    SELECT kind, name, count(*) AS models, sum(downloads) AS downloads
    FROM unplaced
    GROUP BY kind, name
    UNION ALL
    SELECT kind, '(any)', count(*), sum(downloads)
    FROM (SELECT DISTINCT kind, id, downloads FROM unplaced)
    GROUP BY kind
),
ranked AS (
    SELECT *, row_number() OVER (
        PARTITION BY kind ORDER BY name <> '(any)', models DESC, downloads DESC NULLS LAST, name
    ) AS rank
    FROM counted
)
SELECT kind, name, models, downloads, round(models / (SELECT count(*) FROM census), 9) AS share
FROM ranked
WHERE rank <= $top::INTEGER + 1  -- (any) is the first
ORDER BY list_position(['library', 'tag', 'ending'], kind), rank
