"""Rows that a model lists."""

from __future__ import annotations

from timeground.data_pipeline.item import Item
from timeground.data_pipeline.stages.propose import Propose

from timeground.data.rows import read_rows
from timeground.spans import set_iou


def test_the_bundled_model_lists_events_of_its_own_world(tools, pile):
    """Distinct sentences with times inside the video, rough until `agree` settles them; half are near a true event."""
    item = Item("videos/copy.mp4")
    Propose().run(item, tools)
    true = [row for row in read_rows(pile / "rows.jsonl") if row.video == "videos/copy.mp4" and row.spans]
    assert 2 <= len(item.rows) <= 12 and not item.rejected
    assert [row.id for row in item.rows] == [f"videos/copy-p{number}" for number in range(len(item.rows))]
    assert len({row.query.lower() for row in item.rows}) == len(item.rows)
    for row in item.rows:
        (span,) = row.spans
        assert 0 <= span.start_s < span.end_s <= true[0].duration + 0.1 and row.query.strip()
        assert row.meta == {"rough": True} and row.source == "proposed" and row.history[0]["what"] == "made"
    near = [row for row in item.rows if max(set_iou(row.spans, other.spans) for other in true) > 0.5]
    assert len(near) * 2 >= len(item.rows)


def test_a_video_that_has_rows_is_left_alone_unless_more_are_wanted(tools, pile):
    rows = [row for row in read_rows(pile / "rows.jsonl") if row.video == "videos/copy.mp4"][:2]
    item = Item("videos/copy.mp4", list(rows))
    Propose().run(item, tools)
    assert item.rows == rows
    item.facts["propose_more"] = True
    Propose().run(item, tools)
    assert len(item.rows) > 2 and "propose_more" not in item.facts
