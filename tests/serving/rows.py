"""Clips with questions, always the same."""

from __future__ import annotations

from timeground.train.grpo.rollout import reversed_item, shuffled_item
from timeground.train.sources import ClipRows

from tests.conftest import noise_clip
from timeground.records import Row
from timeground.spans import Span


def clip_rows() -> list[ClipRows]:
    """Three clips of two questions each, forward, backward and shuffled."""
    items = []
    for seed, frames in enumerate((6, 8, 11)):
        clip = noise_clip(frames, 64, 96, seed=seed)
        queries = ("the red circle moves left", "a blue square is visible")
        rows = [Row(f"{seed}-{q}", "v.mp4", clip.duration_s, q, spans=[Span(1.0, 2.0)]) for q in queries]
        items.append(ClipRows(clip, rows))
    return [items[0], reversed_item(items[1]), shuffled_item(items[2], [0])]
