"""95 % intervals of shares in a sample, and of ratios of two counts.

A sample draws a range of creation time in each of many strata, and models created together are
alike: the ranges are clusters. The variance of a share is that of a ratio estimator, linearised,
over clusters (Binder 1983, doi:10.2307/1402588), estimated from the differences between successive
ones, as each stratum has only one (Wolter, Introduction to Variance Estimation, 2007, sections 2.5
and 8.2). Models at the creation-date cutoff are drawn alone. From the variance follows the
effective sample size, for which Wilson's interval is taken (Korn and Graubard 1998, Survey
Methodology 24, 193-201; Franco et al. 2019, doi:10.1093/jssam/smy019), with Student's t of the
effective number of clusters less one (Satterthwaite 1946, doi:10.2307/3002019): one upload of
thousands of models can make up most of the variance. benchmarks/sampling.py measures how often the
intervals hold.
"""

from dataclasses import dataclass
from math import inf, sqrt

_Z = 1.959964  # quantile of the normal distribution for 95 %
_MIN_CLUSTERS = 4  # fewer say nothing about how much they differ


@dataclass(frozen=True)
class SampleError:
    """How a share varies between samples.

    `probability`: that a model was drawn. `clusters`: those with models of the denominator; a model
    drawn by itself is one. `variance`: of the share, as if drawn from a much larger population.
    `effective_clusters`: fewer than `clusters` where some contribute much more than others.
    """

    probability: float
    clusters: int
    variance: float
    effective_clusters: float

    def design_effect(self, share: float, models: float) -> float | None:
        """Return the variance relative to a simple random sample of as many `models`, at least 1.

        Where the share is 0 or 1, clusters show no variance: each is counted as one model.
        """
        if self.clusters < _MIN_CLUSTERS:
            return None
        if share in (0, 1):
            return models / self.clusters
        return max(1.0, self.variance * models / (share * (1 - share)))

    def interval(self, share: float, models: float) -> tuple[float, float]:
        """Return the interval of a share of `models` in the denominator."""
        effect = self.design_effect(share, models)
        if effect is None:
            return 0.0, 1.0
        if self.probability >= 1:
            return share, share
        effective = models / effect / (1 - self.probability)
        degrees = max(_MIN_CLUSTERS, self.effective_clusters) - 1
        return wilson_interval(share, effective, _t_quantile(degrees))


def wilson_interval(share: float, n: float, z: float = _Z) -> tuple[float, float]:
    """Return the score interval of a binomial share of `n`.

    Wilson 1927, doi:10.1080/01621459.1927.10502953
    """
    center = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    # rounding may move a bound past a share of 0 or 1
    return max(0.0, min(share, center - half)), min(1.0, max(share, center + half))


def _t_quantile(degrees: float) -> float:
    """Return the 97.5 % quantile of Student's t, within 0.1 % from 3 degrees of freedom on.

    Cornish-Fisher expansion: Abramowitz and Stegun 1964, 26.7.5.
    """
    z: float = _Z
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92_160,
    )
    return z + sum(term / degrees**power for power, term in enumerate(terms, 1))


def ratio_interval(numerator: float, denominator: float) -> tuple[float, float]:
    """Return the interval of the ratio of two independent counts, not both 0.

    Given their sum, a count is binomial (Przyborowski and Wilenski 1940,
    doi:10.1093/biomet/31.3-4.313).
    """
    total = numerator + denominator
    low, high = wilson_interval(numerator / total, total)
    return low / (1 - low), high / (1 - high) if denominator else inf
