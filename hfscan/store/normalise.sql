-- From API objects as they come (`raw`: see raw.py) to typed columns. `model` is the object in the
-- contract's types: a value of another type becomes NULL or text, and is counted, never an error.
SELECT
    coalesce(model._id, model.id, model.modelId) AS key,
    model._id AS _id,
    model._id IS NOT NULL AS has_id,
    coalesce(model.id, model.modelId) AS id,
    coalesce(  -- the plain list omits the author; an old one-part id has none
        model.author, nullif(regexp_extract(coalesce(model.id, model.modelId), '^([^/]+)/', 1), '')
    ) AS author,
    TRY_CAST(model.createdAt AS TIMESTAMP) AS created_at,
    created_at >= $floor_start AND created_at < $floor_end AS at_floor,
    TRY_CAST(model.lastModified AS TIMESTAMP) AS last_modified,
    model.sha AS sha,
    model.tags AS tags,
    model.library_name AS library_name,
    model.pipeline_tag AS pipeline_tag,
    model.downloads AS downloads,
    model.downloadsAllTime AS downloads_all_time,
    model.likes AS likes,
    model.gated AS gated,
    model.disabled AS disabled,
    CASE
        WHEN len(model.siblings) = 0 OR model.siblings[1].rfilename IS NOT NULL
        THEN list_transform(model.siblings, lambda file: file.rfilename)
        WHEN json_type(json, '$.siblings[0]') = 'VARCHAR'  -- some dumps list bare names
        THEN TRY_CAST(json -> '$.siblings' AS VARCHAR[])
        ELSE list_transform(model.siblings, lambda file: file.rfilename)
    END AS files,
    list_transform(model.baseModels.models, lambda base: base.id) AS base_models,
    model.baseModels.relation AS base_relation,
    coalesce(model.safetensors.total, model.gguf.total) AS parameters,
    model.config.model_type AS model_type,
    model.config.architectures AS architectures,
    coalesce(model.private, false) AS private,
    unknown,
    {odd} AS odd
FROM (
    SELECT *, json_transform(json, {shape}) AS model FROM raw
)
