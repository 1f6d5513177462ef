-- title: One model over time
-- answers: What did each snapshot hold about a model: its name, downloads, likes, files and tags?
-- param model VARCHAR = openai-community/gpt2 : repo id, also a former one, or `_id`
-- column observed_at: time
-- chart: none
-- A row for each snapshot that saw the model, or that shows that the Hub did not have it (is_there false).
-- NULL: unknown. downloads are those of the 30 days before.
SELECT
    snapshot, observed_to AS observed_at, key IS NOT NULL AS is_there, id,
    downloads, downloads_all_time, likes, len(files) AS files, len(tags) AS tags,
    array_to_string(tag_values(tags, 'license:'), ', ') AS license,
    pipeline_tag AS task, library_name AS library, gated
FROM sightings_of($model::VARCHAR)
ORDER BY observed_to, snapshot
