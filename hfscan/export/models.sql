-- A part of one snapshot under the names of the Hub's API, so that it can be imported again.
WITH known AS (SELECT list({'name': name, 'bit': bit} ORDER BY bit) AS frameworks FROM frameworks)
SELECT
    _id, id, author,
    created_at AS "createdAt",
    last_modified AS "lastModified",
    sha, tags, library_name, pipeline_tag, downloads,
    downloads_all_time AS "downloadsAllTime",
    likes, gated, disabled, unreadable,
    files AS siblings,
    CASE WHEN base_models IS NOT NULL OR base_relation IS NOT NULL THEN {
        'relation': base_relation,
        'models': list_transform(base_models, lambda base: {'id': base})
    } END AS "baseModels",
    CASE WHEN parameters IS NOT NULL AND NOT of_gguf THEN {'total': parameters} END AS safetensors,
    CASE WHEN parameters IS NOT NULL AND of_gguf THEN {'total': parameters} END AS gguf,
    CASE WHEN model_type IS NOT NULL OR architectures IS NOT NULL THEN {
        'model_type': model_type, 'architectures': architectures
    } END AS config,
    names_of_mask(tag_mask, frameworks) AS frameworks_by_tags,
    names_of_mask(weights_mask, frameworks) AS frameworks_by_weights,
    names_of_mask(loadable_4_mask, frameworks) AS frameworks_loadable_4,
    names_of_mask(loadable_5_mask, frameworks) AS frameworks_loadable_5,
    names_of_mask(best_mask, frameworks) AS frameworks_by_best_evidence
FROM (
    SELECT *,
        coalesce(list_contains(tags, 'gguf') AND NOT list_contains(tags, 'safetensors'), false)
            AS of_gguf
    FROM models_in(getvariable('snapshot'))
), known
WHERE CASE
    WHEN at_cutoff THEN 'cutoff' ELSE coalesce(year(created_at)::VARCHAR, 'undated')
END = getvariable('part')
ORDER BY key
