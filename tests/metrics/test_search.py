"""What was looked at beside the truth: by hand, by invariants, and by numbers of the published evaluator."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeground.metrics.search import NOTHING, Found, frames_found, mean_found, published_mean, windows_found
from timeground.spans import Span

times = st.lists(st.floats(0, 1000), max_size=8)
spans = st.lists(st.tuples(st.floats(0, 900), st.floats(0.1, 90)).map(lambda p: Span(p[0], p[0] + p[1])), max_size=6)


def points(*times_s: float) -> list[Span]:
    return [Span(time_s, time_s) for time_s in times_s]


QUERIES = [
    ([10.0, 17.0, 17.5, 99.0, 400.0], points(12.0, 100.0, 250.5)),
    ([24.9, 35.0], points(30.0)),
    ([], points(40.0, 45.0)),
    ([300.0], points(7.0)),
    ([5.0], []),
]
"""Values made up here. The published evaluator (`calculate_prf`, threshold 5) was run on them: it gave EACH for the
first two and the fourth alone, and ALL for the five together, of which it leaves out two."""
EACH = {0: (0.6, 2 / 3, 0.631578947368421), 1: (0.5, 1.0, 2 / 3), 3: (0.0, 0.0, 0.0)}
ALL = (0.3666666666666667, 0.5555555555555555, 0.43274853801169594)


def values(found: Found) -> tuple[float, float, float]:
    return found.precision, found.recall, found.f1


def test_as_the_published_evaluator_and_with_empty_ones_as_nothing() -> None:
    for place, expected in EACH.items():
        assert values(frames_found(*QUERIES[place])) == pytest.approx(expected)
    published, counted = published_mean(QUERIES)
    assert values(published) == pytest.approx(ALL) and counted == 3
    ours = mean_found([frames_found(*query) for query in QUERIES if query[1]])
    assert values(ours) == pytest.approx([3 / 4 * value for value in ALL])
    assert published_mean([QUERIES[2]]) == (NOTHING, 0)


def test_frames_beside_spans_by_hand() -> None:
    """Right are 8 and 20 of three; 3 to 13 and 15 to 25 are found: 3 + 10 of the 5 + 20 true seconds."""
    found = frames_found([8.0, 20.0, 90.0], [Span(10, 15), Span(15, 35)])
    assert values(found) == pytest.approx((2 / 3, 13 / 25, 2 * (2 / 3) * (13 / 25) / (2 / 3 + 13 / 25)))


def test_windows_by_hand() -> None:
    """0 to 30 looked at, some of it twice; 5 of 20 true seconds lie in it."""
    assert values(windows_found([Span(0, 20), Span(10, 30)], [Span(25, 45)])) == pytest.approx((5 / 30, 5 / 20, 0.2))
    assert windows_found([], [Span(1, 2)]) == NOTHING == frames_found([], [Span(1, 2)])


def test_where_nothing_is_true_nothing_can_be_found() -> None:
    for measure, looked in ((frames_found, [1.0]), (windows_found, [Span(0, 1)])):
        with pytest.raises(ValueError, match="nothing is true"):
            measure(looked, [])


@given(times, spans.filter(bool))
def test_frames_more_frames_find_no_less(frames: list[float], truth: list[Span]) -> None:
    found = frames_found(frames, truth)
    assert all(0 <= value <= 1 for value in values(found)) and found.f1 <= max(found.precision, found.recall)
    assert frames_found([*frames, 500.0], truth).recall >= found.recall - 1e-9
    centres = frames_found([span.centre_s for span in truth], truth)
    assert centres.precision == 1
    assert frames_found(frames, truth, 2000.0) == (Found(1.0, 1.0, 1.0) if frames else NOTHING)


@given(spans, spans.filter(bool))
def test_windows_the_truth_is_the_best_place_to_look(looked: list[Span], truth: list[Span]) -> None:
    found = windows_found(looked, truth)
    assert all(0 <= value <= 1 for value in values(found))
    assert values(windows_found(truth, truth)) == pytest.approx((1, 1, 1))
    both = windows_found([*looked, *truth], truth)
    assert both.recall == pytest.approx(1)
    swapped = windows_found(truth, looked) if looked else NOTHING
    assert (swapped.precision, swapped.recall) == pytest.approx((found.recall, found.precision))
