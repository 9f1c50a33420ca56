"""Borders are matched one to one, and always stand beside even spacing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from timeground.metrics.boundaries import Truth, boundary_score, cut_share, num_matched, spaced
from timeground.spans import Span

TIMES = st.lists(st.integers(0, 80).map(lambda n: n / 4), max_size=9, unique=True).map(sorted)


@given(TIMES, TIMES, st.sampled_from([0.0, 0.25, 0.5, 1.0]))
def test_the_matching_is_the_largest_there_is(found: list[float], true: list[float], tolerance_s: float) -> None:
    fits = np.array([[abs(a - b) <= tolerance_s for b in true] for a in found]).reshape(len(found), len(true))
    best = int(fits[linear_sum_assignment(fits, maximize=True)].sum())
    assert num_matched(found, true, tolerance_s) == best


@given(TIMES)
def test_the_truth_scores_one_and_nothing_scores_zero(times: list[float]) -> None:
    truth = Truth(tuple(times), 30.0)
    assert boundary_score([times], [truth]).f1 == 1.0
    assert boundary_score([[]], [truth]).f1 == (0.0 if times else 1.0)


def test_two_borders_at_one_true_one_count_once() -> None:
    score = boundary_score([[4.9, 5.1]], [Truth((5.0,), 10.0)])
    assert (score.precision, score.recall) == (0.5, 1.0) and score.f1 == pytest.approx(2 / 3)


def test_borders_that_come_evenly_are_beaten_by_no_one() -> None:
    """Where even spacing finds all, its figure says so; videos are counted together."""
    truths = [Truth(tuple(spaced(20.0, 2.0)), 20.0), Truth((), 1.5)]
    score = boundary_score([[2.0], []], truths)
    assert score.uniform_f1 == 1.0 and score.uniform_spacing_s == 2.0 and score.recall == pytest.approx(1 / 9)
    assert "every 2 s: 1.000" in str(score)
    with pytest.raises(ValueError):
        boundary_score([[1.0]], truths)


def test_an_event_is_cut_by_what_lies_well_inside() -> None:
    truth = Truth.of_events([Span(0.0, 4.0), Span(6.0, 6.8)], 10.0)
    assert truth.borders_s == (4.0, 6.0, 6.8)
    assert cut_share([[3.8, 6.4]], [truth]) == 0.0
    assert cut_share([[2.0, 9.0]], [truth]) == 0.5
