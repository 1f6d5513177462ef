-- From API objects as they come (`raw`: every column JSON, see ingest.py) to typed columns.
-- A value of another type than the contract's becomes NULL or text and is counted, never an error.
SELECT
    coalesce(_id ->> '$', id ->> '$', modelId ->> '$') AS key,
    _id ->> '$' AS _id,
    (_id ->> '$') IS NOT NULL AS has_id,
    coalesce(id ->> '$', modelId ->> '$') AS id,
    coalesce(  -- the plain list omits the author; an old one-part id has none
        author ->> '$',
        nullif(regexp_extract(coalesce(id, modelId) ->> '$', '^([^/]+)/', 1), '')
    ) AS author,
    TRY_CAST(createdAt ->> '$' AS TIMESTAMP) AS created_at,
    created_at >= $floor_start AND created_at < $floor_end AS at_floor,
    TRY_CAST(lastModified ->> '$' AS TIMESTAMP) AS last_modified,
    sha ->> '$' AS sha,
    TRY_CAST(tags AS VARCHAR[]) AS tags,
    library_name ->> '$' AS library_name,
    pipeline_tag ->> '$' AS pipeline_tag,
    TRY_CAST(downloads ->> '$' AS BIGINT) AS downloads,
    TRY_CAST(downloadsAllTime ->> '$' AS BIGINT) AS downloads_all_time,
    TRY_CAST(likes ->> '$' AS BIGINT) AS likes,
    gated ->> '$' AS gated,
    TRY_CAST(disabled ->> '$' AS BOOLEAN) AS disabled,
    CASE json_type(siblings, '$[0]')
        WHEN 'VARCHAR' THEN TRY_CAST(siblings AS VARCHAR[])  -- some dumps list bare names
        ELSE list_transform(TRY_CAST(siblings AS STRUCT(rfilename VARCHAR)[]), lambda file: file.rfilename)
    END AS files,
    list_transform(
        TRY_CAST(baseModels -> '$.models' AS STRUCT(id VARCHAR)[]), lambda model: model.id
    ) AS base_models,
    baseModels ->> '$.relation' AS base_relation,
    coalesce(
        TRY_CAST(safetensors ->> '$.total' AS BIGINT),
        TRY_CAST(gguf ->> '$.total' AS BIGINT)
    ) AS parameters,
    config ->> '$.model_type' AS model_type,
    TRY_CAST(config -> '$.architectures' AS VARCHAR[]) AS architectures,
    coalesce(TRY_CAST(private ->> '$' AS BOOLEAN), false) AS private,
    {odd} AS odd
FROM raw
