"""Clips with questions, always the same; and when answers to them are the same."""

from __future__ import annotations

import pytest
from timeground.train.data.render import ClipRows
from timeground.train.rollout.contrasts import REVERSED, SHUFFLED

from tests.conftest import noise_clip
from timeground.chat.trajectory import Turn
from timeground.data.rows import Row
from timeground.spans import Span


def clip_rows(factor: int) -> list[ClipRows]:
    """Three clips of two questions each, forward, backward and shuffled. factor: pixels that sides are multiples of."""
    items = []
    for seed, frames in enumerate((6, 8, 11)):
        clip = noise_clip(frames, 2 * factor, 3 * factor, seed=seed)
        queries = ("the red circle moves left", "a blue square is visible")
        rows = [Row(f"{seed}-{q}", "v.mp4", clip.duration_s, q, spans=[Span(1.0, 2.0)]) for q in queries]
        items.append(ClipRows(clip, rows))
    return [items[0], REVERSED.applied(items[1], [0]), SHUFFLED.applied(items[2], [0])]


def same_answers(there: list[list[Turn]], here: list[list[Turn]]) -> None:
    """One greedy answer to each text: the same tokens, of the same probability."""
    for (a,), (b,) in zip(there, here, strict=True):
        assert (a.text, a.num_tokens, a.finished) == (b.text, b.num_tokens, b.finished)
        assert a.mean_logprob == pytest.approx(b.mean_logprob, abs=1e-4)
