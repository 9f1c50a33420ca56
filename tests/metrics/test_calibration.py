"""Calibration: against theory, simulation and other fits, and its invariants."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeground.chat.confidence import Scale, log_odds
from timeground.metrics.calibration import (
    FEWEST_ANSWERS,
    area_under_risk,
    best_area_under_risk,
    calibrated_error,
    calibration_error,
    fit_scale,
    null_rejection,
    risk_coverage,
)

TOLD = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def drawn(seed, num, slope=1.0, shift=0.0):
    """Raw confidences, and answers that are right as a scale of them says."""
    rng = np.random.default_rng(seed)
    raw = rng.beta(4, 2, num)
    return raw, rng.random(num) < [Scale(slope, shift)(one) for one in raw]


def columns(told):
    sure, right = zip(*told, strict=True)
    return list(sure), list(right)


def test_ece_by_hand():
    assert calibration_error([0.8, 0.8, 0.8, 0.8], [1, 1, 1, 0]) == pytest.approx(0.05)
    assert calibration_error([0.2, 0.9], [0, 1], num_bins=2) == pytest.approx((0.2 + 0.1) / 2)
    assert calibration_error([0.2, 0.9], [1, 0], num_bins=1) == pytest.approx(0.05)  # one bin sees the means alone
    assert calibration_error(np.repeat([0.1, 0.5], [3, 7]), [1] * 10, num_bins=5) == pytest.approx((3 * 0.9 + 3.5) / 10)


def test_the_ece_of_a_calibrated_model_is_what_drawing_gives():
    sure, _ = drawn(0, 300)
    rng = np.random.default_rng(1)
    errors = [calibration_error(sure, rng.random(300) < sure) for _ in range(2000)]
    assert calibrated_error(sure) == pytest.approx(np.mean(errors), abs=4 * np.std(errors) / math.sqrt(2000))
    assert calibrated_error([0.5]) == 0.5 and calibrated_error([0.0, 1.0, 1.0]) == 0


@pytest.mark.parametrize("num", [50, 1000, 20_000])
def test_a_calibrated_model_has_no_excess_and_it_goes_down_with_the_answers(num):
    sure, right = drawn(num, num)
    expected = calibrated_error(sure)
    assert calibration_error(sure, right) == pytest.approx(expected, rel=0.6)
    assert expected < 2 / math.sqrt(num / 15)
    assert calibration_error(sure**3, right) > 3 * expected or num < 1000


def test_many_equal_confidences_are_one_bin_and_take_no_time():
    sure = np.full(60_000, 0.7)
    assert calibrated_error(sure) == pytest.approx(math.sqrt(2 / math.pi * 0.7 * 0.3 / 60_000), rel=1e-3)


@settings(max_examples=200, deadline=None)
@given(TOLD, st.randoms())
def test_no_number_depends_on_the_order_of_the_answers(told, random):
    mixed = random.sample(told, len(told))
    for measure in (calibration_error, area_under_risk):
        assert measure(*columns(told)) == pytest.approx(measure(*columns(mixed)), abs=1e-12)
    assert 0 <= calibration_error(*columns(told)) <= 1
    assert 0 <= calibrated_error(columns(told)[0]) <= 0.5 + 1e-12


@settings(max_examples=200, deadline=None)
@given(TOLD)
def test_aurc_lies_between_the_best_and_the_worst_order(told):
    sure, right = columns(told)
    found, best = area_under_risk(sure, right), best_area_under_risk(right)
    worst = area_under_risk([1 - one for one in right], right)
    assert best - 1e-12 <= found <= worst + 1e-12
    coverage, risk = risk_coverage(sure, right)
    assert coverage[-1] == 1 and risk[-1] == pytest.approx(1 - np.mean(right))
    assert area_under_risk([0.5] * len(told), right) == pytest.approx(1 - np.mean(right))


def test_aurc_by_hand():
    assert area_under_risk([0.9, 0.8, 0.7], [1, 0, 1]) == pytest.approx((0 + 1 / 2 + 1 / 3) / 3)
    assert best_area_under_risk([1, 0, 1]) == pytest.approx(1 / 9)
    orders = [area_under_risk([0.9, 0.8, 0.7], order) for order in permutations([1, 0, 0])]
    assert area_under_risk([0.5] * 3, [1, 0, 0]) == pytest.approx(np.mean(orders))


@pytest.mark.parametrize(("slope", "shift"), [(1.0, 0.0), (2.5, -1.0), (0.3, 0.7)])
def test_a_fit_finds_the_scale_that_made_the_answers(slope, shift):
    found = fit_scale(*drawn(7, 20_000, slope, shift))
    assert found.slope == pytest.approx(slope, abs=0.12) and found.shift == pytest.approx(shift, abs=0.12)


def platt(raw, right):
    """Odds and Platt's targets."""
    raw, right = np.asarray(raw), np.asarray(right)
    high, low = (right.sum() + 1) / (right.sum() + 2), 1 / ((~right).sum() + 2)
    return np.array([log_odds(one) for one in raw]), np.where(right, high, low)


