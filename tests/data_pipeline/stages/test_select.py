"""Which rows are drawn."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from timeground.data_pipeline.item import Item
from timeground.data_pipeline.stages.select import Select
from timeground.data_pipeline.tools import Tools

from tests.support.pipeline import make_row
from timeground.data.rows import Row
from timeground.errors import UserError


def rolled(ious, durations=None) -> list[Item]:
    rows = []
    for i, iou in enumerate(ious):
        row = make_row(f"r{i}", f"query {i}")
        row.video, row.difficulty = f"v{i}.mp4", {"mean_iou": float(iou), "spread": 0.1 * (i % 3)}
        row.duration = durations[i] if durations else 20.0
        rows.append(row)
    return [Item(row.video, [row]) for row in rows]


def kept(stage: Select, items: list[Item], tools: Tools) -> list[Row]:
    dropped = stage.decide(items, tools)
    return [row for item in items for row in item.rows if row.id not in dropped]


def test_select_by_the_gaussian_gives_the_gaussian(tools):
    ious = np.concatenate([np.random.default_rng(0).uniform(0, 1, 2000), np.full(4000, 0.9)])
    stage = Select(method="gaussian", centre=0.3, width=0.2, count=600, bucket_s=0)
    drawn = np.array([row.difficulty["mean_iou"] for row in kept(stage, rolled(ious), tools)])
    assert len(drawn) == 600 and 0.25 < drawn.mean() < 0.45 and (drawn > 0.85).mean() < 0.05


def test_select_hard_prefers_hard_rows_and_variance_wants_mixed_ones(tools):
    items = rolled(np.linspace(0, 1, 300))
    hard = [row.difficulty["mean_iou"] for row in kept(Select(method="hard", count=60, bucket_s=0), items, tools)]
    assert np.mean(hard) < 0.4
    mixed = kept(Select(method="variance", count=50, bucket_s=0), items, tools)
    assert {row.difficulty["spread"] for row in mixed} == {0.2}


def test_select_draws_as_many_from_each_stretch_of_durations_and_repeats(tools):
    items = rolled([0.5] * 200, durations=[10.0] * 150 + [70.0] * 50)
    stage = Select(count=40, bucket_s=30, num_buckets=4)
    rows = kept(stage, items, tools)
    assert Counter(row.duration for row in rows) == {10.0: 10, 70.0: 10}
    assert [row.id for row in rows] == [row.id for row in kept(stage, items, tools)]
    other = Tools(tools.root, tools.output, tools.models, seed=1)
    assert [row.id for row in rows] != [row.id for row in kept(stage, items, other)]


@pytest.mark.parametrize(("method", "key"), [("hard", "mean_iou"), ("variance", "spread")])
def test_select_names_a_row_that_has_no_difficulty(tools, method, key):
    items = [*rolled([0.5]), Item("v.mp4", [make_row("bare")])]
    if key == "spread":
        items[1].rows[0].difficulty["mean_iou"] = 0.5
    with pytest.raises(UserError, match=f"row 'bare' has no difficulty.{key}, .* put stage difficulty before it"):
        Select(method=method).decide(items, tools)
