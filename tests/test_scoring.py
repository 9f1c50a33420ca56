"""What an answer is worth, under each protocol."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.scoring import PROTOCOLS, STRICT, first_iou, holds, is_right, parse, protocol_of, score, whole_iou
from timeground.spans import Span

THERE = Row("r", "v.mp4", 60.0, "the door opens", spans=[Span(10, 20)])
TWICE = Row("r", "v.mp4", 60.0, "the door opens", spans=[Span(10, 20), Span(40, 50)])
ABSENT = Row("r", "v.mp4", 60.0, "the door opens", spans=[])
CHOICE = Row("r", "v.mp4", 60.0, "", question="What opens?", options=["the door", "the box"], answer="B")
YES_NO = Row("r", "v.mp4", 60.0, "", question="Does it open?", answer="yes")
ROWS = [THERE, TWICE, ABSENT, CHOICE, YES_NO]


@pytest.mark.parametrize(
    ("text", "row", "strict", "timelens", "timelens2", "lenient"),
    [
        ("10 - 20 seconds", THERE, 1, 1, 1, 1),
        ("It does not happen.", ABSENT, 1, 1, 1, 1),
        ("It does not happen.", THERE, 0, 0, 0, 0),
        ("10 - 20 seconds", ABSENT, 0, 0, 0, 0),
        ("I cannot tell.", ABSENT, 0, 0, 0, 0),  # what cannot be read is no answer, whatever is true
        ("", ABSENT, 0, 0, 0, 0),
        ("20 - 10 seconds", THERE, 0, 0, 1, 1),
        ("20 - 10 seconds", ABSENT, 0, 0, 0, 0),  # a reversed pair does not say that nothing happens
        ("10 - 20 seconds, 30 - 30 seconds", THERE, 1, 1, 0, 1),
        ("10 - 20 seconds, 50 - 40 seconds", TWICE, 0.5, 0.5, 1, 1),
        ("10 - 20 seconds, 40 - 50 seconds", TWICE, 1, 0.5, 1, 1),
    ],
)
def test_a_set_of_spans_under_each_protocol(text, row, strict, timelens, timelens2, lenient):
    expected = {"strict": strict, "timelens": timelens, "timelens2": timelens2, "lenient": lenient}
    assert {name: score(parse(text, row), row, protocol) for name, protocol in PROTOCOLS.items()} == expected


def test_the_first_span_is_compared_with_the_one_it_fits_best():
    said = parse("40 - 50 seconds, 10 - 20 seconds", TWICE)
    assert first_iou(said, TWICE.spans) == 1.0
    assert first_iou(parse("50 - 40 seconds, 10 - 20 seconds", TWICE), TWICE.spans) == 0.0
    assert first_iou(parse("50 - 40 seconds", TWICE), TWICE.spans, PROTOCOLS["lenient"]) == 1.0


@pytest.mark.parametrize(
    ("text", "row", "parsed", "right"),
    [
        ("B", CHOICE, True, True),
        ("The box", CHOICE, True, True),
        ("A. the door", CHOICE, True, False),
        ("It opens from 3 to 5 seconds.", CHOICE, False, False),  # no letter, though there are spans in it
        ("Yes.", YES_NO, True, True),
        ("No, it does not.", YES_NO, True, False),
        ("perhaps", YES_NO, False, False),
    ],
)
def test_options_and_yes_or_no(text, row, parsed, right):
    answer = parse(text, row)
    assert (answer.parsed, is_right(answer, row), score(answer, row)) == (parsed, right, float(right))


def test_an_answer_in_the_seconds_of_a_window_is_read_in_those_of_the_file():
    assert parse("3 - 5 seconds", THERE, origin_s=100.0).spans == (Span(103, 105),)
    listed = Row("r", "v.mp4", 60.0, "", question="List the events.", meta={"events": []})
    assert listed.task != "events" or parse("3.0 - 7.5: it moves", listed, 100.0).events[0][1] == Span(103, 107.5)


@given(st.text(max_size=60) | st.from_regex(r"\d{1,2} (-|to) \d{1,2}( seconds|,)? ?\d?", fullmatch=True))
def test_every_worth_is_from_0_to_1_and_nothing_unread_is_worth_anything(text):
    for row in ROWS:
        answer = parse(text, row)
        for protocol in PROTOCOLS.values():
            values = [score(answer, row, protocol), first_iou(answer, row.spans, protocol)]
            assert all(0 <= value <= 1 and math.isfinite(value) for value in values)
            assert answer.parsed or values == [0.0, 0.0]
        assert whole_iou(answer, row.spans, PROTOCOLS["lenient"]) >= whole_iou(
            answer, row.spans, PROTOCOLS["timelens2"]
        )


def test_an_unknown_protocol_names_those_there_are():
    assert protocol_of("strict") is STRICT
    with pytest.raises(UserError, match="there are: strict, timelens, timelens2, lenient"):
        protocol_of("loose")


@pytest.mark.parametrize(
    ("text", "row", "kind", "right"),
    [
        ("10 - 16 seconds", THERE, "spans", True),
        ("10 - 14 seconds", THERE, "spans", False),
        ("10 - 20 seconds", TWICE, "spans", True),  # half of what is true, as a set
        ("20 - 10 seconds", THERE, "spans", False),
        ("10 - 20 seconds", ABSENT, "spans", False),
        ("It does not happen.", ABSENT, "absent", True),
        ("It does not happen.", THERE, "absent", False),
        ("I cannot tell.", ABSENT, None, False),
        ("B", CHOICE, "choice", True),
        ("A, at 10 - 20 seconds", CHOICE, "choice", False),
        ("neither, 10 - 20 seconds", CHOICE, None, False),
        ("Yes.", YES_NO, "yes_no", True),
        ("No.", YES_NO, "yes_no", False),
        ("perhaps", YES_NO, None, False),
        ("0 - 4: it opens", Row("r", "v.mp4", 60.0, "", question="List the events.", answer="-"), None, False),
    ],
)
def test_what_a_confidence_speaks_of_and_whether_that_holds(text, row, kind, right):
    answer = parse(text, row)
    assert answer.kind == kind and holds(answer, row) is right
