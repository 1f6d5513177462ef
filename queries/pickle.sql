-- title: Pickle and safetensors
-- answers: How many models have weights in pickle files, which can run code when they are loaded, and how many in safetensors?
-- param definition VARCHAR = weights : what counts as pickle: weights (files of weights), or extensions (every file with such an ending)
-- param weight VARCHAR = models : models: each counts once; downloads: by its 30-day downloads
-- param min_downloads INTEGER = 0 : only models with at least this many downloads in 30 days
-- param since TIMESTAMP = NULL : only models created at or after this time (UTC)
-- param until TIMESTAMP = NULL : only models created before this time (UTC)
-- param cutoff VARCHAR = included : models at the creation-date cutoff: included, excluded or only; excluded by default where since is given
-- values definition: weights, extensions
-- values weight: models, downloads
-- values cutoff: included, excluded, only
-- column share: share
-- column coverage: share
-- chart: bar x=share y=class
-- By file names. weights: .pt, .pth, .ckpt, .pkl, .pickle, .joblib and .dill, and .bin where the name is one that
-- PyTorch's libraries give; without what training leaves beside the weights (optimizer.pt, training_args.bin).
-- extensions: every .pkl, .pickle, .joblib, .dill, .pt, .pth and .bin of a repository without GGUF files, as Kellas
-- et al. 2025 (arXiv:2508.15987, surveys of its artifact) count them.
-- denominator: models whose file names are known, or their downloads; coverage: their share of all. Models whose
-- downloads are unknown are left out where downloads matter.
WITH file_lists AS (
    SELECT
        array_to_string(files, chr(10)) AS paths,
        CASE $weight::VARCHAR WHEN 'models' THEN 1 WHEN 'downloads' THEN downloads END AS n
    FROM census
    WHERE
        ($min_downloads::INTEGER = 0 OR downloads >= $min_downloads)
        AND is_created_in($since::TIMESTAMP, $until::TIMESTAMP, $cutoff::VARCHAR, created_at, at_cutoff)
),
kinds AS (
    SELECT
        CASE WHEN paths IS NOT NULL THEN
            CASE
                -- all names of a model at once: few need a look at each
                WHEN NOT regexp_matches(paths, '(?i)[.](pt|pth|ckpt|pkl|pickle|joblib|dill|bin)(\n|$)') THEN 0
                WHEN $definition::VARCHAR = 'extensions' THEN
                    CASE WHEN regexp_matches(paths, '(?i)[.](pt|pth|pkl|pickle|joblib|dill|bin)(\n|$)')
                        AND NOT regexp_matches(paths, '(?i)[.]gguf(\n|$)') THEN 1 ELSE 0 END
                WHEN NOT regexp_matches(paths, '(?i)([.](pt|pth|ckpt|pkl|pickle|joblib|dill)'
                    || '|(torch|adapter_model|learned_embeds|state_dict|lora|gptq_model|ip.adapter|model_head|mm_projector|prediction_head)[^/\n]*[.]bin)(\n|$)') THEN 0
                WHEN NOT regexp_matches(paths, '(?i)(optim|scheduler|training_args|rng_state|random_states|scaler)') THEN 1
                WHEN len(list_filter(
                    string_split(paths, chr(10)),
                    lambda file: regexp_matches(lower(file), '^.*([.](pt|pth|ckpt|pkl|pickle|joblib|dill)'
                        || '|(torch|adapter_model|learned_embeds|state_dict|lora|gptq_model|ip.adapter|model_head|mm_projector|prediction_head)[^/]*[.]bin)$')
                        AND NOT regexp_matches(lower(file), '^.*(optim(izer|[^a-z])|scheduler|training_args|rng_state|random_states)[^/]*$'
                            || '|^(.*[^p])?scaler[^/]*$')
                )) > 0 THEN 1
                ELSE 0
            END
        END AS pickle,
        CASE WHEN regexp_matches(paths, '(?i)[.]safetensors(\n|$)') THEN 1 ELSE 0 END AS safetensors,
        n
    FROM file_lists
),
tally AS (
    SELECT pickle, safetensors, sum(n) AS n, count(n) AS models
    FROM kinds
    GROUP BY pickle, safetensors
),
classes AS (
    SELECT * FROM (VALUES
        ('pickle only', 1, 0), ('pickle and safetensors', 1, 1), ('safetensors only', 0, 1), ('neither', 0, 0)
    ) AS classes (class, pickle, safetensors)
)
SELECT
    class,
    coalesce(n, 0) AS numerator,
    coalesce(sum(n) OVER (), 0) AS denominator,
    round(numerator / nullif(denominator, 0), 9) AS share,
    round(denominator / (SELECT sum(tally.n) FROM tally), 6) AS coverage,
    is_small(coalesce(models, 0), sum(models) OVER ()) AS small
FROM classes LEFT JOIN tally USING (pickle, safetensors)
ORDER BY list_position(['pickle only', 'pickle and safetensors', 'safetensors only', 'neither'], class)