@pytest.mark.parametrize("num", [20, 45, 400])
def test_the_fit_is_the_maximum_of_the_likelihood(num):
    from scipy.optimize import minimize

    raw, right = drawn(num, num, 1.7, -0.4)
    odds, targets = platt(raw, right)

    def loss(weights):
        told = weights[0] * odds + weights[1]
        return (np.logaddexp(0, told) - targets * told).sum()

    found, best = fit_scale(raw, right), minimize(loss, [0.0, 0.0], tol=1e-10)
    assert (found.slope, found.shift) == pytest.approx(tuple(best.x), abs=1e-4)


def test_the_fit_is_that_of_sklearn():
    calibration = pytest.importorskip("sklearn.calibration")
    raw, right = drawn(3, 500, 1.7, -0.4)
    odds, _ = platt(raw, right)
    theirs, ours = calibration._SigmoidCalibration().fit(odds, right), fit_scale(raw, right)
    assert ours.slope == pytest.approx(-theirs.a_, abs=1e-4) and ours.shift == pytest.approx(-theirs.b_, abs=1e-4)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=FEWEST_ANSWERS, max_size=60))
def test_a_scale_keeps_the_order_and_never_makes_answers_less_likely(told):
    raw, right = columns(told)
    scale = fit_scale(raw, right)
    if scale is None:
        assert len(set(right)) == 1
        return
    scaled = np.array([scale(one) for one in sorted(raw)])
    assert (np.diff(scaled) >= 0).all() and 0 <= scaled.min() <= scaled.max() <= 1
    _, targets = platt(raw, right)
    chances = np.clip([scale(one) for one in raw], 1e-12, 1 - 1e-12)
    mean = targets.mean()

    def likelihood(p):
        return (targets * np.log(p) + (1 - targets) * np.log(1 - p)).sum()

    assert likelihood(chances) >= likelihood(np.full(len(raw), mean)) - 1e-6


def test_where_no_scale_can_be_told_there_is_none():
    assert fit_scale([0.5] * 19, [1, 0] * 9 + [1]) is None
    assert fit_scale(np.linspace(0, 1, 30), [1] * 30) is None
    assert fit_scale(np.linspace(0, 1, 30), [0] * 30) is None
    alike = fit_scale([1.0] * 30, [1] * 20 + [0] * 10)
    assert alike.slope == 0 and alike(1.0) == alike(0.2) == pytest.approx(20.6 / 31, abs=0.02)
    raw = np.linspace(0.1, 0.9, 40)
    backwards = fit_scale(raw, raw < 0.5)  # the surer, the worse: nothing is made of it
    assert backwards.slope == 0 and backwards(0.3) == pytest.approx(0.5)
    parted = fit_scale(raw, raw > 0.5)  # perfectly parted: the targets keep it finite
    assert 1 < parted.slope < 100 and parted(0.9) < 1


def test_a_fit_takes_the_error_away():
    raw, right = drawn(11, 3000, 0.8, -2.0)
    scale = fit_scale(raw, right)
    scaled = [scale(one) for one in raw]
    assert calibration_error(raw, right) > 0.3
    assert calibration_error(scaled, right) < 1.6 * calibrated_error(scaled)
    assert area_under_risk(scaled, right) == pytest.approx(area_under_risk(raw, right))


def test_null_rejection_by_hand():
    found = null_rejection([True, True, False, True, False], [True, True, True, False, False])
    assert (found.num_null, found.num_other) == (3, 2)
    assert found.rejected == pytest.approx(2 / 3) and found.wrongly_rejected == 0.5
    assert found.precision == pytest.approx(2 / 3) and found.f1 == pytest.approx(2 / 3)
    silent = null_rejection([False, False], [True, False])
    assert (silent.rejected, silent.precision, silent.f1) == (0.0, None, 0.0)
    every = null_rejection([True], [True])
    assert (every.rejected, every.wrongly_rejected, every.f1) == (1.0, None, 1.0)
    assert null_rejection([True], [False]).f1 is None
    with pytest.raises(ValueError, match="pair them"):
        null_rejection([True], [True, False])


@pytest.mark.parametrize(
    ("sure", "right"), [([], []), ([0.5], [1, 0]), ([1.5], [1]), ([float("nan")], [1]), ([0.5], [0.5])]
)
def test_what_is_no_confidence_is_refused(sure, right):
    for measure in (calibration_error, area_under_risk, fit_scale):
        with pytest.raises(ValueError):
            measure(sure, right)
