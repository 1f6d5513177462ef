-- title: Models that only dropped classes or formats can open
-- answers: How many models, with how many downloads, need a class or format that current libraries have dropped, and whose are they?
-- param by VARCHAR = NULL : group them by author, task, library, license, year of creation or model; NULL for no groups
-- param weight VARCHAR = models : models: each counts once; downloads: by its 30-day downloads; downloads_all_time: by all of them; likes: by its likes
-- param min_downloads INTEGER = 0 : only models with at least this many downloads in 30 days
-- param since TIMESTAMP = NULL : only models created at or after this time (UTC)
-- param until TIMESTAMP = NULL : only models created before this time (UTC)
-- param cutoff VARCHAR = included : models at the creation-date cutoff: included, excluded or only; excluded by default where since is given
-- param top INTEGER = 20 : with groups, return this many of the largest
-- values by: author, task, library, license, year, model
-- values weight: models, downloads, downloads_all_time, likes
-- values cutoff: included, excluded, only
-- column share: share
-- column coverage: share
-- chart: bar x=share y=class
-- Each model is in one class. Its weights are all of the class: a model that also has PyTorch, safetensors, ONNX or
-- another current format is current. needs: what still opens it.
-- TensorFlow or Flax classes: tf_model.h5 or flax_model.msgpack, which transformers 5 does not read; without file
-- names, the tags tf or jax of the library transformers. TensorFlow 1: a checkpoint with its .meta, or a frozen graph.
-- Keras 2: of the library tf-keras. Keras SavedModel: of Keras, with a SavedModel alone, which Keras 3 does not load.
-- Without file names, other TensorFlow models are unknown; so are a SavedModel or files of Keras without tags and
-- library, and files that may be weights of any framework.
-- denominator: models whose class is known, or their weight; coverage: their share of all. Models whose weight or
-- min_downloads is unknown are left out. undecided: models of which the framework is known, but not the class.
WITH masks AS (
    SELECT
        bit_or(1::UBIGINT << bit) FILTER (kind <> 'artefact') AS weights,
        bit_or(1::UBIGINT << bit) FILTER (
            kind <> 'artefact' AND name NOT IN ('tensorflow', 'jax', 'keras', 'savedmodel', 'other-weights')
        ) AS current,
        bit_or(1::UBIGINT << bit) FILTER (name = 'tensorflow') AS tensorflow,
        bit_or(1::UBIGINT << bit) FILTER (name = 'jax') AS jax,
        bit_or(1::UBIGINT << bit) FILTER (name = 'keras') AS keras,
        bit_or(1::UBIGINT << bit) FILTER (name = 'savedmodel') AS savedmodel,
        bit_or(1::UBIGINT << bit) FILTER (name = 'other-weights') AS unplaced
    FROM frameworks
),
models AS (
    SELECT
        *,
        CASE
            WHEN best_mask IS NULL THEN '(unknown)'
            WHEN best_mask & weights = 0 THEN 'no weights'
            WHEN best_mask & current <> 0 THEN 'current'
            WHEN best_mask & unplaced <> 0 THEN '(unknown)'
        END AS plain_class,
        weight_of($weight::VARCHAR, downloads, downloads_all_time, likes) AS n
    FROM census, masks
    WHERE
        ($min_downloads::INTEGER = 0 OR downloads >= $min_downloads)
        AND is_created_in($since::TIMESTAMP, $until::TIMESTAMP, $cutoff::VARCHAR, created_at, at_cutoff)
),
candidates AS (  -- few models are left to look at closely
    SELECT
        *,
        lower(array_to_string(files, chr(10))) || chr(10) AS paths,
        library_name = 'transformers' OR (library_name IS NULL AND list_contains(tags, 'transformers')) AS is_transformers,
        best_mask & tensorflow <> 0 AS is_tensorflow
    FROM models
    WHERE plain_class IS NULL AND n IS NOT NULL
),
with_classes AS (
    SELECT
        *,
        CASE WHEN files IS NOT NULL THEN regexp_matches(paths, '(^|[/\n])tf_model[^/\n]*[.]h5\n')
            WHEN is_transformers THEN is_tensorflow END AS tensorflow_class,
        CASE WHEN files IS NOT NULL THEN regexp_matches(paths, '(^|[/\n])flax_model[^/\n]*[.]msgpack\n')
            WHEN is_transformers THEN best_mask & jax <> 0 END AS flax_class
    FROM candidates
),
orphans AS (
    SELECT
        CASE
            WHEN tensorflow_class AND flax_class THEN 'TensorFlow and Flax classes'
            WHEN tensorflow_class THEN 'TensorFlow classes'
            WHEN flax_class THEN 'Flax classes'
            WHEN files IS NULL AND (is_tensorflow OR library_name IS NULL) THEN '(unknown)'
            WHEN NOT is_tensorflow THEN 'current'  -- Flax and Orbax read what they write
            WHEN tags IS NULL AND library_name IS NULL AND best_mask & (savedmodel | keras) <> 0 THEN '(unknown)'
            WHEN list_contains(tags, 'tf-keras') OR coalesce(library_name, '') = 'tf-keras' THEN 'Keras 2'
            WHEN (list_contains(tags, 'keras') OR coalesce(library_name, '') = 'keras') AND best_mask & savedmodel <> 0
                AND NOT regexp_matches(paths, '[.](keras|h5|hdf5)\n') THEN 'Keras SavedModel'
            WHEN best_mask & (savedmodel | keras) = 0
                AND regexp_matches(paths, '(ckpt[^/\n]*[.]meta|(frozen|graph)[^/\n]*[.]pb)\n') THEN 'TensorFlow 1'
            ELSE 'current'
        END AS class,
        CASE WHEN class NOT IN ('(unknown)', 'current') THEN
            CASE $by::VARCHAR
                WHEN 'model' THEN id
                ELSE group_of($by, created_at, at_cutoff, author, pipeline_tag, library_name, model_type, tags, parameters, gated, unreadable)
            END
        END AS "group",
        n
    FROM with_classes
),
classified AS (
    SELECT class, "group", n, 1 AS models FROM orphans
    UNION ALL
    SELECT plain_class, NULL, sum(n), count(n) FROM models WHERE plain_class IS NOT NULL GROUP BY plain_class
),
tally AS (
    SELECT class, "group", sum(n) AS n, sum(models) AS models FROM classified WHERE n IS NOT NULL GROUP BY ALL
),
totals AS (
    SELECT
        coalesce(sum(n) FILTER (class <> '(unknown)'), 0) AS known,
        coalesce(sum(models) FILTER (class <> '(unknown)'), 0) AS known_models,
        sum(n) AS total
    FROM tally
)
SELECT
    class,
    "group",
    CASE class
        WHEN 'TensorFlow 1' THEN 'tf.compat.v1'
        WHEN 'Keras 2' THEN 'tf_keras'
        WHEN 'Keras SavedModel' THEN 'tf.saved_model'
        WHEN 'current' THEN NULL
        WHEN 'no weights' THEN NULL
        WHEN '(unknown)' THEN NULL
        ELSE 'transformers 4'
    END AS needs,
    n AS numerator,
    known AS denominator,
    CASE WHEN class <> '(unknown)' THEN round(n / nullif(known, 0), 9) END AS share,
    round(known / nullif(total, 0), 6) AS coverage,
    models::BIGINT AS models,
    (SELECT count(n) FROM models WHERE best_mask IS NOT NULL) - known_models AS undecided,
    is_small(models, known_models) AS small
FROM tally, totals
WHERE $by IS NULL OR needs IS NOT NULL
QUALIFY $by IS NULL OR row_number() OVER (ORDER BY n DESC, models DESC, class, "group") <= $top::INTEGER
ORDER BY class = '(unknown)', class IN ('current', 'no weights'), n DESC, class, "group"
