-- Convert API objects (`raw`: see dump/relation.py) to typed columns. `model` is the object in the
-- types of the API. `unread_json` is the object where some value has another type: repair.py then
-- reads it; a value that it cannot read is NULL, and `unreadable` names its column.
SELECT
    coalesce(object_id, id) AS key,
    object_id AS _id,
    object_id IS NOT NULL AS has_id,
    id,
    coalesce(  -- the plain list omits the author; an old one-part id has none
        nullif(model.author, ''), nullif(regexp_extract(id, '^([^/]+)/', 1), '')
    ) AS author,
    created_at,
    created_at >= $cutoff_start AND created_at < $cutoff_end AS at_cutoff,
    last_modified,
    model.sha AS sha,
    model.tags AS tags,
    nullif(model.library_name, '') AS library_name,
    nullif(model.pipeline_tag, '') AS pipeline_tag,
    model.downloads AS downloads,
    model.downloadsAllTime AS downloads_all_time,
    model.likes AS likes,
    model.gated AS gated,
    model.disabled AS disabled,
    files,
    list_transform(model.baseModels.models, lambda base: base.id) AS base_models,
    model.baseModels.relation AS base_relation,
    coalesce(model.safetensors.total, model.gguf.total) AS parameters,
    model.config.model_type AS model_type,
    model.config.architectures AS architectures,
    coalesce(unreadable, model.unreadable) AS unreadable,
    coalesce(model.private, false) AS private,
    coalesce(list_contains(unreadable, 'private'), false) AS maybe_private,
    coalesce(
        CASE {card}
            WHEN 'OBJECT' THEN {card_sdk} = 'VARCHAR'
            WHEN 'VARCHAR' THEN regexp_matches(json ->> '$.cardData', '[''"]sdk[''"]\s*:')
        END, false
    ) AS is_space_card,
    unknown,
    examples,
    first_row,
    CASE WHEN {needs_repair} THEN {object}::VARCHAR END AS unread_json
FROM (
    SELECT *,
        nullif(model._id, '') AS object_id,
        nullif(coalesce(model.id, model.modelId), '') AS id,
        {created_at} AS created_at,
        {last_modified} AS last_modified,
        {files} AS files
    FROM raw
)
