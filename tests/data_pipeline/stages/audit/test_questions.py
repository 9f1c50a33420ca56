"""The audit's questions, put to the bundled model in several views."""

from __future__ import annotations

import numpy as np
import pytest
from timeground.data_pipeline.item import Item
from timeground.data_pipeline.stages.audit.questions import ask
from timeground.data_pipeline.views import View

from timeground.data.rows import read_rows
from timeground.spans import Span, set_iou


def test_the_bundled_model_is_asked_about_each_span(tools, pile):
    """It knows when its own world's events happen, and that they do not at other times."""
    rows = [row for row in read_rows(pile / "rows.jsonl") if row.meta.get("kind") == "single"]
    rows = [row for row in rows if row.video not in ("videos/bad.mp4", "videos/copy.mp4")]
    right, sides = 0, 0
    for row in rows:
        free = next(Span(s, s + 2.0) for s in np.arange(0.0, 30.0, 0.5) if set_iou([Span(s, s + 2.0)], row.spans) == 0)
        row.quality["agreement"] = {"spans": [free.to_list()]}
        said = ask(Item(row.video, [row]), tools, "tiny", ("there",))[row.id]
        right += (said.there > 0.5) + (said.elsewhere < 0.5)
        sides += 2
    assert sides >= 10 and right > 0.75 * sides


def test_a_video_is_judged_in_every_view(tools, pile):
    """The log-odds of the views are averaged; the question and the spans are turned as the video is."""
    row = next(row for row in read_rows(pile / "rows.jsonl") if row.meta.get("kind") == "single" and row.mirrored_query)
    item, views = Item(row.video, [row]), [View.PLAIN, View.REVERSED]
    alone = [ask(item, tools, "tiny", ("there",), [view])[row.id].there for view in views]
    together = ask(item, tools, "tiny", ("there",), views)[row.id].there
    odds = [np.log(there / (1 - there)) for there in alone]
    assert np.log(together / (1 - together)) == pytest.approx(np.mean(odds), abs=1e-4)
    backwards = row.mirrored()
    backwards.query, backwards.mirrored_query = row.mirrored_query, row.query
    assert View.REVERSED.word(row) == backwards.query
    assert View.REVERSED.turn(row.spans, row.extent) == backwards.spans
