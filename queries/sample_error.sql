-- title: Errors of shares in a sample
-- answers: How much would the shares of a sample differ between samples?
-- param counts JSON = [] : for each figure and range of creation time that was drawn (cluster): numerator, denominator
-- chart: none
-- clusters: those with models of the denominator; effective_clusters: as if all contributed alike; variance:
-- of the share. See hfscan/figures/intervals.py.
WITH counts AS (
    SELECT * FROM (SELECT unnest(from_json($counts::JSON, '[{
        "figure": "BIGINT", "cluster": "VARCHAR", "numerator": "DOUBLE", "denominator": "DOUBLE"
    }]'), recursive := true))
    WHERE cluster IS NOT NULL
),
-- residual: what a cluster adds to the error of the share, as a ratio estimator
residuals AS (
    SELECT
        *,
        numerator - denominator * sum(numerator) OVER by_figure / nullif(sum(denominator) OVER by_figure, 0)
            AS residual,
        starts_with(cluster, 'alone ') AS drawn_alone
    FROM counts
    WINDOW by_figure AS (PARTITION BY figure)
),
-- of strata, the variance follows from the differences between successive ones; the first succeeds the last
differences AS (
    SELECT
        *,
        CASE
            WHEN drawn_alone THEN sqrt(2) * residual
            ELSE residual - coalesce(lag(residual) OVER by_time, max_by(residual, cluster) OVER all_time)
        END AS difference
    FROM residuals
    WINDOW
        by_time AS (PARTITION BY figure, drawn_alone ORDER BY cluster),
        all_time AS (PARTITION BY figure, drawn_alone)
)
SELECT
    figure,
    count(*) FILTER (denominator > 0) AS clusters,
    sum(difference * difference) / 2 / (sum(denominator) * sum(denominator)) AS variance,
    sum(residual * residual) * sum(residual * residual)
        / nullif(sum(residual * residual * residual * residual), 0) AS effective_clusters
FROM differences
GROUP BY figure
HAVING sum(denominator) > 0
ORDER BY figure
