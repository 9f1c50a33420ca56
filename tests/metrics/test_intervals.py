"""Bootstrap intervals: against theory, and their invariants."""

from __future__ import annotations

import numpy as np
import pytest

from timeground.metrics.intervals import ClusterBootstrap, bootstrap_interval, paired_bootstrap


def test_with_one_row_a_video_it_is_the_plain_standard_error():
    values = np.random.default_rng(1).normal(5.0, 2.0, 400)
    found = bootstrap_interval(values, [str(i) for i in range(400)])
    half = 1.96 * values.std() / 20
    assert found.estimate == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.03)
    assert found.high == pytest.approx(values.mean() + half, abs=0.03)


def test_rows_of_one_video_are_not_independent():
    rng = np.random.default_rng(2)
    per_video = rng.normal(0.0, 1.0, 50)
    values, videos = np.repeat(per_video, 10), np.repeat([f"v{i}" for i in range(50)], 10)
    clustered = bootstrap_interval(values, list(videos))
    naive = bootstrap_interval(values, [str(i) for i in range(500)])
    assert clustered.high - clustered.low > 2.5 * (naive.high - naive.low)
    once = bootstrap_interval(per_video, [f"v{i}" for i in range(50)])
    assert (clustered.low, clustered.high) == pytest.approx((once.low, once.high))  # ten copies add nothing


def test_about_95_of_100_intervals_hold_the_truth():
    rng = np.random.default_rng(3)
    held = 0
    for trial in range(100):
        videos = [f"{i}" for i in range(40) for _ in range(3)]
        values = np.repeat(rng.normal(0, 1, 40), 3) + rng.normal(0, 1, 120)
        found = bootstrap_interval(values, videos, num_resamples=400, seed=trial)
        held += found.low <= 0 <= found.high
    assert 87 <= held <= 99


def test_numbers_repeat_and_do_not_depend_on_the_order_of_rows():
    values, videos = [0.1, 0.9, 0.4, 0.6], ["a", "b", "a", "c"]
    first = bootstrap_interval(values, videos)
    assert first == bootstrap_interval(values, videos)
    shuffled = bootstrap_interval([0.6, 0.4, 0.9, 0.1], ["c", "a", "b", "a"])
    assert (shuffled.low, shuffled.high) == pytest.approx((first.low, first.high))


def test_one_video_gives_no_interval_and_no_row_is_refused():
    found = bootstrap_interval([0.2, 0.4], ["a", "a"])
    assert found.estimate == pytest.approx(0.3) and found.low is None and found.high is None
    with pytest.raises(ValueError):
        bootstrap_interval([], [])
    with pytest.raises(ValueError):
        bootstrap_interval([float("nan")], ["a"])


def test_rows_without_a_metric_have_no_part_in_it():
    bootstrap = ClusterBootstrap(["a", "a", "b", "c"], num_resamples=300)
    table = [[1.0, np.nan, np.nan, 3.0], [1.0, 1.0, 1.0, 1.0]]
    means = bootstrap.means(table)
    assert means.shape == (2, 300) and np.all(means[1] == 1)
    assert set(np.round(means[0][~np.isnan(means[0])], 6)) <= {1.0, 1.666667, 2.0, 2.333333, 3.0}
    assert np.isnan(means[0]).any()  # a resample of "b" alone
    assert np.array_equal(bootstrap.means(table[1]), means[1])


def test_paired_differences_see_what_separate_intervals_hide():
    rng = np.random.default_rng(4)
    videos = [f"{i // 2}" for i in range(200)]
    a = rng.uniform(0, 1, 200)
    b = a + 0.02 + rng.normal(0, 0.01, 200)
    found = paired_bootstrap(a, b, videos)
    assert found.difference == pytest.approx(0.02, abs=0.005) and found.can_be_told and found.share_b_better == 1
    back = paired_bootstrap(b, a, videos)
    assert back.difference == pytest.approx(-found.difference) and back.can_be_told and back.share_b_better == 0
    same = paired_bootstrap(a, a, videos)
    assert not same.can_be_told and same.low == same.high == 0 and same.share_b_better == 0.5
    one = paired_bootstrap([0.1], [0.9], ["a"])
    assert one.low is None and not one.can_be_told


def test_rows_must_be_paired():
    with pytest.raises(ValueError, match="pair them"):
        paired_bootstrap([1.0], [1.0, 2.0], ["a"])
