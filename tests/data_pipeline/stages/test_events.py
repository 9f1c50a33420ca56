"""Events of a video without cuts, and segments of them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import ValidationError
from timeground.data_pipeline.item import Item
from timeground.data_pipeline.stages.events import Events
from timeground.data_pipeline.tools import Tools

from tests.support.pipeline import rejected, run
from timeground.data.rows import read_rows
from timeground.media.decode import probe
from timeground.metrics.boundaries import Truth, boundary_score


def found(root: Path, name: str, **settings: object) -> Item:
    item = Item(name)
    Events(**settings).run(item, Tools(root, root, {}))
    return item


def test_events_and_segments_cover_the_video_and_follow_what_happens(synth_folder: Path) -> None:
    rows = [row for row in read_rows(synth_folder / "annotations.jsonl") if row.task == "ground"]
    borders, truths = [], []
    for name in sorted({row.video for row in rows}):
        facts = found(synth_folder, name, segment_s=(4, 10)).facts
        duration_s = probe(synth_folder / name).duration_s
        for pairs in (facts["events"], facts["segments"]):
            assert pairs[0][0] == 0.0 and pairs[-1][1] == pytest.approx(duration_s, abs=1e-3)
            assert all(a[1] == b[0] for a, b in pairwise(pairs)) and all(start < end for start, end in pairs)
        assert all(end - start <= 10.001 for start, end in facts["segments"])
        spans = [span for row in rows if row.video == name for span in row.spans]
        truths.append(Truth.of_events(spans, duration_s))
        borders.append([start for start, _ in facts["events"][1:]])
    score = boundary_score(borders, truths)
    assert score.recall > 0.6 and score.f1 > score.uniform_f1, str(score)


def test_a_larger_change_is_asked_for_by_a_setting(synth_folder: Path) -> None:
    name = next(read_rows(synth_folder / "annotations.jsonl")).video
    counts = [len(found(synth_folder, name, least=least).facts["events"]) for least in (0.0, 0.02, 10.0)]
    assert counts[0] >= counts[1] > counts[2] == 1
    with pytest.raises(ValidationError, match="shortest, longest"):
        Events(segment_s=(9, 3))


def test_it_gives_what_propose_needs_and_a_broken_file_is_listed(write_recipe, tmp_path: Path) -> None:
    stages = [{"stage": "events"}, {"stage": "propose", "within": "segments"}]
    assert run(write_recipe(stages)) == 0
    assert {one["row"]["video"] for one in rejected(tmp_path / "out")} == {"videos/bad.mp4"}
