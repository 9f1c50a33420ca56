"""What `probe` measures and filters."""

from __future__ import annotations

import json

from timeground.data_pipeline.item import Item
from timeground.data_pipeline.stages.probe import Probe

from tests.support.pipeline import make_row
from timeground.data.rows import read_rows


def test_probe_filters(tools, pile):
    rows = [row for row in read_rows(pile / "rows.jsonl") if row.video == "videos/copy.mp4"][:4]
    rows[0].query, rows[1].query, rows[2].duration = "loud music is heard", "a word " * 150, 500.0
    item = Item("videos/copy.mp4", rows)
    Probe(min_s=1).run(item, tools)
    assert {one["class"] for one in item.rejected} == {"sound", "words"}
    assert item.rows[0].duration < 500 and item.rows[0].history[0]["what"] == "duration"
    short = Item("videos/copy.mp4", [rows[3]])
    Probe(min_s=400).run(short, tools)
    assert short.is_out and short.rejected[0]["class"] == "duration"


def test_probe_keeps_test_videos_out(tools, tmp_path):
    (tmp_path / "test.jsonl").write_text(json.dumps(make_row().to_json() | {"video": "other/copy.webm"}) + "\n")
    item = Item("videos/copy.mp4", [make_row()])
    Probe(keep_out=(str(tmp_path / "test.jsonl"),)).run(item, tools)
    assert item.rejected[0]["class"] == "test"
