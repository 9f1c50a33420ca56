"""How hard a row is, told from what rollouts say."""

from __future__ import annotations

import pytest
from timeground.data_pipeline.stages.difficulty import of_rollouts

from timeground.data.rows import Row
from timeground.grammar.answers import parse_spans
from timeground.spans import Span


def test_rollouts_are_scored_by_the_strict_protocol():
    """A reversed pair, and what cannot be read, are worth nothing: a policy that says them is not rewarded either."""
    row = Row("r", "v.mp4", 60.0, "it opens", spans=[Span(10, 20)])
    said = ["10 - 20 seconds", "20 - 10 seconds", "I cannot tell.", "10 - 15 seconds"]
    found = of_rollouts([parse_spans(text) for text in said], row, hit_iou=0.5)
    assert found["ious"] == [1.0, 0.0, 0.0, 0.5]
    assert found["mean_iou"] == 0.375 and found["pass@1"] == 0.5 and found["pass@4"] == 1.0
    assert found["spread"] == pytest.approx(0.4146, abs=1e-4)


def test_saying_that_nothing_happens_is_right_only_where_it_is_true():
    there, absent = (Row("r", "v.mp4", 60.0, "it opens", spans=spans) for spans in ([Span(1, 2)], []))
    answer = parse_spans("It does not happen.")
    assert [of_rollouts([answer], row, 0.5)["mean_iou"] for row in (there, absent)] == [0.0, 1.0]
