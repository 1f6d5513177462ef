"""Intervals of samples of clusters, and of ratios of counts."""

from math import inf

import pytest

from hfscan.figures.intervals import SampleError, ratio_interval


def test_interval_of_one_model_per_cluster_is_wilsons_with_t():
    share, models = 0.3, 200
    error = SampleError(0.0001, models, share * (1 - share) / models, models)
    assert error.design_effect(share, models) == pytest.approx(1)
    # Wilson's score interval with z = 1.97196, Student's t of 199 degrees of freedom
    assert error.interval(share, models) == pytest.approx((0.2403, 0.3671), abs=0.0003)


def test_interval_widens_with_the_design_effect():
    narrow, wide = (SampleError(0.01, 200, 0.0001 * effect, 200) for effect in (1, 9))
    low, high = narrow.interval(0.3, 2_100)
    wider_low, wider_high = wide.interval(0.3, 2_100)
    assert wide.design_effect(0.3, 2_100) == pytest.approx(9)
    assert (wider_high - wider_low) / (high - low) == pytest.approx(3, abs=0.1)


def test_interval_is_wider_where_few_clusters_decide():
    low, high = SampleError(0.01, 200, 0.0001, 200).interval(0.3, 2_100)
    wider_low, wider_high = SampleError(0.01, 200, 0.0001, 6).interval(0.3, 2_100)
    # Student's t: 2.571 of 5 degrees of freedom, 1.972 of 199
    assert (wider_high - wider_low) / (high - low) == pytest.approx(2.571 / 1.972, abs=0.01)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_extreme_share_counts_a_cluster_as_one_model(share):
    low, high = SampleError(0.0001, 50, 0.0, 50).interval(share, 5_000)
    assert low <= share <= high
    assert high - low == pytest.approx(0.0747, abs=0.001)  # 2.0096**2 / (50 + 2.0096**2)


def test_interval_stays_within_0_and_1():
    for clusters in (1, 2, 4, 30):
        for share in (0.0, 0.001, 0.5, 0.999, 1.0):
            low, high = SampleError(0.01, clusters, 0.01, clusters).interval(share, 1_000)
            assert 0 <= low <= share <= high <= 1
    assert SampleError(0.01, 3, 0.01, 3).interval(0.5, 1_000) == (0, 1)


def test_sample_of_everything_is_exact():
    assert SampleError(1.0, 200, 0.001, 200).interval(0.3, 1_000) == (0.3, 0.3)


def test_ratio_of_two_counts_has_an_interval():
    low, high = ratio_interval(34, 40)
    assert (low, high) == pytest.approx((0.54, 1.34), abs=0.005)
    assert ratio_interval(34, 0) == pytest.approx((8.85, inf), abs=0.01)
    assert ratio_interval(0, 40) == pytest.approx((0, 1 / 10.41), abs=0.001)
