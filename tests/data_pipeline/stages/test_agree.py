"""The medoid of the passes, and what becomes of rows by it."""

from __future__ import annotations

import pytest
from timeground.data_pipeline.item import Item
from timeground.data_pipeline.stages.agree import Agree, agreement

from tests.support.pipeline import answered, make_row, passes
from timeground.errors import UserError
from timeground.spans import Span


def test_the_medoid_is_the_answer_in_the_middle():
    found = agreement(passes([[2, 6]], [[2, 5]], [[10, 12]]))
    assert found["spans"] in ([[2.0, 6.0]], [[2.0, 5.0]]) and found["iou"] == pytest.approx(0.375)
    assert agreement(passes([], [], []))["iou"] == 1.0 and agreement(passes([], [[1, 2]]))["absent"] == 0.5
    assert agreement(passes(None, None))["spans"] is None and agreement(passes([[1, 2]], None))["iou"] == 0.0


def test_new_rows_take_the_medoid_and_old_rows_keep_their_spans(tools):
    new, apart, old = make_row("a", meta={"rough": True}), make_row("b", meta={"rough": True}), make_row("c")
    for row, answers in ((new, [[[5, 8]], [[5, 8]]]), (apart, [[[5, 8]], [[10, 12]]]), (old, [[[5, 8]], [[5, 8]]])):
        row.quality["passes"] = passes(*answers)
    item = Item("v.mp4", [new, apart, old])
    Agree().run(item, tools)
    assert [row.id for row in item.rows] == ["a", "c"] and new.spans == [Span(5, 8)] and old.spans == [Span(2, 4)]
    assert new.history[-1]["stage"] == "agree" and item.rejected[0]["class"] == "apart"


def test_a_row_without_passes_among_rows_with_them_fails_its_video(tools):
    """Rows of an earlier run may carry passes; those that do not are named."""
    with pytest.raises(UserError, match=r"row 'bare' has no quality.passes, which stage agree needs; put stage ground"):
        Agree().run(Item("v.mp4", [answered(make_row("has"), [[2, 4]]), make_row("bare")]), tools)
