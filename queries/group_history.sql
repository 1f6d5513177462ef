-- title: The models of an account or family over time
-- answers: How many models, downloads and likes did an account or a family of models have in each snapshot?
-- param author VARCHAR = NULL : account
-- param family VARCHAR = NULL : or a model (repo id) whose family is meant
-- one of: author, family
-- column observed_at: time
-- chart: none
-- A row for each snapshot that should hold all of them; is_partial: it lacks a part of the Hub's models, so that
-- the numbers are unknown (NULL). downloads: of the 30 days before, of the models with_downloads; NULL: all unknown.
-- A family is what the models of the one snapshot (census) declare: those that left it before are not in it.
SELECT
    snapshot, observed_at, is_partial,
    CASE WHEN NOT is_partial THEN models END AS models,
    CASE WHEN NOT is_partial THEN downloads END AS downloads,
    CASE WHEN NOT is_partial THEN with_downloads END AS with_downloads,
    CASE WHEN NOT is_partial THEN likes END AS likes,
    CASE WHEN NOT is_partial THEN with_likes END AS with_likes
FROM history_of_group($author::VARCHAR, members_of_family($family::VARCHAR))
ORDER BY observed_at, snapshot
