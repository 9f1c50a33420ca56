"""Times as people write them."""

from __future__ import annotations

import datetime
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from timeground.data_pipeline.importing.times import Clock

from timeground.errors import UserError


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (12, 12.0),
        (12.5, 12.5),
        ("12.5", 12.5),
        (" 12.5s ", 12.5),
        ("1500ms", 1.5),
        ("1e1", 10.0),
        (".5", 0.5),
        ("0:01:02.5", 62.5),
        ("1:02", 62.0),
        ("01:02:03", 3723.0),
        ("00:00:01,500", 1.5),
        ("90:00", 5400.0),
        ("-3", -3.0),
        (datetime.timedelta(seconds=2.5), 2.5),
        (datetime.time(0, 1, 2, 500000), 62.5),
    ],
)
def test_seconds_and_clock_times(value, seconds):
    assert Clock().seconds("start", value) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "start is empty"),
        (None, "start is empty"),
        (float("nan"), "start is empty"),
        ("soon", "is no time"),
        ("0:75", "60 seconds"),
        ("1:75:00", "60 minutes"),
        ("00:01:02:11", "a time with frames"),
        ("1,5", "decimal point"),
        (True, "is no time"),
        ([1], "is no time"),
        (float("inf"), "no usable time"),
        (10**400, "no usable time"),
        ("9" * 5000, "is no time"),
        ("9" * 50 + ":00:00", "no usable time"),
    ],
)
def test_what_is_none_says_why(value, reason):
    with pytest.raises(UserError, match=re.escape(reason)):
        Clock().seconds("start", value)


def test_units():
    assert Clock("ms").seconds("start", "2500") == 2.5
    assert Clock("frames", 25).seconds("start", 50) == 2.0
    assert Clock("frames", 25).seconds("start", "0:02") == 2.0  # a clock time says its own unit
    with pytest.raises(UserError, match="give --fps"):
        Clock("frames").seconds("start", 50)


@settings(deadline=None)  # a busy machine
@given(st.integers(0, 360_000_000))
def test_a_clock_time_is_its_seconds(milliseconds):
    seconds, rest = divmod(milliseconds, 1000)
    text = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"
    assert Clock().seconds("start", text) == pytest.approx(milliseconds / 1000)
    assert Clock().seconds("start", text.replace(".", ",")) == pytest.approx(milliseconds / 1000)


@pytest.mark.parametrize(
    ("value", "pairs", "is_single"),
    [
        ([1, 2.5], [[1, 2.5]], True),
        ([[1, 2], [3, 4]], [[1, 2], [3, 4]], False),
        ([[1, 2]], [[1, 2]], False),
        ([], [], False),
        ([{"start": 1, "end": "0:02"}], [[1, 2]], False),
        ("[[1, 2], [3, 4]]", [[1, 2], [3, 4]], False),
        ("(1, 2)", [[1, 2]], True),
        ("0:10 - 0:20; 0:30-0:40", [[10, 20], [30, 40]], False),
        ("00:00:01,500 --> 00:00:02,000", [[1.5, 2]], True),
        ("1.5 to 2", [[1.5, 2]], True),
        ("3s-4s", [[3, 4]], True),
        ("1.5, 2", [[1.5, 2]], True),
    ],
)
def test_spans(value, pairs, is_single):
    assert Clock().pairs("spans", value) == (pairs, is_single)


@pytest.mark.parametrize("value", [5, "5", "[1, 2", [1, 2, 3], [[1, 2], 3], [{"start": 1}], "1 - 2 - 3", {"a": 1}])
def test_what_is_no_span_is_refused(value):
    with pytest.raises(UserError, match="spans"):
        Clock().pairs("spans", value)
