"""Recall, direction and pass@k on worked cases."""

from __future__ import annotations

from itertools import combinations

import pytest

from timeground.metrics.direction import directional_discrimination, discrimination
from timeground.metrics.grounding import recall_at
from timeground.metrics.passk import mean_pass_at_k, pass_at_k


def test_the_threshold_itself_counts_only_where_it_is_inclusive():
    ious = [0.5, 0.7, 0.2, 0.5]
    assert recall_at(ious, 0.5) == 0.75 and recall_at(ious, 0.5, inclusive=False) == 0.25


def test_nothing_and_nan_are_refused():
    for bad in ([], [0.5, float("nan")]):
        with pytest.raises(ValueError):
            recall_at(bad, 0.5)


def test_directional_discrimination():
    assert directional_discrimination([0.6, 0.9, 0.1, 0.8], [0.1, 0.7, 0.9, 0.2]) == pytest.approx(1 / 3)
    assert directional_discrimination([0.6, 0.6], [0.0, 0.1]) == 1
    assert directional_discrimination([0.6, 0.1], [0.9, 0.9]) == -1
    assert directional_discrimination([0.1, 0.2], [0.9, 0.1]) is None
    assert directional_discrimination([0.5], [0.5], inclusive=False) is None
    assert discrimination(0.0, 0.0) is None


@pytest.mark.parametrize("n", [1, 3, 6])
def test_pass_at_k_is_the_share_of_draws_with_a_right_one(n):
    for correct in range(n + 1):
        samples = [i < correct for i in range(n)]
        for k in range(1, n + 1):
            draws = list(combinations(samples, k))
            assert pass_at_k(n, correct, k) == pytest.approx(sum(map(any, draws)) / len(draws))


def test_pass_at_k_with_many_samples_and_bad_counts():
    assert pass_at_k(10_000, 1, 5_000) == pytest.approx(0.5)
    assert mean_pass_at_k([[True, False], [False, False]], 1) == 0.25
    for bad in ((2, 3, 1), (2, 1, 0), (2, 1, 3), (2, -1, 1)):
        with pytest.raises(ValueError):
            pass_at_k(*bad)
    with pytest.raises(ValueError):
        mean_pass_at_k([], 1)
