"""How well what a method looked at fits the truth: temporal precision, recall and F1, of frames and of windows.

Frames, as LV-Haystack counts them (TimeSearch-R's ``time_r1/eval/eval_temporal_search.py`` at 8d51dbc is the evaluator
that was read): a looked-at frame is right within 5 s of the truth, and truth is found within 5 s of a looked-at frame.
That evaluator leaves out questions for which nothing was looked at, which raises its means; here these count as 0, and
``published_mean`` is the number as published. Its truth is points (key frames); ours may be spans too, of which the
share of time that was found counts.

Windows: which share of the time that was looked at is true, and which share of the true time was looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from timeground.spans import Span, shared_length_s, total_length_s

TOLERANCE_S = 5.0
"""How far a frame may lie from the truth, as published."""


@dataclass(frozen=True)
class Found:
    """Precision, recall and F1 of one query, or their means, from 0 to 1."""

    precision: float
    recall: float
    f1: float

    @classmethod
    def of(cls, precision: float, recall: float) -> Found:
        """Return both with their harmonic mean."""
        both = precision + recall
        return cls(precision, recall, 2 * precision * recall / both if both else 0.0)


NOTHING = Found(0.0, 0.0, 0.0)


def frames_found(looked_s: Sequence[float], truth: Sequence[Span], tolerance_s: float = TOLERANCE_S) -> Found:
    """Return how well looked-at frames fit the truth; 0 where nothing was looked at.

    truth: spans, or points (spans without length); where both are there, points have no share in recall. Raise
    ValueError if it is empty: where nothing is true there is nothing to find.
    """
    _refuse_empty(truth)
    if not len(looked_s):
        return NOTHING
    frames_T = np.asarray(looked_s, dtype=float)
    starts_S, ends_S = (np.array([getattr(span.ordered(), key) for span in truth]) for key in ("start_s", "end_s"))
    apart_TS = np.maximum(0.0, np.maximum(starts_S - frames_T[:, None], frames_T[:, None] - ends_S))
    precision = float((apart_TS.min(axis=1) <= tolerance_s).mean())
    length_s = total_length_s(truth)
    if length_s == 0:
        return Found.of(precision, float((apart_TS.min(axis=0) <= tolerance_s).mean()))
    near = [Span(time_s - tolerance_s, time_s + tolerance_s) for time_s in frames_T]
    return Found.of(precision, min(1.0, shared_length_s(near, truth) / length_s))


def windows_found(looked: Sequence[Span], truth: Sequence[Span]) -> Found:
    """Return how well looked-at windows fit the truth, by length; 0 where nothing was looked at.

    What several windows show counts once. Raise ValueError if the truth is empty.
    """
    _refuse_empty(truth)
    shared_s, looked_s, true_s = shared_length_s(looked, truth), total_length_s(looked), total_length_s(truth)
    return Found.of(min(1.0, shared_s / looked_s) if looked_s else 0.0, min(1.0, shared_s / true_s) if true_s else 0.0)


def mean_found(found: Sequence[Found]) -> Found:
    """Return the means over queries, F1 too: it is that of each query, averaged. No query gives 0."""
    if not found:
        return NOTHING
    return Found(*(fmean(getattr(one, key) for one in found) for key in ("precision", "recall", "f1")))


def published_mean(
    queries: Sequence[tuple[Sequence[float], Sequence[Span]]], tolerance_s: float = TOLERANCE_S
) -> tuple[Found, int]:
    """Return the means of looked-at frames as the published evaluator gives them, and over how many queries.

    queries: looked-at frames and truth of each. Those without frames or truth are left out; none left gives 0.
    """
    counted = [frames_found(frames, truth, tolerance_s) for frames, truth in queries if len(frames) and len(truth)]
    return mean_found(counted), len(counted)


def _refuse_empty(truth: Sequence[Span]) -> None:
    if not truth:
        raise ValueError("nothing is true, so nothing can be found; leave such queries out")
