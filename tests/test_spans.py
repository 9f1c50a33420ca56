"""Spans: invariants (Hypothesis), published examples, and a comparison with brute force on a fine grid."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeground.spans import (
    MAX_TIME_S,
    Span,
    clamp,
    generalised_iou,
    iou,
    merge,
    mirror,
    mirror_all,
    set_iou,
    time_aware_iou,
    total_length_s,
    wasserstein_s,
)

times = st.floats(0, 100, allow_nan=False)
any_span = st.builds(Span, times, times)  # reversed and zero-length spans included
proper_span = st.tuples(times, times).map(lambda t: Span(min(t), max(t)))
span_lists = st.lists(any_span, max_size=6)
tenths = st.integers(0, 1000).map(lambda n: n / 10)
grid_spans = st.lists(
    st.tuples(tenths, tenths).filter(lambda t: t[0] < t[1]).map(lambda t: Span(*t)), min_size=1, max_size=5
)
extreme = st.floats(-MAX_TIME_S, MAX_TIME_S)
extreme_spans = st.lists(st.builds(Span, extreme, extreme), max_size=4)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e300, 10**400])
def test_values_that_are_not_times_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Span(0, bad)
    with pytest.raises(ValueError, match="finite"):
        Span(bad, 0)


def test_reversed_and_empty_spans_have_no_length_and_no_overlap() -> None:
    back = Span(9, 5)
    assert back.is_reversed and back.length_s == 0 and back.ordered() == Span(5, 9)
    assert iou(back, Span(5, 9)) == iou(back, back) == iou(Span(3, 3), Span(0, 9)) == 0
    assert generalised_iou(back, Span(5, 9)) == -1 and generalised_iou(Span(3, 3), Span(3, 3)) == 0
    assert set_iou([back], [Span(5, 9)]) == set_iou([back], []) == set_iou([Span(3, 3)], []) == 0
    assert set_iou([Span(3, 3)], [Span(3, 3)]) == 0 and set_iou([], []) == 1 and set_iou([], [Span(1, 2)]) == 0


def test_spans_sort_and_become_floats() -> None:
    assert sorted([Span(3, 4), Span(1, 9), Span(1, 2)]) == [Span(1, 2), Span(1, 9), Span(3, 4)]
    assert [type(t) for t in Span(1, 2).to_list()] == [float, float] and Span(1, 4).centre_s == 2.5


def test_merge_joins_what_touches() -> None:
    assert merge([Span(5, 6), Span(0, 2), Span(2, 3), Span(9, 7), Span(8, 8), Span(1, 2.5)]) == [
        Span(0, 3),
        Span(5, 6),
    ]
    assert total_length_s([Span(0, 4), Span(2, 6)]) == 6


def test_known_ious() -> None:
    assert iou(Span(0, 10), Span(5, 15)) == pytest.approx(1 / 3)
    assert set_iou([Span(0, 4), Span(6, 8)], [Span(2, 7)]) == pytest.approx(3 / 8)
    assert time_aware_iou(Span(0, 10), Span(5, 15), 50) == pytest.approx(1 / 3 * 0.9 * 0.9)
    assert time_aware_iou(Span(0, 90), Span(80, 90), 50) == 0  # the start factor would be negative
    assert generalised_iou(Span(0, 2), Span(8, 10)) == pytest.approx(-0.6)
    for duration_s in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="duration_s"):
            time_aware_iou(Span(0, 1), Span(0, 1), duration_s)


@pytest.mark.parametrize(
    ("pred", "reward"),
    [((32, 42), 0.82), ((50, 55), 0.17), ((90, 95), 0.003), ((0, 100), 0.08), ((30, 40), 1.0)],
)
def test_timelens2_examples(pred: tuple[float, float], reward: float) -> None:
    truth = [Span(30, 40)]
    digits = 3 if reward < 0.01 else 2
    assert round(math.exp(-wasserstein_s([Span(*pred)], truth) / total_length_s(truth)), digits) == reward


def test_wasserstein_of_points_and_of_nothing() -> None:
    assert wasserstein_s([Span(3, 3)], [Span(8, 8)]) == 5
    assert wasserstein_s([Span(3, 3)], [Span(2, 4)]) == pytest.approx(0.5)
    assert wasserstein_s([Span(0, 0), Span(10, 10)], [Span(5, 5)]) == 5
    assert wasserstein_s([Span(6, 4)], [Span(5, 5)]) == 0  # a reversed span is a point at its centre
    assert wasserstein_s([Span(0, 1), Span(50, 50)], [Span(0, 1)]) == 0  # beside length, a point weighs nothing
    assert wasserstein_s([], []) == 0 and wasserstein_s([], [Span(0, 1)]) == math.inf


@given(any_span, any_span)
def test_iou_is_symmetric_bounded_and_agrees_with_its_set_form(a: Span, b: Span) -> None:
    assert 0 <= iou(a, b) == iou(b, a) <= 1
    assert -1 <= generalised_iou(a, b) == generalised_iou(b, a) <= 1
    assert set_iou([a], [b]) == pytest.approx(iou(a, b))
    assert 0 <= time_aware_iou(a, b, 100) <= iou(a, b)
    assert iou(a, a) == (1 if a.length_s > 0 else 0)
    if iou(a, b) > 0:
        assert generalised_iou(a, b) == iou(a, b)


@given(span_lists, span_lists)
def test_set_iou_is_symmetric_bounded_and_ignores_order(a: list[Span], b: list[Span]) -> None:
    assert 0 <= set_iou(a, b) == set_iou(b, a) <= 1
    assert set_iou(a[::-1], [*b, *b]) == set_iou(a, b)


@given(grid_spans, grid_spans)
def test_mirroring_keeps_iou_and_distance(a: list[Span], b: list[Span]) -> None:
    a_back, b_back = mirror_all(a, 10, 90), mirror_all(b, 10, 90)
    assert set_iou(a_back, b_back) == pytest.approx(set_iou(a, b), abs=1e-9)
    assert wasserstein_s(a_back, b_back) == pytest.approx(wasserstein_s(a, b), abs=1e-9)
    assert iou(a_back[0], b_back[0]) == pytest.approx(iou(mirror(a_back[0], 0, 9), mirror(b_back[0], 0, 9)), abs=1e-9)


@given(any_span, times, times)
def test_mirror_is_its_own_inverse_and_clamp_stays_inside(span: Span, x: float, y: float) -> None:
    there_and_back = mirror(mirror(span, x, y), x, y)
    assert there_and_back.to_list() == pytest.approx(span.to_list(), abs=1e-9)
    assert mirror(span, x, y).is_reversed == span.is_reversed or span.end_s == pytest.approx(span.start_s)
    low, high = min(x, y), max(x, y)
    inside = clamp(span, low, high)
    assert low <= inside.start_s <= high and low <= inside.end_s <= high and clamp(inside, low, high) == inside
    if low < high:
        with pytest.raises(ValueError, match="window"):
            clamp(span, high, low)


@given(span_lists)
def test_merge_gives_apart_spans_with_the_same_instants(spans: list[Span]) -> None:
    merged = merge(spans)
    assert merge(merged) == merged and all(a.end_s < b.start_s for a, b in pairwise(merged))
    for span in merged:
        for time_s in (span.start_s, span.centre_s):
            assert any(s.start_s <= time_s < s.end_s for s in spans)


@given(
    st.lists(any_span, min_size=1, max_size=5),
    st.lists(any_span, min_size=1, max_size=5),
    st.lists(any_span, min_size=1, max_size=5),
)
def test_wasserstein_is_a_metric(a: list[Span], b: list[Span], c: list[Span]) -> None:
    ab, bc, ac = wasserstein_s(a, b), wasserstein_s(b, c), wasserstein_s(a, c)
    assert ab >= 0 and ab == pytest.approx(wasserstein_s(b, a), abs=1e-9)
    assert wasserstein_s(a, a) == 0
    assert ac <= ab + bc + 1e-9


@given(proper_span, st.floats(-50, 50))
def test_wasserstein_of_a_shift_is_the_shift(span: Span, shift_s: float) -> None:
    moved = Span(span.start_s + shift_s, span.end_s + shift_s)
    assert wasserstein_s([span], [moved]) == pytest.approx(abs(shift_s), abs=1e-6)


@given(grid_spans, grid_spans)
def test_wasserstein_and_iou_match_a_fine_grid(a: list[Span], b: list[Span]) -> None:
    """All edges lie on tenths, so cells of a hundredth are inside or outside, the CDF linear in each."""
    centres = (np.arange(10_000) + 0.5) / 100
    inside = [np.any([(s.start_s < centres) & (centres < s.end_s) for s in spans], axis=0) for spans in (a, b)]
    assert set_iou(a, b) == pytest.approx((inside[0] & inside[1]).sum() / (inside[0] | inside[1]).sum())
    cdfs = [np.concatenate([[0], np.cumsum(mask)]) / mask.sum() for mask in inside]
    assert wasserstein_s(a, b) == pytest.approx(np.trapezoid(np.abs(cdfs[0] - cdfs[1]), dx=0.01), abs=2e-3)


@given(extreme_spans, extreme_spans)
def test_never_nan(a: list[Span], b: list[Span]) -> None:
    numbers = [set_iou(a, b), wasserstein_s(a, b), total_length_s(a)]
    for x in a:
        for y in b:
            numbers += [iou(x, y), generalised_iou(x, y), time_aware_iou(x, y, 1e-300)]
    assert not any(math.isnan(n) for n in numbers)
