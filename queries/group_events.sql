-- title: The models of an account or family that came and went
-- answers: Between which snapshots did an account or a family of models gain, lose or rename models?
-- param author VARCHAR = NULL : account
-- param family VARCHAR = NULL : or a model (repo id) whose family is meant
-- one of: author, family
-- column since: time
-- column until: time
-- column names: names
-- chart: none
-- An event lies between `since`, the last full snapshot before it, and `until`, the first one after it. born:
-- created since the earlier snapshot; appeared: older, seen for the first time; back: gone before; gone: deleted,
-- private, or without `_id` renamed; moved here, moved away: renamed from or to another account.
SELECT event, since, until, earlier, later, count(*) AS models, list(name ORDER BY name) AS names
FROM changes_of_group($author::VARCHAR, members_of_family($family::VARCHAR))
GROUP BY ALL
ORDER BY until, later, event
