"""The audit's checks of words and spans."""

from __future__ import annotations

import pytest
from timeground.data_pipeline.stages.audit.checks import leak, similarity, unclear, without_leak


@pytest.mark.parametrize(
    "query",
    [
        "at the beginning of the video, a man sits down",
        "a man sits down at the end of the video",
        "a man sits down in the first 10 seconds",
        "a dog barks at 0:05",
        "a dog runs between 3 and 5 seconds",
        "halfway through the video a cat jumps",
        "a woman waves near the end of the clip",
        "a man enters at 12.5 seconds",
    ],
)
def test_leaked_positions_are_found_and_taken_out(query):
    assert leak(query)
    rest = without_leak(query)
    assert rest is not None and leak(rest) is None and len(rest) < len(query)


@pytest.mark.parametrize(
    "query",
    [
        "the first time the red circle moves left",
        "a man walks to the end of the pier",
        "before the ball appears, the star turns",
        "she stands at the start line",
        "he waits for two minutes",
        "a man opens the second drawer",
    ],
)
def test_order_of_events_and_places_are_no_leak(query):
    assert leak(query) is None and unclear(query, 60) is None


def test_what_says_nothing_is_unclear():
    assert unclear("something happens", 60) and unclear("man", 60) and unclear("word " * 70, 60)


def test_similar_sentences():
    assert similarity("The red circle is visible.", "the red circle can be seen") >= 0.4
    assert similarity("a man sits", "a man sits") == 1.0
    assert similarity("a man sits", "the dog runs") == 0.0
