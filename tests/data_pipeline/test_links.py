"""Links out of the video root, and folders of pictures with their own rate."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from timeground.data_pipeline.inputs import InputSettings, read_items
from timeground.data_pipeline.recipe import Recipe
from timeground.data_pipeline.shards import read_shard, write_shard
from timeground.data_pipeline.work import Task, do_task, make_tools

from timeground.data.rows import Row, write_rows
from timeground.data.video_checks import against_files
from timeground.spans import Span


@pytest.fixture
def root(tmp_path):
    """A folder of 12 pictures, and a link to such a folder elsewhere."""
    for folder in (tmp_path / "videos" / "inside", tmp_path / "elsewhere"):
        folder.mkdir(parents=True)
        for number in range(12):
            Image.fromarray(np.full((32, 32, 3), 20 * number, np.uint8)).save(folder / f"{number:03d}.png")
    (tmp_path / "videos" / "link").symlink_to(tmp_path / "elsewhere")
    rows = [
        Row(id=name, video=name, duration=4.0, query="q", spans=[Span(0, 1)], meta={"folder_fps": 3.0})
        for name in ("inside", "link")
    ]
    write_rows(tmp_path / "rows.jsonl", rows)
    return tmp_path


@pytest.mark.parametrize("follow", [False, True])
def test_a_link_out_of_the_root_fails_one_video_and_folders_have_their_rate(root, follow):
    given = InputSettings(videos=str(root / "videos"), rows=str(root / "rows.jsonl"), follow_links=follow)
    recipe = Recipe(input=given, output=str(root / "out"), stages=[{"stage": "probe"}])
    items = read_items(given)
    write_shard(root / "in.jsonl", items)
    do_task(recipe, Task(1, 0, root / "in.jsonl", root / "done.jsonl"), make_tools(recipe))
    inside, link = read_shard(root / "done.jsonl")
    assert inside.failure is None and inside.facts["duration_s"] == pytest.approx(4.0)
    assert (link.failure is None) is follow
    assert follow or "is a link out of" in link.failure["reason"]
    problems = against_files([row for item in items for row in item.rows], root / "videos", follow)
    assert not problems.wrong and set(problems.unreadable) == (set() if follow else {"link"})
