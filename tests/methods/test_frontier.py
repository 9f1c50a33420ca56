"""What a search looks at next: everything is reachable, nothing twice, and what was seen speaks no more."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timeground.chat.evidence import Mix
from timeground.methods.base import Look, Outcome, Proposal
from timeground.methods.findings import Finding
from timeground.methods.frontier import ORDERS, Candidate, Frontier
from timeground.methods.reflection import FrameFit
from timeground.methods.scan import Scanned
from timeground.scoring import ParsedAnswer
from timeground.spans import Span, merge

WINDOW_S = 30.0


def scanned(window: Span, happens: float, frames: dict[float, float] | None = None, *spans: Span) -> Scanned:
    found = tuple(Proposal(span, 0.9, {}) for span in spans)
    fits = tuple(FrameFit(time_s, fit) for time_s, fit in (frames or {}).items())
    finding = Finding(window, Outcome(ParsedAnswer()), found, {"happens": happens}, happens, fits)
    return Scanned(Look(window, 4, 16), finding)


def frontier(duration_s: float, *windows: Scanned, order: str = "evidence") -> Frontier:
    return Frontier(Span(0.0, duration_s), WINDOW_S, windows, Mix(), order, "a")


def nothing(window: Span) -> Finding:
    return Finding(window, Outcome(ParsedAnswer(absent=True)))


@settings(deadline=None)
@given(
    st.floats(31, 900),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)), max_size=4),
    st.sampled_from(ORDERS),
)
def test_everything_is_looked_at_in_the_end_and_nothing_twice(duration_s, parts, order) -> None:
    windows = [
        scanned(Span(0.0, duration_s), happens, {fit * duration_s: fit}, Span(at * duration_s, at * duration_s + 3.0))
        for happens, at, fit in parts
    ]
    left, seen = frontier(duration_s, *windows, order=order), []
    while (candidate := left.best()) is not None:
        assert candidate.window not in seen and 0 <= candidate.score <= 1
        assert candidate.parent is None or 0 <= candidate.parent < len(windows)
        seen.append(candidate.window)
        left.saw(candidate, [nothing(candidate.window)], len(seen))
        assert len(seen) < 1000
    (whole,) = merge([Span(one.start_s, one.end_s + 0.01) for one in seen])
    assert whole.start_s == 0.0 and whole.end_s >= duration_s


def test_the_likeliest_window_comes_first_and_what_was_seen_speaks_no_more() -> None:
    left = frontier(300.0, scanned(Span(0, 150), 0.2), scanned(Span(135, 300), 0.6, {200.0: 0.9, 260.0: 0.8}))
    first = left.best()
    assert first is not None and first.window.start_s <= 200.0 < first.window.end_s and first.parent == 1
    left.saw(first, [nothing(first.window)], 2)
    second = left.best()
    assert second is not None and second.window.start_s <= 260.0 < second.window.end_s
    assert not second.window.start_s <= 200.0 < second.window.end_s or second.window != first.window


def test_a_proposal_across_windows_gets_one_of_its_own() -> None:
    span = Span(10.0, 55.0)  # longer than any window
    left = frontier(300.0, scanned(Span(0, 300), 0.5, None, span))
    assert any(one.start_s < span.start_s and span.end_s < one.end_s for one in left.waiting)
    assert not any(one.length_s > 2 * WINDOW_S for one in left.waiting)


def test_what_a_border_cuts_off_is_followed() -> None:
    left = frontier(300.0, scanned(Span(0, 300), 0.5))
    seen, span = Candidate(Span(20.0, 50.0), 0.5), Span(44.0, 50.0)
    finding = Finding(seen.window, Outcome(ParsedAnswer(spans=(span,))), (Proposal(span, 0.99, {}),), score=0.99)
    left.saw(seen, [finding], 1)
    following = left.best()
    assert following is not None and following.window.start_s < 44.0 and following.window.end_s > 55.0
    assert following.parent == 1
    whole = Finding(seen.window, Outcome(ParsedAnswer()), (Proposal(Span(30.0, 35.0), 0.99, {}),), score=0.99)
    other = frontier(300.0, scanned(Span(0, 300), 0.5))
    before = set(other.waiting)
    other.saw(seen, [whole], 1)
    assert set(other.waiting) <= before, "what ends inside its window is not followed"


@pytest.mark.parametrize("order", ["happens", "frames", "proposal"])
def test_one_sign_alone_can_rank(order: str) -> None:
    window = Span(120.0, 140.0)
    told = {
        "happens": [scanned(Span(0, 150), 0.1), scanned(Span(110, 150), 0.9)],
        "frames": [scanned(Span(0, 300), 0.1, {10.0: 0.2, 130.0: 0.9})],
        "proposal": [scanned(Span(0, 300), 0.1, None, window)],
    }
    best = frontier(300.0, *told[order], order=order).best()
    assert best is not None and best.window.start_s < 140.0 and best.window.end_s > 120.0
