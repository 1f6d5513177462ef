-- title: The models of an account or family over time
-- answers: How many models, downloads and likes did an account or a family of models have in each snapshot?
-- param author VARCHAR = NULL : account
-- param family VARCHAR = NULL : a model (repo id) whose family is meant
-- column observed_at: time
-- chart: none
-- A row for each snapshot that should hold all of them; is_partial: it lacks a part of the Hub's models. downloads:
-- of the 30 days before, of the models with_downloads; NULL: all unknown. A family is that of the newest snapshot:
-- models that left it earlier, or that declared their base later, are not in it.
SELECT *
FROM history_of_group($author::VARCHAR, members_of_family($family::VARCHAR))
ORDER BY observed_at, snapshot
