"""Boundaries that are read again."""

from __future__ import annotations

from timeground.data_pipeline.item import Item
from timeground.data_pipeline.stages.refine import Refine, joined

from timeground.data.rows import read_rows
from timeground.spans import Span, set_iou


def test_spans_close_together_are_joined():
    assert joined([Span(5, 6), Span(1, 2), Span(2.5, 4)], 1.0) == [Span(1, 6)]


def test_the_bundled_model_moves_boundaries_nearer_to_the_truth(tools, pile):
    """Spans that are off by 0.6 s at both ends end up nearer, on the whole, and each move is noted."""
    rows = [row for row in read_rows(pile / "rows.jsonl") if row.video == "videos/copy.mp4"]
    rows = [row for row in rows if row.meta.get("kind") == "single"]
    true = {row.id: list(row.spans) for row in rows}
    for row in rows:
        row.spans = [Span(max(0.0, span.start_s - 0.6), min(row.duration, span.end_s + 0.6)) for span in row.spans]
    before = {row.id: set_iou(row.spans, true[row.id]) for row in rows}
    was = {row.id: list(row.spans) for row in rows}
    Refine(only="all").run(Item("videos/copy.mp4", rows), tools)
    after = {row.id: set_iou(row.spans, true[row.id]) for row in rows}
    assert sum(after.values()) > sum(before.values())
    for row in rows:
        assert bool(row.history) is (row.spans != was[row.id])
        assert all(span.length_s > 0 for span in row.spans)
