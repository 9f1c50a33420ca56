"""Exports are read back as what they are for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from timeground.data_pipeline.item import Item
from timeground.data_pipeline.stages.export import Export
from timeground.data_pipeline.stages.samples import Samples

from timeground.chat.layout import TextSegment, encode_time
from timeground.data.clip_shards import read_clip, read_index
from timeground.data.formats import read
from timeground.data.rows import read_rows


def test_exports_are_read_back(tools, pile):
    datasets = pytest.importorskip("datasets")
    rows = [row for row in read_rows(pile / "rows.jsonl") if row.video == "videos/copy.mp4"]
    item = Item("videos/copy.mp4", rows)
    Samples().run(item, tools)
    formats = ["rows", "parquet", "timelens", "ms-swift", "llama-factory", "trl", "datasets", "samples"]
    Export(formats=formats).write([item], tools)
    folder = tools.output / "exports"
    assert list(read_rows(folder / "rows.jsonl")) == rows == list(read_rows(folder / "rows.parquet"))
    assert len(datasets.load_from_disk(str(folder / "datasets"))) == len(rows)
    (folder / "timelens.jsonl").rename(folder / "timelens-100k.jsonl")
    spans = [row.spans for row in rows if row.task == "ground" and row.spans]
    assert [row.spans for row in read("timelens_100k", folder)] == spans
    swift = [json.loads(line) for line in (folder / "ms-swift.jsonl").read_text().splitlines()]
    assert len(swift) == len(rows) and Path(swift[0]["videos"][0]).is_file()
    assert swift[0]["messages"][0]["content"].startswith("<video>")
    index = [json.loads(line) for line in (tools.output / "samples" / "index.jsonl").read_text().splitlines()]
    assert len(index) == 1 and [asked["id"] for asked in index[0]["questions"]] == [row.id for row in rows]
    (sample,) = read_index(tools.output / "samples")
    clip = read_clip(tools.output / "samples", sample)
    assert sample.rows == rows and clip.frame_times_s.tolist() == pytest.approx(index[0]["frame_times_s"], abs=1e-6)
    profile = tools.model("tiny").profile
    _, segments = encode_time(clip, profile.time_encoding, profile.stamp)
    stamps = [segment["text"] for segment in index[0]["segments"] if "text" in segment]
    assert stamps == [segment.text for segment in segments if isinstance(segment, TextSegment)]
