"""Times are shown as people read them, and taken as people write them."""

from __future__ import annotations

import pytest

from timeground.clock import clock, parse_time, shown_span, shown_time
from timeground.errors import UserError
from timeground.spans import Span


@pytest.mark.parametrize(
    ("time_s", "text"),
    [(0, "0:00:00"), (59.96, "0:01:00"), (1805.24, "0:30:05.2"), (3600, "1:00:00"), (36125.5, "10:02:05.5")],
)
def test_a_clock_time_reads_back(time_s, text):
    assert clock(time_s) == text and parse_time(text) == pytest.approx(max(time_s, 0), abs=0.06)


def test_short_videos_have_seconds_and_long_ones_clocks():
    assert shown_time(12.34, 60) == "12.3 s" and shown_time(12.34, 3600) == "0:00:12.3"
    assert shown_span(Span(1, 2.5), 60) == "1.0 - 2.5 s"
    assert shown_span(Span(1800, 1812.5), 3600) == "0:30:00 - 0:30:12.5"


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90.5", 90.5), ("1:30", 90), ("0:30:00", 1800)])
def test_times_are_taken_as_written(text, seconds):
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "1:2:3:4", "0:75:00", "0:00:61", "nan", "inf", "1h"])
def test_other_texts_are_none(text):
    with pytest.raises(ValueError):
        parse_time(text)
    assert not issubclass(UserError, ValueError)
