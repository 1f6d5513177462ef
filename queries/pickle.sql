-- title: Pickle and safetensors
-- answers: How many models have weights in pickle files, which can run code when they are loaded, and how many in safetensors?
-- param definition VARCHAR = weights : what counts as pickle: weights (files of weights), or extensions (every file with such an ending)
-- param weight VARCHAR = models : models: each counts once; downloads: by its 30-day downloads
-- param min_downloads INTEGER = 0 : only models with at least this many downloads in 30 days
-- param since TIMESTAMP = NULL : only models created at or after this time (UTC)
-- param until TIMESTAMP = NULL : only models created before this time (UTC)
-- param cutoff VARCHAR = included : models at the creation-date cutoff: included, excluded or only
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
WITH model_files AS (
    SELECT
        CASE WHEN files IS NOT NULL THEN
            CASE
                WHEN $definition::VARCHAR = 'weights' AND len(list_filter(
                    files,
                    lambda file: regexp_matches(lower(file), '^.*([.](pt|pth|ckpt|pkl|pickle|joblib|dill)'
                        || '|(torch|adapter_model|learned_embeds|state_dict|lora|gptq_model|ip.adapter|model_head|mm_projector|prediction_head)[^/]*[.]bin)$')
                        AND NOT regexp_matches(lower(file), '^.*(optim(izer|[^a-z])|scheduler|training_args|rng_state|random_states)[^/]*$'
                            || '|^(.*[^p])?scaler[^/]*$')
                )) > 0 THEN 1
                WHEN $definition = 'extensions'
                    AND len(list_filter(files, lambda file: regexp_matches(lower(file), '^.*[.](pkl|pickle|joblib|dill|pt|pth|bin)$'))) > 0
                    AND len(list_filter(files, lambda file: ends_with(lower(file), '.gguf'))) = 0 THEN 1
                ELSE 0
            END
        END AS pickle,
        CASE WHEN len(list_filter(files, lambda file: ends_with(lower(file), '.safetensors'))) > 0 THEN 1 ELSE 0 END
            AS safetensors,
        CASE $weight::VARCHAR WHEN 'models' THEN 1 WHEN 'downloads' THEN downloads END AS n
    FROM census
    WHERE
        ($min_downloads::INTEGER = 0 OR downloads >= $min_downloads)
        AND is_created_in($since::TIMESTAMP, $until::TIMESTAMP, $cutoff::VARCHAR, created_at, at_cutoff)
),
tally AS (
    SELECT pickle, safetensors, sum(n) AS n, count(n) AS models
    FROM model_files
    GROUP BY pickle, safetensors
),
classes AS (
    SELECT * FROM (VALUES
        ('pickle only', 1, 0), ('pickle and safetensors', 1, 1), ('safetensors only', 0, 1), ('neither', 0, 0)
    ) AS classes (class, pickle, safetensors)
)
SELECT
    class,
    coalesce(n, 0)::BIGINT AS numerator,
    coalesce(sum(n) OVER (), 0)::BIGINT AS denominator,
    round(numerator / nullif(denominator, 0), 9) AS share,
    round(denominator / (SELECT sum(tally.n) FROM tally), 6) AS coverage,
    is_small(coalesce(models, 0), sum(models) OVER ()) AS small
FROM classes LEFT JOIN tally USING (pickle, safetensors)
ORDER BY list_position(['pickle only', 'pickle and safetensors', 'safetensors only', 'neither'], class)
