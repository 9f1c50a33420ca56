"""Which stretches of which videos fit a query, from their indexes alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from timeground.index.store import VideoIndex
from timeground.methods.windows import is_one
from timeground.spans import Span

BEST = 2
"""Pieces whose mean relevance is a stretch's score: one alone may be chance."""


@dataclass(frozen=True)
class Stretch:
    """A part of a video that a model can look at closely."""

    video: str
    """Its name in its library."""
    window: Span | None
    """In seconds of the file; None for all of it."""
    score: float
    """How well it fits, on the scale of the scorer."""


def best_stretches(video: str, index: VideoIndex, relevance_P: Tensor, length_s: float, most: int) -> list[Stretch]:
    """Return the stretches of a video around its most relevant pieces, the best first.

    A video that is hardly longer than a stretch is one. Each later stretch is around a piece that no earlier one holds.
    """
    if not len(relevance_P):
        return []
    if is_one(Span(0.0, index.duration_s), length_s):
        return [Stretch(video, None, _score(relevance_P))]
    left, found = relevance_P.clone(), list[Stretch]()
    while len(found) < most and bool((left > float("-inf")).any()):
        window = _around(float(index.times_s[left.argmax()]), length_s, index.duration_s)
        inside = (index.times_s >= window.start_s) & (index.times_s < window.end_s)
        found.append(Stretch(video, window, _score(left[inside])))
        left[inside] = float("-inf")
    return sorted(found, key=lambda one: -one.score)


def ranked(stretches: Iterable[Stretch], top: int) -> list[Stretch]:
    """Return the best stretches of all videos; of equally good ones in the order of their names."""
    return sorted(stretches, key=lambda one: (-one.score, one.video, one.window or Span(0, 0)))[:top]


def _around(time_s: float, length_s: float, duration_s: float) -> Span:
    start_s = min(max(0.0, time_s - length_s / 2), duration_s - length_s)
    return Span(start_s, start_s + length_s)


def _score(relevance: Tensor) -> float:
    finite = relevance[relevance > float("-inf")]
    return float(torch.topk(finite, min(BEST, len(finite))).values.mean())
