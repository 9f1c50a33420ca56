"""QVHighlights by the strict protocol: the benchmark's metrics without its gaps.

Windows rank by score (list order where there are none) for R1 and mAP alike, and the ten best count. Windows that are
reversed or have no length never match but take their rank. No window: 0 in every moment metric. Saliency that is
missing or not finite: 0 in every highlight metric, where any prediction of the file has saliency at all.
"""

from __future__ import annotations

import math

import numpy as np

from timeground.data.rows import Row
from timeground.spans import Span, iou

from .official.highlights import row_scores
from .official.qvhighlights import MAX_WINDOWS, RANGES, THRESHOLDS, average_precisions
from .reading import Prediction, read_spans
from .strict import Judge, Judged


def qvhighlights_judge(with_highlights: bool) -> Judge:
    """Return the judge of moments, and of highlights if the predictions have saliency."""

    def judge(row: Row, prediction: Prediction | None) -> Judged:
        said = read_spans(prediction, row.query)
        ranked = _ranked(said.spans, prediction)
        values: dict[str, float] = {}
        for name, (low_s, high_s) in RANGES.items():
            truth = [span for span in row.spans if low_s < span.length_s <= high_s]
            if truth or name == "full":
                values |= _moment_values(name, ranked, truth)
        if with_highlights:
            values |= _highlight_values(row, prediction)
        best = max((iou(ranked[0], span) for span in row.spans), default=0.0) if ranked else 0.0
        said_when = prediction is not None and (prediction.spans is not None or prediction.text is not None)
        only_saliency = not said_when and prediction is not None and prediction.saliency is not None
        return Judged(values, said.spans, best, None, None if only_saliency else said.failure)

    return judge


def _ranked(spans: tuple[Span, ...], prediction: Prediction | None) -> list[Span]:
    """Return the ten best windows, best first. A score that is not finite ranks last."""
    scores = prediction.scores if prediction is not None and prediction.text is None else None
    if scores is None:
        return list(spans[:MAX_WINDOWS])
    keyed = [(-score if math.isfinite(score) else math.inf, span) for score, span in zip(scores, spans, strict=False)]
    return [span for _, span in sorted(keyed, key=lambda pair: pair[0])][:MAX_WINDOWS]


def _moment_values(name: str, ranked: list[Span], truth: list[Span]) -> dict[str, float]:
    """Return R1 and average precision of one range of lengths."""
    ious = np.array([[iou(window, span) for span in truth] for window in ranked])
    first = float(ious[0].max()) if ious.size else 0.0
    precisions = average_precisions(ious) if ious.size else np.zeros(len(THRESHOLDS))
    values = {f"MR-{name}-mAP": float(precisions.mean())}
    for threshold, precision in zip(THRESHOLDS, precisions, strict=True):
        values[f"MR-{name}-mAP@{threshold:g}"] = float(precision)
        values[f"MR-{name}-R1@{threshold:g}"] = float(first >= threshold)
    return values


def _highlight_values(row: Row, prediction: Prediction | None) -> dict[str, float]:
    saliency = prediction.saliency if prediction is not None else None
    usable = saliency is not None and all(math.isfinite(score) for score in saliency)
    values = row_scores(saliency if usable and saliency else (), row)
    return values if usable and saliency else dict.fromkeys(values, 0.0)
