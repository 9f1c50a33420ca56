"""Passes in every view."""

from __future__ import annotations

from timeground.data_pipeline.item import Item
from timeground.data_pipeline.stages.ground import Ground, Pass
from timeground.data_pipeline.views import View

from tests.support.pipeline import make_row
from timeground.data.rows import read_rows
from timeground.spans import Span, set_iou


def test_passes_of_all_views_answer_in_the_times_of_the_video(tools, pile):
    """Most queries are found in every view, where they are; what no rule can word is not asked backwards."""
    rows = [row for row in read_rows(pile / "rows.jsonl") if row.video == "videos/copy.mp4"]
    rows = [row for row in rows if row.meta.get("kind") == "single"]
    odd = make_row("odd", "he throws a ball")
    odd.video, odd.duration = rows[0].video, rows[0].duration
    Ground(passes=[Pass(views=tuple(View))]).run(Item(odd.video, [*rows, odd]), tools)
    assert [one["pass"] for one in odd.quality["passes"]] == ["tiny", "tiny mirrored"]
    found = dict.fromkeys(("tiny", "tiny mirrored", "tiny reversed", "tiny mirrored-reversed"), 0.0)
    for row in rows:
        assert len(row.quality["passes"]) == 4
        for one in row.quality["passes"]:
            spans = [Span(*pair) for pair in one["spans"] or []]
            found[one["pass"]] += set_iou(spans, row.spans) / len(rows) if spans else 0.0
    assert all(mean > 0.4 for mean in found.values()), found
